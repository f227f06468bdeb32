//! The live picture: steps, what is waited for, boards per fleet, and how the users are.

use console::Term;
use segue_api::ReleaseView;
use segue_sandbox::users::Live;

use crate::{output, text};

/// A terminal sees one picture that changes; a pipe gets a line for each change.
#[derive(Debug)]
pub(super) struct Screen {
    term: Term,
    lines: usize,
    told: String,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { term: Term::stderr(), lines: 0, told: String::new() }
    }

    pub(super) fn draw(&mut self, release: &ReleaseView, live: &Live) {
        if !self.term.is_term() {
            let line = text::now(release);
            if line != self.told {
                output::say(&line);
                self.told = line;
            }
            return;
        }
        let p99 = live.p99_ms.map(|ms| format!(", p99 {ms:.1} ms")).unwrap_or_default();
        let picture = format!(
            "{}  users: {} on {} boards, {:.0} edits/s{p99}\n",
            text::release(release),
            live.clients,
            live.boards,
            live.edits_per_s
        );
        // A terminal that is gone is no reason to stop.
        let _gone = self.term.clear_last_lines(self.lines).and_then(|()| self.term.write_str(&picture));
        self.lines = picture.lines().count();
    }

    /// Leaves the picture where it is: the next one begins below.
    pub(super) fn leave(&mut self) {
        self.lines = 0;
        self.told.clear();
    }
}
