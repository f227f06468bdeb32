//! A TOML text together with what was found wrong in it so far.
//!
//! It is walked with the places of all keys and values at hand. A deserializer would stop at the first wrong
//! value; whoever mends a file wants to know all of them.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::mistake::{Mistake, Mistakes};
use super::place::Lines;
use super::table::Table;

/// One parsed file.
pub(crate) struct Document<'t> {
    name: &'t str,
    lines: Lines<'t>,
    root: Spanned<DeTable<'t>>,
    /// What a section that was left out is read as.
    empty: DeTable<'t>,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'t> Document<'t> {
    /// Text that is not TOML is a document too: one with mistakes.
    pub(crate) fn parse(name: &'t str, text: &'t str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let (empty, mistakes) = (DeTable::new(), RefCell::new(Vec::new()));
        let document = Self { name, lines: Lines::of(text), root, empty, mistakes };
        for error in errors {
            document.report(
                &error.span().unwrap_or(0..0),
                String::new(),
                error.message().trim().to_owned(),
                "the file is not TOML here; see https://toml.io/en/v1.0.0".to_owned(),
            );
        }
        document
    }

    pub(crate) fn root(&self) -> Table<'_> {
        Table::new(self, String::new(), self.root.span(), self.root.get_ref())
    }

    pub(crate) fn empty(&self) -> &DeTable<'t> {
        &self.empty
    }

    pub(crate) fn report(&self, span: &Range<usize>, key: String, what: String, hint: String) {
        let place = Some(self.lines.place(span.start));
        self.mistakes.borrow_mut().push(Mistake { place, key, what, hint });
    }

    /// What was found, once everything was read.
    pub(crate) fn finish(&self) -> Result<(), Mistakes> {
        match Mistakes::new(self.name, self.mistakes.take()) {
            Some(mistakes) => Err(mistakes),
            None => Ok(()),
        }
    }
}
