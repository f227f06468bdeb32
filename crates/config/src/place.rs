//! Where something stands in a text: line and column, as an editor counts them.

use std::fmt;

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    /// In characters, not bytes.
    pub column: usize,
}

impl Place {
    /// The place of a byte of `text`; the end of the text for a byte behind it.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before: String =
            text.char_indices().take_while(|(index, _)| *index < byte).map(|(_, c)| c).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        Self { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_from_one() {
        let text = "é = 1\nb = 2\n";
        assert_eq!(Place::of(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of(text, "é = ".len()), Place { line: 1, column: 5 });
        assert_eq!(Place::of(text, "é = 1\n".len()), Place { line: 2, column: 1 });
        assert_eq!(Place::of(text, 999), Place { line: 3, column: 1 });
    }
}
