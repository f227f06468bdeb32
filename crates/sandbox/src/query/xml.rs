//! The envelopes that both services put around their answers.
//!
//! EC2: `<ActionResponse xmlns requestId>…`, lists as `<xSet><item>`. ELBv2: `<ActionResponse><ActionResult>…`,
//! lists as `<X><member>`. Errors have a form of their own in each.

use quick_xml::escape::escape;
use quick_xml::se::to_string_with_root;
use serde::Serialize;

const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const ELB_NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// A list as EC2 writes it.
#[derive(Debug, Serialize)]
pub(crate) struct Set<T> {
    item: Vec<T>,
}

impl<T> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self { item: items.into_iter().collect() }
    }
}

/// A list as ELBv2 writes it.
#[derive(Debug, Serialize)]
pub(crate) struct Members<T> {
    member: Vec<T>,
}

impl<T> FromIterator<T> for Members<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self { member: items.into_iter().collect() }
    }
}

/// What the envelope of an answer says of its call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) action: &'a str,
    /// The call's id.
    pub(crate) request: &'a str,
}

impl Call<'_> {
    /// Writes an EC2 answer: the body's fields stand beside the request's id.
    pub(crate) fn ec2(&self, body: impl Serialize) -> String {
        let root = format!("{}Response", self.action);
        let inner = fields(&root, &body);
        let id = escape(self.request);
        format!("{DECLARATION}<{root} xmlns=\"{EC2_NAMESPACE}\"><requestId>{id}</requestId>{inner}</{root}>")
    }

    /// Writes an ELBv2 answer: the body's fields stand in the result.
    pub(crate) fn elb(&self, body: impl Serialize) -> String {
        let action = self.action;
        let inner = fields("x", &body);
        let id = escape(self.request);
        format!(
            "<{action}Response xmlns=\"{ELB_NAMESPACE}\"><{action}Result>{inner}</{action}Result>\
             <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
        )
    }
}

/// Writes an EC2 error.
pub(crate) fn ec2_error(code: &str, message: &str, request: &str) -> String {
    let (code, message, request) = (escape(code), escape(message), escape(request));
    format!(
        "{DECLARATION}<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>\
         </Errors><RequestID>{request}</RequestID></Response>"
    )
}

/// Writes an ELBv2 error. The caller is always the one at fault here.
pub(crate) fn elb_error(code: &str, message: &str, request: &str) -> String {
    let (code, message, request) = (escape(code), escape(message), escape(request));
    format!(
        "<ErrorResponse xmlns=\"{ELB_NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
    )
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The elements of a struct's fields, without an element around them.
fn fields(root: &str, body: &impl Serialize) -> String {
    let whole = to_string_with_root(root, body).expect("answers are plain structs, lists and texts");
    let opened = whole.strip_prefix(&format!("<{root}>"));
    opened.and_then(|rest| rest.strip_suffix(&format!("</{root}>"))).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        name_set: Set<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_token: Option<String>,
    }

    #[test]
    fn fields_are_escaped_and_stand_beside_the_request_id() {
        let body = Body { name_set: ["a<b".to_owned()].into_iter().collect(), next_token: None };
        let xml = Call { action: "Describe", request: "r-1" }.ec2(body);
        assert!(
            xml.ends_with(
                "<requestId>r-1</requestId><nameSet><item>a&lt;b</item></nameSet></DescribeResponse>"
            ),
            "{xml}"
        );
    }

    #[test]
    fn an_empty_body_gives_an_empty_result() {
        #[derive(Serialize)]
        struct Nothing {}
        let xml = Call { action: "RegisterTargets", request: "r-1" }.elb(Nothing {});
        assert!(xml.contains("<RegisterTargetsResult></RegisterTargetsResult>"), "{xml}");
    }
}
