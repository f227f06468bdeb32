//! A number that may not be known.
//!
//! Unknown is never zero: whoever reads a count has to say what happens when it could not be read.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many, or why nobody can say.
///
/// On the wire: `{"state":"known","count":50,"age_ms":1200}` or
/// `{"state":"unknown","why":"prometheus did not answer within 5 s"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Count {
    Known {
        count: u64,
        /// How old the reading was when the daemon wrote the view.
        age_ms: u64,
    },
    Unknown {
        /// One sentence.
        why: String,
    },
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known { count, .. } => write!(f, "{count}"),
            Self::Unknown { .. } => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_count_never_reads_as_a_number() {
        let unknown = Count::Unknown { why: "no sample".to_owned() };
        assert_eq!(unknown.to_string(), "unknown");
        assert_eq!(
            serde_json::to_string(&unknown).expect("serializes"),
            r#"{"state":"unknown","why":"no sample"}"#
        );
    }

    #[test]
    fn a_known_count_carries_its_age() {
        let known: Count =
            serde_json::from_str(r#"{"state":"known","count":0,"age_ms":900}"#).expect("parses");
        assert_eq!(known, Count::Known { count: 0, age_ms: 900 });
        assert!(serde_json::from_str::<Count>(r#"{"state":"known"}"#).is_err(), "no number, no count");
    }
}
