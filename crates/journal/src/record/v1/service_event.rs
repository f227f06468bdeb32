//! What happened in a service.

use std::collections::BTreeMap;

use segue_domain::{adoption, event};

use super::decision::Verdict;
use super::effect::Outcome;
use super::mirror::{mirror_enum, mirror_struct, mirror_words};
use super::plan::Kind;

#[cfg(test)]
pub(super) const VOCABULARY: [(&str, &[&str]); 1] = [("known_by", KnownBy::WORDS)];

mirror_enum! {
    ServiceEvent ("event") mirrors event::ServiceEvent {
        "began" Began {
            release: String,
            kind: Kind,
            version: String,
            from_version: String,
            request: Option<RequestKey>,
        } = (event::ServiceEvent::Began { release, kind, version, from_version, request }),
        "finished" Finished { release: String, end: Verdict }
            = (event::ServiceEvent::Finished { release, verdict: end }),
        "adoption_began" AdoptionBegan { number: u64, servers: BTreeMap<String, Taken>, digest: String }
            = (event::ServiceEvent::AdoptionBegan { number, servers, digest }),
        "adoption_ended" AdoptionEnded { number: u64, end: Outcome }
            = (event::ServiceEvent::AdoptionEnded { number, outcome: end }),
    }
}

mirror_struct! {
    Taken mirrors event::Taken {
        version: String,
        known_by: KnownBy,
    }
}

mirror_words! {
    KnownBy mirrors adoption::KnownBy {
        "image" Image,
        "application" Application,
        "tag" Tag,
        "asked" Asked,
    }
}

mirror_struct! {
    RequestKey mirrors event::RequestKey {
        key: String,
        digest: String,
    }
}
