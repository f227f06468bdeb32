//! Where something stands in a text: line and column, as an editor counts them.

use std::fmt;
use std::iter;

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    /// In characters, not bytes.
    pub column: usize,
}

/// A text's lines. A wrong path leads to a text with a mistake in each line, so no place is counted from the
/// text's beginning.
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// The first byte of each.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { text, starts: iter::once(0).chain(after_breaks).collect() }
    }

    /// The place of a byte of the text; the end of the text for a byte behind it.
    pub(crate) fn place(&self, byte: usize) -> Place {
        let begun = self.starts.partition_point(|start| *start <= byte);
        let start = begun.checked_sub(1).and_then(|last| self.starts.get(last)).copied().unwrap_or(0);
        let rest = self.text.get(start..).unwrap_or_default();
        let before = rest.char_indices().take_while(|(index, _)| start + index < byte).count();
        Place { line: begun, column: before + 1 }
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
        let lines = Lines::of("é = 1\nb = 2\n");
        assert_eq!(lines.place(0), Place { line: 1, column: 1 });
        assert_eq!(lines.place("é = ".len()), Place { line: 1, column: 5 });
        assert_eq!(lines.place("é = 1".len()), Place { line: 1, column: 6 });
        assert_eq!(lines.place("é = 1\n".len()), Place { line: 2, column: 1 });
        assert_eq!(lines.place(999), Place { line: 3, column: 1 });
        assert_eq!(Lines::of("").place(0), Place { line: 1, column: 1 });
    }
}
