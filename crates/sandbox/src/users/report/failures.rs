//! Which promises a report shows as broken, one sentence each.

use super::{Report, Verdict};

/// A stall below this is nobody's concern, in milliseconds.
const STALL_MS: f64 = 50.0;

/// How much more than the control a stall may be.
const TIMES_CONTROL: f64 = 3.0;

impl Report {
    /// Nothing when every promise was kept. What is not known counts as broken.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let mut broken = |is_broken: bool, sentence: String| {
            if is_broken {
                failures.push(sentence);
            }
        };
        let verdict = self.verdict;
        broken(verdict != Verdict::Released, format!("the release ended {verdict}"));
        if let Some(canary) = self.canary {
            broken(canary.verdict != Verdict::Passed, format!("the canary ended {}", canary.verdict));
        }
        let (edits, clients, boards) = (&self.edits, &self.clients, &self.boards);
        broken(edits.sent == 0, "nobody edited anything".to_owned());
        broken(edits.lost > 0, format!("{} edits were lost", edits.lost));
        broken(edits.duplicated > 0, format!("{} edits were doubled", edits.duplicated));
        broken(edits.out_of_order > 0, format!("the order is broken at {} places", edits.out_of_order));
        broken(
            clients.reconnects_forced > 0,
            format!("{} reconnects were forced", clients.reconnects_forced),
        );
        let without_ms = clients.without_socket_ms_max;
        broken(without_ms > 0.0, format!("somebody was without a socket for {without_ms} ms"));
        let (moved, alive) = (boards.moved, boards.alive_on_blue_at_close);
        broken(moved != alive, format!("{moved} boards were moved of {alive} that were to be"));
        broken(boards.failed > 0, format!("{} boards could not be moved", boards.failed));
        broken(self.instances.orphaned > 0, format!("{} instances are nobody's", self.instances.orphaned));
        failures.extend(self.stall_failure());
        failures.extend(self.pace_failure());
        failures
    }

    /// Nothing was moved → nothing could stall, and `moved` tells whether that is right.
    fn stall_failure(&self) -> Option<String> {
        let Some(stall) = self.stall_ms.p99 else {
            return (self.boards.moved > 0).then(|| "how long edits stalled is not known".to_owned());
        };
        let limit = self.control_stall_ms.p99.map_or(STALL_MS, |p99| STALL_MS.max(TIMES_CONTROL * p99));
        (stall > limit).then(|| format!("edits stalled for {stall} ms (p99), the limit is {limit:.1} ms"))
    }

    /// A tenth of a second's limit is all that may be admitted within a tenth of a second.
    fn pace_failure(&self) -> Option<String> {
        let pace = &self.attach_rate;
        let limit = pace.limit_per_s.div_ceil(10);
        let peak = pace.peak_in_100ms;
        (peak > limit).then(|| format!("{peak} attaches were admitted within 100 ms, the limit is {limit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::report::good;

    #[test]
    fn a_report_of_kept_promises_has_no_failures() {
        assert_eq!(good().failures(), Vec::<String>::new());
    }

    type Break = fn(&mut Report);

    #[test]
    fn every_broken_promise_is_one_sentence() {
        let breaks: [(&str, Break); 13] = [
            ("the release ended rolled back", |report| report.verdict = Verdict::RolledBack),
            ("the canary ended held", |report| {
                report.canary.iter_mut().for_each(|canary| canary.verdict = Verdict::Held);
            }),
            ("nobody edited anything", |report| report.edits.sent = 0),
            ("1 edits were lost", |report| report.edits.lost = 1),
            ("2 edits were doubled", |report| report.edits.duplicated = 2),
            ("the order is broken at 3 places", |report| report.edits.out_of_order = 3),
            ("4 reconnects were forced", |report| report.clients.reconnects_forced = 4),
            ("somebody was without a socket for 0.5 ms", |report| report.clients.without_socket_ms_max = 0.5),
            ("199 boards were moved of 200 that were to be", |report| report.boards.moved = 199),
            ("5 boards could not be moved", |report| report.boards.failed = 5),
            ("6 instances are nobody's", |report| report.instances.orphaned = 6),
            ("how long edits stalled is not known", |report| report.stall_ms.p99 = None),
            ("51 attaches were admitted within 100 ms, the limit is 50", |report| {
                report.attach_rate.peak_in_100ms = 51;
            }),
        ];
        for (sentence, break_it) in breaks {
            let mut report = good();
            break_it(&mut report);
            assert_eq!(report.failures(), [sentence]);
        }
    }

    #[test]
    fn a_stall_may_be_as_long_as_what_others_feel_three_times() {
        let mut report = good();
        report.stall_ms.p99 = Some(50.0);
        assert!(report.failures().is_empty());
        report.stall_ms.p99 = Some(50.1);
        assert_eq!(report.failures(), ["edits stalled for 50.1 ms (p99), the limit is 50.0 ms"]);
        report.control_stall_ms.p99 = Some(20.0);
        assert!(report.failures().is_empty());
        report.stall_ms.p99 = Some(60.1);
        assert_eq!(report.failures(), ["edits stalled for 60.1 ms (p99), the limit is 60.0 ms"]);
    }
}
