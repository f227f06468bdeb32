//! What is wrong with a configuration: every mistake at once, each with its place and how to mend it.

use std::fmt;

use super::place::Place;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Absent where it is the reader's own defect, not the file's.
    pub place: Option<Place>,
    /// The full key: `service[0].canary.bake`; empty for the file as a whole.
    pub key: String,
    /// One lower-case sentence.
    pub what: String,
    /// How to mend it.
    pub hint: String,
}

/// All that is wrong with one file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    file: String,
    all: Vec<Mistake>,
}

impl Mistakes {
    /// `None` when nothing is wrong.
    pub(crate) fn new(file: &str, mut all: Vec<Mistake>) -> Option<Self> {
        all.sort_by_key(|mistake| mistake.place);
        (!all.is_empty()).then(|| Self { file: file.to_owned(), all })
    }

    /// A file that was refused without a mistake being noted: the reader's own defect, said as such.
    pub(crate) fn unexplained(file: &str) -> Self {
        let mistake = Mistake {
            place: None,
            key: String::new(),
            what: "a value was refused and nobody noted why".to_owned(),
            hint: "this is a defect of segue: report it together with the file".to_owned(),
        };
        Self { file: file.to_owned(), all: vec![mistake] }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.all.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.all.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} has {} {noun}", self.file, self.all.len())?;
        for mistake in &self.all {
            write!(f, "\n\n{}", self.file)?;
            if let Some(place) = mistake.place {
                write!(f, ":{place}")?;
            }
            if !mistake.key.is_empty() {
                write!(f, ": {}", mistake.key)?;
            }
            write!(f, ": {}\n  hint: {}", mistake.what, mistake.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
