//! The two query forms that are answered, and nothing else.
//!
//! `METRIC{instance_id=~"i-a|i-b"}` and `time() - timestamp(METRIC{instance_id=~"i-a|i-b"})`. Nothing is aggregated,
//! so that two series of one instance are seen as two. Spaces may stand where PromQL allows them. The pattern is a
//! list of plain ids: a real regular expression is refused.

use std::collections::BTreeSet;

use super::exposition::is_name;
use crate::names::InstanceId;

/// One question about one metric of some instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) asks: Asks,
    pub(super) metric: String,
    pub(super) instances: BTreeSet<InstanceId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// The value itself.
    Value,
    /// How many seconds before the evaluation it was scraped.
    Age,
}

/// Reads a query; none when it is not one of the forms.
pub(super) fn parse(text: &str) -> Option<Query> {
    let rest = Rest(text);
    let (asks, rest) = match rest.call("time").and_then(|rest| rest.token(")")) {
        Some(rest) => (Asks::Age, rest.token("-")?.call("timestamp")?),
        None => (Asks::Value, rest),
    };
    let (metric, instances, rest) = selector(rest)?;
    match asks {
        Asks::Age => rest.token(")")?.end()?,
        Asks::Value => rest.end()?,
    }
    Some(Query { asks, metric, instances })
}

fn selector(rest: Rest<'_>) -> Option<(String, BTreeSet<InstanceId>, Rest<'_>)> {
    let text = rest.0.trim_start();
    let (name, after) = text.split_at_checked(text.find(|c: char| !is_name(c))?)?;
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = Rest(after).token("{")?.token("instance_id")?.token("=~")?.token("\"")?;
    let (pattern, after) = rest.0.split_once('"')?;
    let plain = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let ids: Vec<_> = pattern.split('|').collect();
    if !ids.iter().all(|id| plain(id)) {
        return None;
    }
    let instances = ids.into_iter().map(InstanceId::from).collect();
    Some((name.to_owned(), instances, Rest(after).token("}")?))
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// The rest after `token`, with spaces before it left out.
    fn token(self, token: &str) -> Option<Rest<'a>> {
        self.0.trim_start().strip_prefix(token).map(Rest)
    }

    /// The rest after the name of a function and the parenthesis that opens its arguments.
    fn call(self, name: &str) -> Option<Rest<'a>> {
        self.token(name)?.token("(")
    }

    fn end(self) -> Option<()> {
        self.0.trim().is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &[&str]) -> BTreeSet<InstanceId> {
        list.iter().map(|id| InstanceId::from(*id)).collect()
    }

    #[test]
    fn both_forms_are_read() {
        let value = parse(r#"rtb_spaces_count{instance_id=~"i-a|i-b"}"#);
        let expected =
            Query { asks: Asks::Value, metric: "rtb_spaces_count".into(), instances: ids(&["i-a", "i-b"]) };
        assert_eq!(value, Some(expected));
        let age = parse(r#"time() - timestamp(app_clients{ instance_id =~ "i-a" })"#);
        let expected = Query { asks: Asks::Age, metric: "app_clients".into(), instances: ids(&["i-a"]) };
        assert_eq!(age, Some(expected));
    }

    #[test]
    fn everything_else_is_refused() {
        let others = [
            "",
            "up",
            r#"sum(rtb_spaces_count{instance_id=~"i-a"})"#,
            r#"max by (instance_id) (boards{instance_id=~"i-a"})"#,
            r#"boards{instance_id=~"i-.*"}"#,
            r#"boards{instance_id="i-a"}"#,
            r#"boards{instance_id=~"i-a"} or vector(0)"#,
            r#"boards{instance_id=~"i-a",job="x"}"#,
            r#"boards{instance_id=~""}"#,
            r#"9lives{instance_id=~"i-a"}"#,
            r#"timestamp(boards{instance_id=~"i-a"})"#,
            r#"time() - boards{instance_id=~"i-a"}"#,
            r#"time() - timestamp(boards{instance_id=~"i-a"}"#,
        ];
        for other in others {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
