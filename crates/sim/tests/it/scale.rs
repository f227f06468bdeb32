//! Large fleets under AWS's published limits and in virtual time. More than a thousand is large enough for everything
//! that is paced, cut and done in lanes; five thousand are a command (`docs/simulation.md`).

use segue_sim::commands::seed::Trace;
use segue_sim::scale::{Report, Sizes, scale};

#[test]
fn twelve_hundred_servers_are_released_in_hardly_more_time_than_they_need() {
    let report: Report = scale(Sizes::new(1_200, 24_000), Trace::No).expect("it is released");
    println!("{report}");
    assert!(report.is_well(), "{report}");
    // More than a bucket of RunInstances and one of StopInstances hold: both have to be waited for.
    let part =
        |name: &str| report.bound.parts.iter().find(|part| part.name == name).map_or(0, |part| part.ms);
    assert_eq!((part("launch"), part("stop")), (100_000, 40_000), "{report}");
    // Three trials, and then a wave for each lane.
    assert!(report.waves > 3 + 12, "{report}");
    // Each server was closed, which is two records, and found empty twice: more than goes into one append, and few
    // appends.
    assert!(report.journal.records > 4 * 1_200 && report.journal.appends < 200, "{report}");
}

/// A hundred boards a server, as the document's table has them: with 1,000 the release is nearest to what it may take.
#[test]
fn with_a_hundred_boards_a_server_a_release_takes_hardly_more_time_than_it_needs() {
    for instances in [300, 1_000] {
        let report = scale(Sizes::new(instances, instances * 100), Trace::No).expect("it is released");
        println!("{report}");
        assert!(report.is_well(), "{report}");
    }
}
