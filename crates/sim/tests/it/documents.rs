//! docs/simulation.md adds its running total up rightly: whoever adds a row adds to the total.

use std::path::Path;

/// A row's cells, and a number that one of them begins with.
fn number(row: &str, cell: usize) -> u64 {
    let cell = row.split(" | ").nth(cell).unwrap_or_else(|| panic!("a row with too few cells: {row}"));
    let digits: String = cell.chars().filter(|it| *it != ',').take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|error| panic!("{cell:?} begins with no number: {error}"))
}

/// 1,234,567
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let places = digits.len();
    let comma = |(place, digit): (usize, char)| {
        let is_between = place > 0 && (places - place).is_multiple_of(3);
        is_between.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(comma).collect()
}

#[test]
fn the_running_total_is_what_its_rows_come_to() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/simulation.md");
    let text = std::fs::read_to_string(page).expect("it is there");
    let (_, total) = text.split_once("## Running total").expect("it has a running total");
    let (total, _) = total.split_once("\n## ").expect("it does not end with it");
    // The first are the seeds of a change's checks.
    let fresh: Vec<&str> =
        total.lines().filter(|line| line.starts_with("| `segue-sim fuzz ")).skip(1).collect();
    let sum = |cell| fresh.iter().map(|row| number(row, cell)).sum();
    let (seeds, violated) = (grouped(sum(2)), sum(3));
    let line = format!("Total: {seeds} fresh seeds, {violated} of them with a violation.");
    assert!(fresh.len() > 20 && total.contains(&line), "docs/simulation.md does not say: {line}");
}

#[test]
fn a_large_number_is_read_in_threes() {
    assert_eq!([12, 1_234, 1_234_567].map(grouped), ["12", "1,234", "1,234,567"]);
}
