//! One table of the document, read key by key.
//!
//! Each read says what it wants as a [`Shape`] and gets the value, or `None` after the mistake was noted; so
//! a whole file is read in one pass and every mistake is found. What was never asked for is an unknown key.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::shape::{self, Shape};

/// How different a key may be from a known one to be taken for it (Jaro-Winkler, 1 is the same).
const LIKENESS_MIN: f64 = 0.75;

/// A table, and which of its keys were asked for.
pub(crate) struct Table<'d> {
    document: &'d Document<'d>,
    path: String,
    span: Range<usize>,
    entries: &'d DeTable<'d>,
    known: Vec<&'static str>,
}

/// It is wrong, and the mistake was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted;

/// A value with its place, for rules that look at several values.
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
}

impl<'d> Table<'d> {
    pub(crate) fn new(
        document: &'d Document<'d>,
        path: String,
        span: Range<usize>,
        entries: &'d DeTable<'d>,
    ) -> Self {
        Self { document, path, span, entries, known: Vec::new() }
    }

    /// A value that must be there.
    pub(crate) fn required<T>(&mut self, key: &'static str, shape: &Shape<T>) -> Option<T> {
        self.required_at(key, shape).map(|placed| placed.value)
    }

    /// A value that must be there, with its place.
    pub(crate) fn required_at<T>(&mut self, key: &'static str, shape: &Shape<T>) -> Option<Placed<T>> {
        let Some(value) = self.take(key) else {
            self.missing(key, &format!("add `{key} = {}`{}", shape.example, self.under()));
            return None;
        };
        self.shaped(self.key(key), value, shape)
    }

    /// A value that may be left out; an error when it is wrong.
    pub(crate) fn optional<T>(&mut self, key: &'static str, shape: &Shape<T>) -> Result<Option<T>, Noted> {
        let Some(value) = self.take(key) else { return Ok(None) };
        self.shaped(self.key(key), value, shape).map(|placed| Some(placed.value)).ok_or(Noted)
    }

    /// A value, or what is used unless it is set.
    pub(crate) fn or<T>(&mut self, key: &'static str, default: T, shape: &Shape<T>) -> Option<T> {
        self.optional(key, shape).ok().map(|value| value.unwrap_or(default))
    }

    /// A list that must be there, its items with their places; `None` when one is wrong.
    pub(crate) fn list<T>(&mut self, key: &'static str, shape: &Shape<T>) -> Option<Vec<Placed<T>>> {
        if !self.entries.contains_key(key) {
            self.known.push(key);
            self.missing(key, &format!("add `{key} = [{}]`{}", shape.example, self.under()));
            return None;
        }
        self.list_or_empty(key, shape)
    }

    /// A list that is empty when it was left out.
    pub(crate) fn list_or_empty<T>(&mut self, key: &'static str, shape: &Shape<T>) -> Option<Vec<Placed<T>>> {
        let Some(value) = self.take(key) else { return Some(Vec::new()) };
        let Some(items) = value.get_ref().as_array() else {
            let hint = format!("write it as [{}]", shape.example);
            self.document.report(&value.span(), self.key(key), wrong_type(value, "a list"), hint);
            return None;
        };
        let name = self.key(key);
        let read = items.iter().enumerate();
        let read: Vec<_> =
            read.map(|(index, item)| self.shaped(format!("{name}[{index}]"), item, shape)).collect();
        read.into_iter().collect()
    }

    /// Every pair of a table of texts, such as tags.
    pub(crate) fn texts(mut self) -> Option<Vec<(String, String)>> {
        let shape = shape::text("a text", "\"boards\"");
        let mut pairs = Vec::new();
        let mut all_read = true;
        for (key, value) in self.entries {
            let name = self.key(key.get_ref());
            match self.shaped(name, value, &shape) {
                Some(placed) => pairs.push((key.get_ref().to_string(), placed.value)),
                None => all_read = false,
            }
        }
        self.known.clear();
        all_read.then_some(pairs)
    }

