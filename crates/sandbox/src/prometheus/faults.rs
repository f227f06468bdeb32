//! What goes wrong with the monitoring server on request: around its answers, whatever was asked.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::faults::PrometheusFault;
use crate::serve::cut;
use crate::shared::Shared;

/// The largest answer that is changed, in bytes: a thousand series and room to spare.
const ANSWER_MAX: usize = 1024 * 1024;
/// What changes an answer, in the order in which it does.
const CHANGES: [PrometheusFault; 4] =
    [PrometheusFault::Empty, PrometheusFault::Nan, PrometheusFault::Duplicate, PrometheusFault::Warning];

/// Answers as the set faults want it.
pub(super) async fn strike(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let is = |what| shared.glance(|world, now| world.prometheus_is(what, now));
    if is(PrometheusFault::Down) {
        return cut();
    }
    if is(PrometheusFault::Failing) {
        return (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response();
    }
    let response = next.run(request).await;
    let changes: Vec<_> = CHANGES.into_iter().filter(|what| is(*what)).collect();
    if changes.is_empty() || response.status() != StatusCode::OK {
        return response;
    }
    changed(response, &changes).await
}

async fn changed(response: Response, changes: &[PrometheusFault]) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, ANSWER_MAX).await else { return cut() };
    let Ok(mut answer) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    for what in changes {
        change(&mut answer, *what);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(answer.to_string()))
}

fn change(answer: &mut Value, what: PrometheusFault) {
    if what == PrometheusFault::Warning
        && let Some(fields) = answer.as_object_mut()
    {
        let text = "PromQL warning: a part of the data could not be fetched";
        fields.insert("warnings".to_owned(), json!([text]));
    }
    let Some(result) = answer.pointer_mut("/data/result").and_then(Value::as_array_mut) else { return };
    match what {
        PrometheusFault::Empty => result.clear(),
        PrometheusFault::Nan => result.iter_mut().for_each(|series| set_value(series, "NaN")),
        PrometheusFault::Duplicate => {
            let mut twins = result.clone();
            for series in &mut twins {
                set_value(series, "0");
                set_job(series);
            }
            result.append(&mut twins);
        }
        PrometheusFault::Warning
        | PrometheusFault::Down
        | PrometheusFault::Failing
        | PrometheusFault::Stale => {}
    }
}

fn set_value(series: &mut Value, value: &str) {
    if let Some(place) = series.pointer_mut("/value/1") {
        *place = value.into();
    }
}

/// Two series never have the same labels: the twin is scraped by another job.
fn set_job(series: &mut Value) {
    if let Some(labels) = series.get_mut("metric").and_then(Value::as_object_mut) {
        labels.insert("job".to_owned(), "twin".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(what: PrometheusFault) -> Value {
        let series = json!({"metric": {"instance_id": "i-1"}, "value": [1, "7"]});
        let mut answer = json!({"status": "success", "data": {"resultType": "vector", "result": [series]}});
        change(&mut answer, what);
        answer
    }

    #[test]
    fn an_answer_changes_as_its_fault_says_and_stays_a_success() {
        assert_eq!(after(PrometheusFault::Empty)["data"]["result"], json!([]));
        assert_eq!(after(PrometheusFault::Nan)["data"]["result"][0]["value"], json!([1, "NaN"]));
        let twins = after(PrometheusFault::Duplicate)["data"]["result"].clone();
        assert_eq!((&twins[0]["value"][1], &twins[1]["value"][1]), (&json!("7"), &json!("0")));
        assert_eq!(twins[1]["metric"], json!({"instance_id": "i-1", "job": "twin"}));
        let warned = after(PrometheusFault::Warning);
        assert_eq!(
            (&warned["status"], &warned["data"]["result"][0]["value"][1]),
            (&json!("success"), &json!("7"))
        );
        assert!(warned["warnings"][0].is_string());
    }
}
