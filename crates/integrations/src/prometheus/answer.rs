//! Reading an instant answer: a vector without doubts, or the reason why it is none.

use std::collections::BTreeMap;

use segue_domain::reading::Why;
use serde::Deserialize;

/// Characters of somebody else's text that go into one of our sentences.
const TEXT_MAX: usize = 200;

/// What an answer says of each instance that it names. A series without the label belongs to nobody.
pub(super) type Answer = BTreeMap<String, Sample>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sample {
    One(f64),
    Unusable(String),
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
pub(super) fn read(body: &[u8]) -> Result<Answer, Why> {
    let document: Document =
        serde_json::from_slice(body).map_err(|error| Why::Unusable(format!("it cannot be read: {error}")))?;
    if document.status != "success" {
        return Err(Why::Unusable(format!("its status is {:?}", short(&document.status))));
    }
    if let Some(warning) = document.warnings.first() {
        return Err(Why::Unusable(format!("it came with a warning: {}", short(warning))));
    }
    if document.is_partial {
        return Err(Why::Unusable("it is only a part of the answer".to_owned()));
    }
    let Some(data) = document.data else {
        return Err(Why::Unusable("there is no data in it".to_owned()));
    };
    if data.result_type != "vector" {
        return Err(Why::Unusable(format!("it is a {}, not a vector", short(&data.result_type))));
    }
    let series: Vec<Series> = serde_json::from_value(data.result)
        .map_err(|error| Why::Unusable(format!("its series cannot be read: {error}")))?;
    let mut answer = Answer::new();
    for one in series {
        let Some(id) = one.metric.instance_id else { continue };
        let sample = match answer.contains_key(&id) {
            true => Sample::Unusable("two series for one instance".to_owned()),
            false => sample(one.value),
        };
        answer.insert(id, sample);
    }
    Ok(answer)
}

fn sample(value: Option<(f64, String)>) -> Sample {
    let Some((_evaluated_at, text)) = value else {
        return Sample::Unusable("a histogram".to_owned());
    };
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Sample::One(number),
        Ok(_) | Err(_) => Sample::Unusable(short(&text)),
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
