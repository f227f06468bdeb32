//! A fleet of hundreds, under AWS's published limits and in virtual time. Thousands are a command
//! (`docs/simulation.md`).

use segue_sim::scale::{Report, Sizes, scale};

#[test]
fn three_hundred_servers_are_released_in_hardly_more_time_than_they_need() {
    let report: Report = scale(Sizes::new(300, 30_000)).expect("it is released");
    println!("{report}");
    assert!(report.is_well(), "{report}");
    assert!(report.ratio <= 1.1, "{report}");
    assert!(report.calls_of_a_tick_max <= report.calls_of_a_tick_allowed, "{report}");
    assert_eq!(report.throttled.values().sum::<u64>(), 0, "{report}");
    assert_eq!(report.boards_moved, 30_000);
}
