//! Prometheus' HTTP answers.
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::query::{self, Query};
use super::samples::Series;
use crate::world::At;

/// Answers a query given as a form: `query=…&time=…`; the timeout is of no use here and left alone.
pub(super) fn to_query(form: &str, now: At, evaluate: impl FnOnce(&Query, At) -> Vec<Series>) -> Response {
    let (mut text, mut at) = (None, Some(now));
    for (name, value) in url::form_urlencoded::parse(form.as_bytes()) {
        match name.as_ref() {
            "query" => text = Some(value.into_owned()),
            "time" => at = parse_time(&value),
            _ => {}
        }
    }
    let Some(at) = at else {
        return error(StatusCode::BAD_REQUEST, "bad_data", "invalid parameter \"time\": cannot parse");
    };
    let Some(text) = text else {
        return error(
            StatusCode::BAD_REQUEST,
            "bad_data",
            "invalid parameter \"query\": unknown position: no expression found in input",
        );
    };
    let Some(query) = query::parse(&text) else {
        let why =
            "the sandbox answers two forms only: M{instance_id=~\"i-a|i-b\"} and time() - timestamp(M{…})";
        return error(StatusCode::UNPROCESSABLE_ENTITY, "execution", why);
    };
    let result: Vec<_> = evaluate(&query, at).iter().map(|series| vector_item(series, at)).collect();
    let body = json!({"status": "success", "data": {"resultType": "vector", "result": result}});
    Json(body).into_response()
}

fn vector_item(series: &Series, at: At) -> Value {
    json!({"metric": series.labels, "value": [seconds(at), number(series.value)]})
}

/// Seconds with milliseconds, a whole number where it is one, as Prometheus writes them.
fn seconds(at: At) -> Value {
    let (whole, ms) = (at.ms() / 1000, at.ms() % 1000);
    let text = if ms == 0 { whole.to_string() } else { format!("{whole}.{ms:03}") };
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

/// Seconds since the epoch with a fraction, or RFC 3339.
fn parse_time(text: &str) -> Option<At> {
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return u64::try_from(stamp.as_millisecond()).ok().map(At::from_ms);
    }
    let seconds: f64 = text.parse().ok()?;
    let since_epoch = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    let rounded = since_epoch.checked_add(std::time::Duration::from_micros(500))?;
    Some(At::from_ms(0).plus(rounded))
}

fn error(status: StatusCode, kind: &str, text: &str) -> Response {
    (status, Json(json!({"status": "error", "errorType": kind, "error": text}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_spellings() {
        assert_eq!(parse_time("1700000000.5"), Some(At::from_ms(1_700_000_000_500)));
        assert_eq!(parse_time("1700000000.123"), Some(At::from_ms(1_700_000_000_123)));
        assert_eq!(parse_time("2023-11-14T22:13:20.5Z"), Some(At::from_ms(1_700_000_000_500)));
        for bad in ["", "soon", "-1", "NaN"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_that_are_none_have_prometheus_names() {
        let names = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1.5, 42.0].map(number);
        assert_eq!(names, ["NaN", "+Inf", "-Inf", "0", "1.5", "42"]);
    }
}