    /// A table; an empty one when it was left out, so that what is required in it is reported.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Self> {
        if self.has(key) {
            return self.table_if_any(key);
        }
        self.known.push(key);
        Some(Self::new(self.document, self.key(key), self.span.clone(), self.document.empty()))
    }

    /// A table that may be left out as a whole.
    pub(crate) fn table_if_any(&mut self, key: &'static str) -> Option<Self> {
        let value = self.take(key)?;
        let Some(entries) = value.get_ref().as_table() else {
            let path = self.key(key);
            let hint = format!("begin it with a line `{}`", header(&path));
            self.document.report(&value.span(), path, wrong_type(value, "a table"), hint);
            return None;
        };
        Some(Self::new(self.document, self.key(key), value.span(), entries))
    }

    /// An array of tables: `[[service]]`.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let path = self.key(key);
        let hint = format!("begin each with a line `[{}]`", header(&path));
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.document.report(&value.span(), path, wrong_type(value, "a list of tables"), hint);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match item.get_ref().as_table() {
                Some(entries) => tables.push(Self::new(self.document, path, item.span(), entries)),
                None => self.document.report(&item.span(), path, wrong_type(item, "a table"), hint.clone()),
            }
        }
        tables
    }

    /// Notes a mistake of the table as a whole.
    pub(crate) fn report(&self, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        let span = self.entries.get_key_value(key).map_or(self.span.clone(), |(_, value)| value.span());
        self.document.report(&span, self.key(key), what.into(), hint.into());
    }

    /// Notes a mistake of a value that reads well and is still wrong.
    pub(crate) fn report_at<T>(&self, at: &Placed<T>, what: impl Into<String>, hint: impl Into<String>) {
        self.document.report(&at.span, at.key.clone(), what.into(), hint.into());
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether it is there, and written as a list.
    pub(crate) fn is_list(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|value| value.get_ref().as_array().is_some())
    }

    /// Whether a list was left out, or is there and empty.
    pub(crate) fn lists_nothing(&self, key: &str) -> bool {
        self.entries
            .get(key)
            .is_none_or(|value| value.get_ref().as_array().is_some_and(|items| items.is_empty()))
    }

    /// Notes every key that nobody asked for.
    pub(crate) fn done(self) {
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            self.document.report(
                &key.span(),
                self.key(name),
                "no such key".to_owned(),
                self.hint_for_unknown(name),
            );
        }
    }

    fn hint_for_unknown(&self, name: &str) -> String {
        let alike = |known: &&'static str| (strsim::jaro_winkler(name, known), *known);
        let nearest = self.known.iter().map(alike).max_by(|(a, _), (b, _)| a.total_cmp(b));
        match nearest {
            Some((likeness, known)) if likeness >= LIKENESS_MIN => format!("did you mean `{known}`?"),
            Some(_) | None if self.known.is_empty() => "remove it".to_owned(),
            Some(_) | None => format!("remove it; known here: {}", self.known.join(", ")),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.push(key);
        self.entries.get(key)
    }

    fn missing(&self, key: &'static str, hint: &str) {
        self.document.report(&self.span, self.key(key), "it is missing".to_owned(), hint.to_owned());
    }

    fn shaped<T>(&self, key: String, value: &Spanned<DeValue<'_>>, shape: &Shape<T>) -> Option<Placed<T>> {
        if let Some(read) = (shape.read)(value.get_ref()) {
            return Some(Placed { value: read, key, span: value.span() });
        }
        let hint = format!("write {}, for example {}", shape.what, shape.example);
        self.document.report(&value.span(), key, wrong_type(value, &shape.what), hint);
        None
    }

    fn under(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" under `{}`", header(&self.path)) }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn wrong_type(value: &Spanned<DeValue<'_>>, wanted: &str) -> String {
    format!("{} is not {wanted}", shape::shown(value.get_ref()))
}

/// A key path as the header of its table, without the places in lists: `[service.canary]`, `[[service]]`.
fn header(path: &str) -> String {
    let names = path.split('.').map(|name| name.split('[').next().unwrap_or(name));
    let names = names.collect::<Vec<_>>().join(".");
    if path.ends_with(']') { format!("[[{names}]]") } else { format!("[{names}]") }
}
