//! Reading an instant answer: the series of each instance, or the reason why they are none.

use std::collections::BTreeMap;
use std::fmt;

use segue_domain::reading::Why;
use serde::Deserialize;

/// Characters of somebody else's text that go into one of our sentences.
const TEXT_MAX: usize = 200;

/// What an instant answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Answer {
    /// Every series of each instance that it names. A series without the label belongs to nobody.
    pub(super) series: BTreeMap<String, Vec<Sample>>,
    /// When it was evaluated, by Prometheus' own clock; none where it has no series.
    pub(super) evaluated_at: Option<Moment>,
}

/// Seconds since 1970, as Prometheus says them and takes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment(f64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sample {
    Number(f64),
    NotANumber(String),
    Histogram,
}

/// What keeps an answer, or an instance's part of it, from being a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Doubt {
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("its status is {0:?}")]
    Status(String),
    #[error("it came with a warning: {0}")]
    Warning(String),
    #[error("it is only a part of the answer")]
    Part,
    #[error("there is no data in it")]
    NoData,
    #[error("it is a {0}, not a vector")]
    Kind(String),
    #[error("its series cannot be read: {0}")]
    Series(String),
    #[error("{0} series for one instance, where one is expected")]
    Several(usize),
    #[error("{0} is not a number")]
    NotANumber(String),
    #[error("a histogram is not a number")]
    Histogram,
    #[error("{0} is no count")]
    NoCount(String),
    #[error("an age of {age} s: {why}")]
    Age { age: String, why: String },
}

impl From<Doubt> for Why {
    fn from(doubt: Doubt) -> Self {
        Self::Unusable(doubt.to_string())
    }
}

#[derive(Debug, Deserialize)]
struct Document {
    status: String,
    data: Option<Data>,
    #[serde(default)]
    warnings: Vec<String>,
    /// VictoriaMetrics: some of its storage did not answer.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

#[derive(Debug, Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    result_type: String,
    /// Read only when the type says that it is a list of series.
    result: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Series {
    metric: Labels,
    /// Time of evaluation and value; none for a native histogram.
    value: Option<(f64, String)>,
}

#[derive(Debug, Deserialize)]
struct Labels {
    instance_id: Option<String>,
}

/// What Prometheus says when it refuses.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
}

/// The body of a successful answer.
pub(super) fn read(body: &[u8]) -> Result<Answer, Doubt> {
    let document: Document =
        serde_json::from_slice(body).map_err(|error| Doubt::Unreadable(error.to_string()))?;
    if document.status != "success" {
        return Err(Doubt::Status(short(&document.status)));
    }
    if let Some(warning) = document.warnings.first() {
        return Err(Doubt::Warning(short(warning)));
    }
    if document.is_partial {
        return Err(Doubt::Part);
    }
    let data = document.data.ok_or(Doubt::NoData)?;
    if data.result_type != "vector" {
        return Err(Doubt::Kind(short(&data.result_type)));
    }
    let series: Vec<Series> =
        serde_json::from_value(data.result).map_err(|error| Doubt::Series(error.to_string()))?;
    let mut answer = Answer::default();
    for one in series {
        answer.evaluated_at = answer.evaluated_at.or(one.value.as_ref().map(|(at, _)| Moment(*at)));
        if let Some(id) = one.metric.instance_id {
            answer.series.entry(id).or_default().push(sample(one.value));
        }
    }
    Ok(answer)
}

fn sample(value: Option<(f64, String)>) -> Sample {
    let Some((_evaluated_at, text)) = value else {
        return Sample::Histogram;
    };
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Sample::Number(number),
        Ok(_) | Err(_) => Sample::NotANumber(short(&text)),
    }
}

/// The words of a refusal, or the beginning of whatever came instead.
pub(super) fn refusal(body: &[u8]) -> String {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => short(&refusal.error),
        Err(_no_document) => short(&String::from_utf8_lossy(body)),
    }
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}
