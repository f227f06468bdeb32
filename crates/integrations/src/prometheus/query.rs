//! The two forms of query, and asking one.
//!
//! Nothing is aggregated: two series of one instance are a doubt, and a maximum or a sum would hide it. The same two
//! forms are all that the sandbox answers.

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use segue_domain::ids::InstanceId;
use segue_domain::reading::Why;
use segue_engine::ports::chain;
use url::form_urlencoded::Serializer;

use super::answer::{self, Answer, Moment};
use super::{MetricName, Prometheus};
use crate::http;

/// A hundred bytes for each series would be plenty.
const BODY_MAX: usize = 1024 * 1024;

pub(super) fn value(metric: &MetricName, ids: &[InstanceId]) -> String {
    selected(&metric.to_string(), ids)
}

pub(super) fn age(metric: &MetricName, ids: &[InstanceId]) -> String {
    format!("time() - timestamp({})", value(metric, ids))
}

/// Prometheus' own word on its targets, of which an instance may be several.
pub(super) fn up(ids: &[InstanceId]) -> String {
    selected("up", ids)
}

fn selected(metric: &str, ids: &[InstanceId]) -> String {
    let ids: Vec<&str> = ids.iter().map(InstanceId::as_str).filter(|id| is_plain(id)).collect();
    format!("{metric}{{instance_id=~\"{}\"}}", ids.join("|"))
}

/// Whether an id means itself in a regular expression in quotes. EC2's ids do; another one is not asked for, and
/// what is not in an answer is unknown.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl Prometheus {
    /// One query, evaluated at `at`, or now: that is for Prometheus to say, since a clock of ours that was set back
    /// would make old samples fresh.
    pub(super) async fn ask(&self, query: &str, at: Option<Moment>) -> Result<Answer, Why> {
        let limit = self.limits.timeout;
        match tokio::time::timeout(limit, self.exchange(query, at)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(self.away(&format!("nothing within {} ms", limit.as_millis()))),
        }
    }

    /// By POST: a query of two hundred ids is longer than some gateways let a URL be.
    async fn exchange(&self, query: &str, at: Option<Moment>) -> Result<Answer, Why> {
        let pairs = [("query", Some(query.to_owned())), ("time", at.map(|at| at.to_string()))];
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let asking = self.http.post(self.endpoint.clone());
        let asking = asking.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let response = asking.send().await.map_err(|error| self.away(&chain(&error.without_url())))?;
        let status = response.status();
        let body = http::body(response, BODY_MAX).await.map_err(|error| match error {
            http::BodyError::Broken(_) => self.away(&chain(&error)),
            http::BodyError::TooLong { .. } => Why::Unusable(error.to_string()),
        })?;
        if status == StatusCode::OK {
            return answer::read(&body).map_err(Why::from);
        }
        let said = format!("{status}: {}", answer::refusal(&body));
        if status.is_client_error() { Err(Why::Refused(said)) } else { Err(self.away(&said)) }
    }

    /// Readings of Prometheus stand beside those of others: the reason says whose it is.
    fn away(&self, what: &str) -> Why {
        let host = self.endpoint.host_str().unwrap_or_default();
        let port = self.endpoint.port_or_known_default().unwrap_or_default();
        Why::Unreachable(format!("Prometheus at {host}:{port}: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queries_are_exactly_these() {
        let metric = MetricName::parse("rtb_spaces_count").expect("a name");
        let ids = [InstanceId::new("i-a"), InstanceId::new("i-b")];
        assert_eq!(value(&metric, &ids), r#"rtb_spaces_count{instance_id=~"i-a|i-b"}"#);
        assert_eq!(age(&metric, &ids), r#"time() - timestamp(rtb_spaces_count{instance_id=~"i-a|i-b"})"#);
        assert_eq!(up(&ids), r#"up{instance_id=~"i-a|i-b"}"#);
    }

    #[test]
    fn an_id_that_would_match_others_is_not_asked_for() {
        let metric = MetricName::parse("m").expect("a name");
        let ids = [InstanceId::new("i-a"), InstanceId::new(".*"), InstanceId::new("i-\"}) or vector(0)")];
        assert_eq!(value(&metric, &ids), r#"m{instance_id=~"i-a"}"#);
    }
}
