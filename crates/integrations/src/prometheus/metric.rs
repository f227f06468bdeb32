//! Names of metrics, checked once, so that no name can change the meaning of a query.

use std::fmt;

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`. Source: Prometheus, "Data model".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricName(String);

/// A text that cannot be the name of a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a metric")]
pub struct BadMetricName(String);

impl MetricName {
    pub fn parse(text: &str) -> Result<Self, BadMetricName> {
        let begins = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':');
        let goes_on = |byte: u8| begins(byte) || byte.is_ascii_digit();
        if text.bytes().next().is_some_and(begins) && text.bytes().all(goes_on) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadMetricName(text.to_owned()))
        }
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_change_the_query_is_none() {
        for bad in ["", "9lives", "a-b", "a{}", "a or vector(0)", "ä"] {
            assert!(MetricName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            MetricName::parse("job:rtb_spaces_count").map(|n| n.to_string()),
            Ok("job:rtb_spaces_count".to_owned())
        );
    }
}
