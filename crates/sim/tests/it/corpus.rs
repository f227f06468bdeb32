//! Every plan that ever broke a law, kept as it was: nobody breaks one again.

use std::path::Path;

use segue_sim::commands::one;
use segue_sim::plan::Plan;
use segue_sim::run::Watchers;

#[test]
fn no_plan_that_ever_failed_fails_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut played = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is there") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let plan: Plan =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let figures = one(&path.display().to_string(), &plan, &Watchers::default());
        assert_eq!(figures.violated, 0, "{figures}");
        played += 1;
    }
    assert!(played > 0, "the corpus is empty");
}
