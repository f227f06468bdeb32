//! What happened in a service.

use segue_domain::event;

use super::decision::Verdict;
use super::mirror::{mirror_enum, mirror_struct};
use super::plan::Kind;

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
    }
}

mirror_struct! {
    RequestKey mirrors event::RequestKey {
        key: String,
        digest: String,
    }
}
