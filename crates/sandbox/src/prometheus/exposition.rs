//! The text format that applications expose their metrics in, as far as it is needed: names and values.
//!
//! Labels are read and left out: every question groups by instance alone and takes the largest value.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::HashMap;

/// The largest value of each metric.
pub(super) type Metrics = HashMap<String, f64>;

/// Reads an exposition; none when a line is malformed, as Prometheus refuses the whole scrape then.
pub(super) fn parse(text: &str) -> Option<Metrics> {
    let mut metrics = Metrics::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = parse_line(line)?;
        let known = metrics.entry(name.to_owned()).or_insert(value);
        if value > *known || known.is_nan() {
            *known = value;
        }
    }
    Some(metrics)
}

fn parse_line(line: &str) -> Option<(&str, f64)> {
    let name_end = line.find(|c: char| !is_name(c))?;
    let (name, rest) = line.split_at_checked(name_end)?;
    let rest = if rest.starts_with('{') { after_labels(rest)? } else { rest };
    let mut words = rest.split_whitespace();
    let value = words.next()?.parse().ok()?;
    let timestamp_is_number = words.next().is_none_or(|word| word.parse::<i64>().is_ok());
    (!name.is_empty() && timestamp_is_number && words.next().is_none()).then_some((name, value))
}

/// What follows the closing brace; braces inside quoted values do not count.
fn after_labels(text: &str) -> Option<&str> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return text.get(at + 1..),
            _ => {}
        }
    }
    None
}

pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_whatever_labels_and_comments_stand_around() {
        let text = "# HELP boards Open boards.\n# TYPE boards gauge\nboards 42\n\
                    errors{kind=\"a}b\",code=\"5\\\"\"} 1.5e3 1700000000000\nerrors{kind=\"c\"} 7\n";
        let metrics = parse(text).expect("a legal exposition");
        assert_eq!(metrics.get("boards"), Some(&42.0));
        assert_eq!(metrics.get("errors"), Some(&1500.0));
    }

    #[test]
    fn one_bad_line_refuses_the_whole() {
        for bad in ["boards", "boards x", "boards 1 2 3", "boards{a=\"1\" 3", "{} 3"] {
            assert_eq!(parse(&format!("ok 1\n{bad}\n")), None, "{bad}");
        }
    }
}
