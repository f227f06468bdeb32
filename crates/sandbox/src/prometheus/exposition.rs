//! The text format that applications expose their metrics in, as far as it is needed: names, labels and values.
//!
//! A timestamp is read and left out: every sample is dated by its scrape.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::{BTreeMap, HashMap};

/// The labels of one series; its name is none of them.
pub(super) type Labels = BTreeMap<String, String>;

/// The series of each metric, in the order of the page.
pub(super) type Metrics = HashMap<String, Vec<Exposed>>;

/// One series and what it was when the page was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exposed {
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// Reads an exposition; none when a line is malformed, as Prometheus refuses the whole scrape then. Of two lines
/// of the same series the first one counts, as there.
pub(super) fn parse(text: &str) -> Option<Metrics> {
    let mut metrics = Metrics::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, exposed) = parse_line(line)?;
        let series = metrics.entry(name.to_owned()).or_default();
        if !series.iter().any(|known| known.labels == exposed.labels) {
            series.push(exposed);
        }
    }
    Some(metrics)
}

fn parse_line(line: &str) -> Option<(&str, Exposed)> {
    let name_end = line.find(|c: char| !is_name(c))?;
    let (name, rest) = line.split_at_checked(name_end)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Labels::new(), rest),
    };
    let mut words = rest.split_whitespace();
    let value = words.next()?.parse().ok()?;
    let timestamp_is_number = words.next().is_none_or(|word| word.parse::<i64>().is_ok());
    let is_whole = !name.is_empty() && timestamp_is_number && words.next().is_none();
    is_whole.then_some((name, Exposed { labels, value }))
}

/// The labels up to the closing brace, and what follows it.
fn parse_labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = parse_quoted(after.trim_start().strip_prefix('"')?)?;
        labels.insert(name.trim().to_owned(), value);
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// A value up to its closing quote, which a backslash may take its meaning from, and what follows it.
fn parse_quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match (escaped, c) {
            (true, 'n') => value.push('\n'),
            (false, '\\') => {}
            (false, '"') => return Some((value, text.get(at + 1..)?)),
            (_, other) => value.push(other),
        }
        escaped = !escaped && c == '\\';
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
    fn series_are_told_apart_by_their_labels() {
        let text = "# HELP boards Open boards.\n# TYPE boards gauge\nboards 42\n\
                    errors{kind=\"a}b\",code=\"5\\\"\",} 1.5e3 1700000000000\nerrors{ kind = \"c\" } 7\n\
                    errors{kind=\"c\"} 8\n";
        let metrics = parse(text).expect("a legal exposition");
        assert_eq!(metrics["boards"], [Exposed { labels: Labels::new(), value: 42.0 }]);
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!(
            metrics["errors"],
            [
                Exposed { labels: labels(&[("code", "5\""), ("kind", "a}b")]), value: 1500.0 },
                Exposed { labels: labels(&[("kind", "c")]), value: 7.0 },
            ]
        );
    }

    #[test]
    fn one_bad_line_refuses_the_whole() {
        for bad in ["boards", "boards x", "boards 1 2 3", "boards{a=\"1\" 3", "boards{a} 3", "{} 3"] {
            assert_eq!(parse(&format!("ok 1\n{bad}\n")), None, "{bad}");
        }
    }
}
