//! Short forms: counts with their nouns, a few names out of many, an ARN by its name.

use std::fmt::Display;

use segue_domain::ids::{ForwardArn, GroupArn};

/// More names than this are only counted.
const NAMES_MAX: usize = 5;

/// `1 instance`, `3 instances`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `i-1, i-2 and 7 more`; `none` for none.
pub(crate) fn some<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let shown = names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "none".to_owned(),
        n if n > NAMES_MAX => format!("{shown} and {} more", n - NAMES_MAX),
        _ => shown,
    }
}

/// The name inside a target group's ARN (`…:targetgroup/NAME/HASH`); what is no such ARN as it is.
pub(crate) fn group(arn: &GroupArn) -> &str {
    let resource = arn.as_str().rsplit(':').next().unwrap_or_default();
    resource.strip_prefix("targetgroup/").and_then(|rest| rest.split('/').next()).unwrap_or(arn.as_str())
}

/// ` at the load balancer boards-2`; nothing where it is all of them.
pub(crate) fn at_balancer(forward: Option<&ForwardArn>) -> String {
    forward.map_or_else(String::new, |it| format!(" at the load balancer {}", it.balancer()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_cut_and_counted() {
        assert_eq!(some(Vec::<u8>::new()), "none");
        assert_eq!(some([1, 2]), "1, 2");
        assert_eq!(some(1..=8), "1, 2, 3, 4, 5 and 3 more");
    }

    #[test]
    fn a_group_is_called_by_its_name() {
        let arn = GroupArn::new("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/boards-a/0123");
        assert_eq!(group(&arn), "boards-a");
        assert_eq!(group(&GroupArn::new("a")), "a");
    }
}
