//! EC2's paging: `MaxResults` and an opaque `NextToken`.
//!
//! The token is the place after which to go on, in the order of launches. AWS promises no more than that the
//! token is opaque.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::params::Params;
use crate::world::Ec2Refusal;

/// What a page holds when the call does not say.
const PAGE_MAX: usize = 1000;
/// The least that a call may ask for.
const PAGE_MIN: usize = 5;

/// Which page a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Whether the call named a size.
    pub(crate) size: Option<usize>,
    /// The last place of the page before.
    after: Option<u64>,
}

/// Reads `MaxResults` and `NextToken`.
pub(crate) fn read(params: &mut Params) -> Result<Page, Ec2Refusal> {
    read_sized(params, PAGE_MIN..=PAGE_MAX)
}

/// The same, for calls with other sizes.
pub(crate) fn read_sized(params: &mut Params, sizes: RangeInclusive<usize>) -> Result<Page, Ec2Refusal> {
    let size: Option<usize> = params.parsed("MaxResults")?;
    if let Some(n) = size
        && !sizes.contains(&n)
    {
        let (least, most) = sizes.into_inner();
        let text = format!(
            "Value ( {n} ) for parameter maxResults is invalid. Expecting a value between {least} and {most}."
        );
        return Err(Ec2Refusal::InvalidParameterValue(text));
    }
    let after = match params.take("NextToken").filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(decode(&token).ok_or_else(|| {
            Ec2Refusal::InvalidParameterValue("Unable to parse pagination token".to_owned())
        })?),
    };
    Ok(Page { size, after })
}

impl Page {
    /// The things of this page, and the token of the next when there is one.
    pub(crate) fn cut<T>(
        self,
        things: impl Iterator<Item = T>,
        place: impl Fn(&T) -> u64,
    ) -> (Vec<T>, Option<String>) {
        let size = self.size.unwrap_or(PAGE_MAX);
        let mut left = things.filter(|thing| self.after.is_none_or(|after| place(thing) > after));
        let page: Vec<T> = left.by_ref().take(size).collect();
        let last = page.last().map(&place);
        let next = left.next().and(last).map(encode);
        (page, next)
    }
}

fn encode(place: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("after:{place}"))
}

fn decode(token: &str) -> Option<u64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("after:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let mut params = Params::parse(format!("MaxResults=5&NextToken={token}").as_bytes());
            let (page, next) = read(&mut params).expect("a legal page").cut(0..12_u64, |n| *n);
            seen.extend(page);
            match next {
                Some(next) => token = next,
                None => break,
            }
        }
        assert_eq!(seen, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn sizes_and_tokens_that_aws_refuses_are_refused() {
        for form in ["MaxResults=4", "MaxResults=1001", "NextToken=junk"] {
            assert!(read(&mut Params::parse(form.as_bytes())).is_err(), "{form}");
        }
    }
}
