//! A call's parameters, read by name and used up: what nobody has read at the end is refused, so that the
//! sandbox never ignores what a client meant.

use std::collections::{BTreeMap, BTreeSet};

/// Entries of one list in a call; AWS allows a thousand ids.
const LIST_MAX: usize = 1000;

/// The parameters of a call, or of one entry in a list of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params {
    /// What stands before the names, for messages.
    prefix: String,
    values: BTreeMap<String, String>,
}

/// Why parameters cannot be read; each service words it in its own way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParamError {
    #[error("The request must contain the parameter {0}")]
    Missing(String),
    #[error("Invalid value '{value}' for parameter {name}")]
    Malformed { name: String, value: String },
    #[error("The list {name} has more than {LIST_MAX} entries")]
    TooMany { name: String },
    #[error("The parameter {0} is not recognized")]
    Unknown(String),
}

impl Params {
    /// Reads a form. A name that comes twice has its last value.
    pub(crate) fn parse(form: &[u8]) -> Self {
        let values = url::form_urlencoded::parse(form).into_owned().collect();
        Self { prefix: String::new(), values }
    }

    /// Uses up one parameter.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    /// One parameter, which is not used up.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// How many entries there are of `NAME.1`, `NAME.2`, …; nothing is used up.
    pub(crate) fn entries(&self, name: &str) -> u32 {
        let is_entry = |key: &&String| {
            let rest = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
            rest.and_then(index_of).is_some()
        };
        u32::try_from(self.values.keys().filter(is_entry).count()).unwrap_or(u32::MAX)
    }

    /// Whether there is anything under `NAME.1.`; nothing is used up.
    pub(crate) fn has_list(&self, name: &str) -> bool {
        let start = format!("{name}.1.");
        self.values.keys().any(|key| key.starts_with(&start))
    }

    /// Uses up one parameter that must be there.
    pub(crate) fn need(&mut self, name: &str) -> Result<String, ParamError> {
        self.take(name).ok_or_else(|| ParamError::Missing(format!("{}{name}", self.prefix)))
    }

    /// Uses up one parameter that has another form than text.
    pub(crate) fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, ParamError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(_) => Err(ParamError::Malformed { name: format!("{}{name}", self.prefix), value }),
        }
    }

    /// Uses up `NAME.1`, `NAME.2`, … in order of their numbers.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<String>, ParamError> {
        let entries = self.groups(name)?;
        entries
            .into_iter()
            .map(|mut entry| {
                let value = entry.need("")?;
                entry.finish()?;
                Ok(value)
            })
            .collect()
    }

    /// Uses up everything under `NAME.1.`, `NAME.2.`, … in order of their numbers.
    pub(crate) fn groups(&mut self, name: &str) -> Result<Vec<Self>, ParamError> {
        let start = format!("{name}.");
        let within = |key: &String| key.strip_prefix(&start).and_then(index_of).is_some();
        let keys: Vec<_> = self.values.keys().filter(|key| within(key)).cloned().collect();
        let mut groups: BTreeMap<u32, Self> = BTreeMap::new();
        for key in keys {
            let Some((index, rest)) = key.strip_prefix(&start).and_then(index_of) else { continue };
            let Some(value) = self.values.remove(&key) else { continue };
            let prefix = format!("{}{start}{index}.", self.prefix);
            let group = groups.entry(index).or_insert_with(|| Self { prefix, ..Self::default() });
            group.values.insert(rest.to_owned(), value);
        }
        if groups.len() > LIST_MAX {
            return Err(ParamError::TooMany { name: name.to_owned() });
        }
        Ok(groups.into_values().collect())
    }

    /// Uses up everything under `NAME.`; none when there is nothing.
    pub(crate) fn nested(&mut self, name: &str) -> Option<Self> {
        let start = format!("{name}.");
        let keys: Vec<_> = self.values.keys().filter(|key| key.starts_with(&start)).cloned().collect();
        let mut nested = Self { prefix: format!("{}{start}", self.prefix), ..Self::default() };
        for key in keys {
            if let (Some(rest), Some(value)) = (key.strip_prefix(&start), self.values.remove(&key)) {
                nested.values.insert(rest.to_owned(), value);
            }
        }
        (!nested.values.is_empty()).then_some(nested)
    }

    /// Refuses what nobody has read.
    pub(crate) fn finish(self) -> Result<(), ParamError> {
        let names: BTreeSet<_> = self.values.into_keys().collect();
        match names.first() {
            None => Ok(()),
            Some(name) => Err(ParamError::Unknown(format!("{}{name}", self.prefix))),
        }
    }
}

/// The number that a name begins with, and what follows it and its dot.
fn index_of(rest: &str) -> Option<(u32, &str)> {
    let (index, rest) = rest.split_once('.').unwrap_or((rest, ""));
    Some((index.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_in_order_of_their_numbers() {
        let mut params = Params::parse(b"Id.10=c&Id.2=b&Id.1=a&Other=x");
        assert_eq!(params.list("Id"), Ok(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(params.finish(), Err(ParamError::Unknown("Other".into())));
    }

    #[test]
    fn nested_lists_keep_their_full_name_in_messages() {
        let mut params = Params::parse(b"Filter.1.Name=state&Filter.1.Value.1=on&Filter.1.Odd=1");
        let mut filter = params.groups("Filter").expect("one filter").remove(0);
        assert_eq!(filter.need("Name"), Ok("state".into()));
        assert_eq!(filter.list("Value"), Ok(vec!["on".into()]));
        assert_eq!(filter.finish(), Err(ParamError::Unknown("Filter.1.Odd".into())));
        assert_eq!(params.finish(), Ok(()));
    }

    #[test]
    fn a_list_is_not_mistaken_for_another_with_a_longer_name() {
        let mut params = Params::parse(b"Tag.1.Key=k&TagX.1=v");
        assert_eq!(params.groups("Tag").expect("one tag").len(), 1);
        assert_eq!(params.list("TagX"), Ok(vec!["v".into()]));
    }

    #[test]
    fn malformed_numbers_are_named() {
        let mut params = Params::parse(b"MinCount=many");
        let expected = ParamError::Malformed { name: "MinCount".into(), value: "many".into() };
        assert_eq!(params.parsed::<u32>("MinCount"), Err(expected));
    }
}
