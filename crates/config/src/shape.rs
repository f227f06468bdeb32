//! What a value must look like: how it reads, how it is called, and an example for who got it wrong.

use std::net::SocketAddr;
use std::time::Duration;

use toml::de::DeValue;
use url::Url;

/// Longer values are cut where a mistake shows them.
const SHOWN_CHARS_MAX: usize = 80;

/// One kind of value.
pub(crate) struct Shape<T> {
    /// `a duration from 1s to 24h`
    pub(crate) what: String,
    /// As it is written in the file.
    pub(crate) example: String,
    pub(crate) read: Reader<T>,
}

type Reader<T> = Box<dyn Fn(&DeValue<'_>) -> Option<T>>;

impl<T: 'static> Shape<T> {
    /// A text that `read` understands.
    pub(crate) fn text(
        what: impl Into<String>,
        example: impl Into<String>,
        read: impl Fn(&str) -> Option<T> + 'static,
    ) -> Self {
        let read = move |value: &DeValue<'_>| value.as_str().and_then(&read);
        Self { what: what.into(), example: example.into(), read: Box::new(read) }
    }
}

/// A text that is not empty.
pub(crate) fn text(what: &str, example: &'static str) -> Shape<String> {
    Shape::text(what, example, |text| (!text.trim().is_empty()).then(|| text.to_owned()))
}

pub(crate) fn boolean() -> Shape<bool> {
    Shape { what: "true or false".to_owned(), example: "true".to_owned(), read: Box::new(as_bool) }
}

/// A whole number within limits.
pub(crate) fn number(min: u64, max: u64, example: &'static str) -> Shape<u64> {
    let read = move |value: &DeValue<'_>| integer(value).filter(|number| (min..=max).contains(number));
    Shape {
        what: format!("a whole number from {min} to {max}"),
        example: example.to_owned(),
        read: Box::new(read),
    }
}

/// A whole number within limits that fits into 32 bits.
pub(crate) fn number32(min: u32, max: u32, example: &'static str) -> Shape<u32> {
    let read = move |value: &DeValue<'_>| {
        let number = u32::try_from(integer(value)?).ok()?;
        (min..=max).contains(&number).then_some(number)
    };
    Shape {
        what: format!("a whole number from {min} to {max}"),
        example: example.to_owned(),
        read: Box::new(read),
    }
}

/// A port to reach somebody at.
pub(crate) fn port(example: &'static str) -> Shape<u16> {
    let read = |value: &DeValue<'_>| u16::try_from(integer(value)?).ok().filter(|port| *port > 0);
    Shape {
        what: format!("a whole number from 1 to {}", u16::MAX),
        example: example.to_owned(),
        read: Box::new(read),
    }
}

/// A span of time within limits, written as `250ms`, `10s`, `1h 30m`.
pub(crate) fn duration(min: Duration, max: Duration, example: &'static str) -> Shape<Duration> {
    let what = format!("a duration from {} to {}", spoken(min), spoken(max));
    Shape::text(what, example, move |text| {
        let span = Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok()?;
        (min..=max).contains(&span).then_some(span)
    })
}

/// An http or https address without user, query and fragment.
pub(crate) fn http_url(example: &'static str) -> Shape<Url> {
    Shape::text("an http or https address", example, |text| {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none();
        let plain = plain && url.query().is_none() && url.fragment().is_none();
        (plain && matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
    })
}

/// An address to listen at, with its port.
pub(crate) fn listen() -> Shape<SocketAddr> {
    Shape::text("an address with a port", "\"127.0.0.1:7788\"", |text| text.parse().ok())
}

/// One of several words.
pub(crate) fn word<T: Copy + 'static>(
    words: &'static [(&'static str, T)],
    example: &'static str,
) -> Shape<T> {
    let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
    Shape::text(format!("one of {}", names.join(", ")), example, move |text| {
        words.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
    })
}

/// A value as a mistake shows it. Never called for a secret: the file names secrets, it holds none.
pub(crate) fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => cut(number.as_str()),
        DeValue::Float(number) => cut(number.as_str()),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A text as a mistake shows it.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(text))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A duration as a person writes it: `4h`, `1h 30m`, `250ms`.
pub(crate) fn spoken(span: Duration) -> String {
    let span = jiff::SignedDuration::try_from(span).unwrap_or(jiff::SignedDuration::MAX);
    format!("{span:#}")
}

fn as_bool(value: &DeValue<'_>) -> Option<bool> {
    value.as_bool()
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(shape: &Shape<T>, text: &str) -> Option<T> {
        let value = DeValue::parse(text).expect("a TOML value");
        (shape.read)(value.get_ref())
    }

    #[test]
    fn a_duration_is_text_with_its_unit_and_has_limits() {
        let shape = duration(Duration::from_secs(1), Duration::from_hours(10), "\"4h\"");
        assert_eq!(read(&shape, "\"4h\""), Some(Duration::from_hours(4)));
        assert_eq!(read(&shape, "\"1h 30m\""), Some(Duration::from_mins(90)));
        for wrong in ["\"4\"", "4", "\"-4h\"", "\"0s\"", "\"11h\"", "\"soon\"", "\"\""] {
            assert_eq!(read(&shape, wrong), None, "{wrong}");
        }
        assert_eq!(shape.what, "a duration from 1s to 10h");
    }

    #[test]
    fn a_number_has_limits_and_no_other_type() {
        let shape = number32(1, 100, "1");
        assert_eq!(read(&shape, "100"), Some(100));
        assert_eq!(read(&shape, "0x10"), Some(16));
        for wrong in ["0", "101", "-1", "1.0", "\"1\"", "true", "99999999999999999999"] {
            assert_eq!(read(&shape, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_of_a_web_service_carries_no_secret() {
        let shape = http_url("\"http://prometheus:9090\"");
        assert!(read(&shape, "\"https://prometheus.internal/prefix\"").is_some());
        for wrong in
            ["\"http://user:word@host\"", "\"http://host/?token=x\"", "\"ftp://host\"", "\"host:9090\""]
        {
            assert_eq!(read(&shape, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_long_value_is_cut_where_it_is_shown() {
        let value = DeValue::String("ä".repeat(500).into());
        assert_eq!(shown(&value).chars().count(), SHOWN_CHARS_MAX + 3);
    }
}
