//! EC2's filters: a name and values, of which one must match; all filters must match.
//!
//! `*` and `?` in a value are wildcards. A name that the sandbox does not know is refused.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>

use super::params::{ParamError, Params};
use crate::world::{Ec2Refusal, Tags};

/// One filter of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    name: String,
    values: Vec<String>,
}

/// Something that filters can be asked about.
pub(crate) trait Filtered {
    /// The values that a filter of this name looks at; none when there is no such filter.
    fn values(&self, name: &str) -> Option<Vec<String>>;

    fn tags(&self) -> &Tags;
}

/// Reads `Filter.N.Name` and `Filter.N.Value.M`.
pub(crate) fn read(params: &mut Params) -> Result<Vec<Filter>, ParamError> {
    let mut filters = Vec::new();
    for mut group in params.groups("Filter")? {
        let (name, values) = (group.need("Name")?, group.list("Value")?);
        group.finish()?;
        filters.push(Filter { name, values });
    }
    Ok(filters)
}

/// Whether every filter matches; a filter that is not known refuses the call.
pub(crate) fn matches(filters: &[Filter], thing: &impl Filtered) -> Result<bool, Ec2Refusal> {
    for filter in filters {
        let found = values_of(&filter.name, thing);
        let found = found.ok_or_else(|| {
            Ec2Refusal::InvalidParameterValue(format!("The filter '{}' is invalid", filter.name))
        })?;
        if !filter.values.iter().any(|pattern| found.iter().any(|value| wildcard(pattern, value))) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn values_of(name: &str, thing: &impl Filtered) -> Option<Vec<String>> {
    if let Some(key) = name.strip_prefix("tag:") {
        return Some(thing.tags().get(key).cloned().into_iter().collect());
    }
    match name {
        "tag-key" => Some(thing.tags().keys().cloned().collect()),
        "tag-value" => Some(thing.tags().values().cloned().collect()),
        other => thing.values(other),
    }
}

/// Whether `value` is what the pattern says; `\` takes the next character as it is.
fn wildcard(pattern: &str, value: &str) -> bool {
    let (pattern, value): (Vec<char>, Vec<char>) = (pattern.chars().collect(), value.chars().collect());
    glob(&pattern, &value)
}

/// Backtracks to the last star only, so a hostile pattern costs at most length times length.
fn glob(pattern: &[char], value: &[char]) -> bool {
    let (mut p, mut v) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while v < value.len() {
        let (literal, step) = match pattern.get(p) {
            Some('\\') if p + 1 < pattern.len() => (pattern.get(p + 1), 2),
            other => (other, 1),
        };
        match literal {
            Some('*') if step == 1 => {
                star = Some((p, v));
                p += 1;
            }
            Some(c) if (*c == '?' && step == 1) || value.get(v) == Some(c) => {
                p += step;
                v += 1;
            }
            Some(_) | None => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    v = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_aws_says() {
        for (pattern, value) in
            [("a", "a"), ("*", ""), ("a*c", "abbbc"), ("?b", "ab"), (r"\*", "*"), ("*b*d", "abcbd")]
        {
            assert!(wildcard(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [("a", "A"), ("a", "ab"), ("?", ""), (r"\*", "x"), ("a*c", "abcd")] {
            assert!(!wildcard(pattern, value), "{pattern} {value}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = "*a".repeat(200);
        assert!(!wildcard(&pattern, &"a".repeat(199)));
    }
}
