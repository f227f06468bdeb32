//! Which promises a report shows as broken, one sentence each.

use super::{AtMost, Chaos, Kills, Report, Verdict};

/// A stall below this is nobody's concern, in milliseconds.
const STALL_MS: f64 = 50.0;

/// How long a board that was sealed when the daemon died may hold its edits besides: then its server opens it again.
/// Source: docs/handover.md, `seal_ttl`.
const SEALED_MS: f64 = 1_000.0;

/// How much more than the control a stall may be.
const TIMES_CONTROL: f64 = 3.0;

/// How long anybody may wait to be served, in milliseconds: where nothing is done to the servers, and where boards wait
/// for the end of a server that was killed.
const SERVED_MS: f64 = 10_000.0;
const SERVED_MS_UNDER_CHAOS: f64 = 30_000.0;

/// Of ten kills at moments that were drawn, half are drawn from `close` on; so many must have fallen there.
const LATE_OF_TEN: u64 = 3;

/// How often the daemon is killed at the least under chaos, and how often of these while boards are carried.
const DAEMON_KILLS: u64 = 5;
const DAEMON_KILLS_IN_HANDOVER: u64 = 2;

impl Report {
    /// Nothing when every promise was kept. What is not known counts as broken.
    ///
    /// Where a server is killed on purpose its people lose their sockets, their edits wait until another server
    /// has the board, and the release may turn back. That is told and breaks no promise; everything that must
    /// hold whatever is killed does, and chaos that was not done is a promise of its own.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = match self.chaos {
            None => self.noticed(),
            Some(chaos) => [self.way_through(), not_done(chaos)].concat(),
        };
        failures.extend(self.broken());
        failures.extend(self.at_most.map(|limits| self.above(limits)).unwrap_or_default());
        failures.extend(self.kills.as_ref().map(|kills| self.not_killed(kills)).unwrap_or_default());
        failures
    }

    /// What must hold whatever is killed.
    fn broken(&self) -> Vec<String> {
        let Self { edits, instances, clients, .. } = self;
        let wait_ms_limit = if self.chaos.is_some() { SERVED_MS_UNDER_CHAOS } else { SERVED_MS };
        sentences([
            (clients.unrecorded > 0, format!("{} users left no record", clients.unrecorded)),
            (
                clients.wait_ms_max > wait_ms_limit,
                format!(
                    "somebody waited {} ms to be served, the limit is {wait_ms_limit} ms",
                    clients.wait_ms_max
                ),
            ),
            (edits.sent == 0, "nobody edited anything".to_owned()),
            (edits.lost > 0, format!("{} edits were lost", edits.lost)),
            (edits.duplicated > 0, format!("{} edits were doubled", edits.duplicated)),
            (edits.out_of_order > 0, format!("the order is broken at {} places", edits.out_of_order)),
            (instances.orphaned > 0, format!("{} instances are nobody's", instances.orphaned)),
            (
                instances.ended_with_boards > 0,
                format!("{} instances were ended while they owned boards", instances.ended_with_boards),
            ),
        ])
    }

    /// What people notice, and what a release comes to when nothing is in its way. Failed tries are told and not judged:
    /// a later wave takes the board.
    fn noticed(&self) -> Vec<String> {
        let (clients, boards) = (&self.clients, &self.boards);
        let (moved, alive, without_ms) =
            (boards.moved, boards.alive_on_blue_at_close, clients.without_socket_ms_max);
        let canary = self.canary.map_or(Verdict::Passed, |canary| canary.verdict);
        let mut failures = sentences([
            (self.verdict != Verdict::Released, format!("the release ended {}", self.verdict)),
            (canary != Verdict::Passed, format!("the canary ended {canary}")),
            (clients.reconnects_forced > 0, format!("{} reconnects were forced", clients.reconnects_forced)),
            (without_ms > 0.0, format!("somebody was without a socket for {without_ms} ms")),
            (moved != alive, format!("{moved} boards were moved of {alive} that were to be")),
        ]);
        failures.extend(self.stall_failure());
        failures.extend(self.pace_failure().or_else(|| self.pace_unknown()));
        failures
    }

    /// Under chaos: to the end, or all the way back. And never faster than was set; what a server admitted that was
    /// killed nobody knows, and on the way back it may have been the only one.
    fn way_through(&self) -> Vec<String> {
        let mut failures = match self.verdict {
            Verdict::Released | Verdict::RolledBack => Vec::new(),
            other @ (Verdict::Passed
            | Verdict::Aborted
            | Verdict::Refused
            | Verdict::Held
            | Verdict::Unfinished) => vec![format!("the release ended {other}")],
        };
        let unknown = self.pace_unknown().filter(|_| self.verdict == Verdict::Released);
        failures.extend(self.pace_failure().or(unknown));
        failures
    }

    /// What is above its limit: a server that was launched or stopped twice is nobody's orphan, for it has its tags.
    fn above(&self, limits: AtMost) -> Vec<String> {
        let Self { instances, daemon, .. } = self;
        let counts = [
            ("launched", instances.launched, Some(limits.launched)),
            ("stopped", instances.stopped, limits.stopped),
        ];
        let counts = counts.into_iter().filter_map(|(what, count, limit)| Some((what, count, limit?)));
        let counts = counts.filter(|(_, count, limit)| count > limit);
        let mut failures: Vec<String> = counts
            .map(|(what, count, limit)| format!("{count} instances were {what}, the plan has {limit}"))
            .collect();
        match (limits.first_decision_ms, daemon.first_decision_ms_max) {
            (Some(_), None) => failures.push("how long a first decision took is not known".to_owned()),
            (Some(limit), Some(ms)) if ms > limit => {
                failures.push(format!("a first decision took {ms:.0} ms, the limit is {limit:.0} ms"));
            }
            (Some(_) | None, _) => {}
        }
        failures
    }

    /// Nothing was moved → nothing could stall, and `moved` tells whether that is right.
    fn stall_failure(&self) -> Option<String> {
        let (Some(half), Some(most), Some(longest)) =
            (self.stall_ms.p50, self.stall_ms.p99, self.stall_ms.max)
        else {
            return (self.boards.moved > 0).then(|| "how long edits stalled is not known".to_owned());
        };
        let limit = self.control_stall_ms.p99.map_or(STALL_MS, |p99| STALL_MS.max(TIMES_CONTROL * p99));
        // A kill meets the boards of one wave, which may be more than one of a hundred.
        let held = match self.kills {
            None => vec![("p99", most, limit)],
            Some(_) => vec![("p50", half, limit), ("max", longest, SEALED_MS + limit)],
        };
        let (what, stall, limit) = held.into_iter().find(|(_, stall, limit)| stall > limit)?;
        Some(format!("edits stalled for {stall} ms ({what}), the limit is {limit:.1} ms"))
    }

    /// A tenth of a second's limit is all that may be admitted within a tenth of a second.
    fn pace_failure(&self) -> Option<String> {
        let limit = self.attach_rate.limit_per_s?.div_ceil(10);
        let peak = self.attach_rate.peak_in_100ms?;
        (peak > limit).then(|| format!("{peak} attaches were admitted within 100 ms, the limit is {limit}"))
    }

    /// Where people were moved somebody admitted them, at some pace, under some limit.
    fn pace_unknown(&self) -> Option<String> {
        let pace = &self.attach_rate;
        let is_known = [pace.limit_per_s, pace.peak_in_100ms].iter().all(|it| it.is_some_and(|it| it > 0));
        (self.clients.moved > 0 && !is_known)
            .then(|| "how fast attaches were admitted is not known".to_owned())
    }

    /// Kills that were not done, and those that all fell into the easy part, prove nothing.
    fn not_killed(&self, kills: &Kills) -> Vec<String> {
        let Kills { wanted, followed, late, .. } = kills;
        let killed = self.daemon.killed;
        sentences([
            (killed < *wanted, format!("the daemon was killed {killed} times, {wanted} were wanted")),
            (*followed != killed, format!("the daemon decided something after {followed} of {killed} kills")),
            (
                late.saturating_mul(10) < wanted.saturating_mul(LATE_OF_TEN),
                format!("of {killed} kills {late} fell from close on, {LATE_OF_TEN} of ten are the least"),
            ),
        ])
    }
}

/// Chaos that was not done proves nothing.
fn not_done(chaos: Chaos) -> Vec<String> {
    [
        ("daemon kills", chaos.daemon_kills, DAEMON_KILLS),
        ("daemon kills in the handover", chaos.daemon_kills_in_handover, DAEMON_KILLS_IN_HANDOVER),
        ("lost replies to launches", chaos.lost_replies, 1),
        ("new servers killed with boards", chaos.green_killed_with_boards, 1),
    ]
    .into_iter()
    .filter(|(_, done, wanted)| done < wanted)
    .map(|(what, done, wanted)| format!("the chaos was not done: {done} {what}, {wanted} were wanted"))
    .collect()
}

fn sentences<const N: usize>(all: [(bool, String); N]) -> Vec<String> {
    all.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, sentence)| sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::report::{Stall, chaos, good, kills};

    #[test]
    fn a_report_of_kept_promises_has_no_failures() {
        assert_eq!(good().failures(), Vec::<String>::new());
        let mut report = good();
        report.boards.failed = 5;
        assert_eq!(report.failures(), Vec::<String>::new());
    }

    type Break = fn(&mut Report);

    #[test]
    fn every_broken_promise_is_one_sentence() {
        let breaks: [(&str, Break); 17] = [
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
            ("6 instances are nobody's", |report| report.instances.orphaned = 6),
            ("7 instances were ended while they owned boards", |report| {
                report.instances.ended_with_boards = 7;
            }),
            ("how long edits stalled is not known", |report| report.stall_ms.p99 = None),
            ("51 attaches were admitted within 100 ms, the limit is 50", |report| {
                report.attach_rate.peak_in_100ms = Some(51);
            }),
            ("how fast attaches were admitted is not known", |report| report.attach_rate.limit_per_s = None),
            ("how fast attaches were admitted is not known", |report| {
                report.attach_rate.peak_in_100ms = Some(0);
            }),
            ("8 users left no record", |report| report.clients.unrecorded = 8),
            ("somebody waited 10000.5 ms to be served, the limit is 10000 ms", |report| {
                report.clients.wait_ms_max = 10_000.5;
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

    #[test]
    fn where_the_daemon_is_killed_a_stall_may_last_until_a_sealed_board_opens_again() {
        let mut report = good();
        report.daemon.killed = 10;
        report.kills = Some(kills());
        report.stall_ms = Stall { p50: Some(50.0), p99: Some(1_050.0), max: Some(1_050.0) };
        assert_eq!(report.failures(), Vec::<String>::new());
        report.stall_ms.max = Some(1_050.1);
        assert_eq!(report.failures(), ["edits stalled for 1050.1 ms (max), the limit is 1050.0 ms"]);
        report.stall_ms = Stall { p50: Some(50.1), ..report.stall_ms };
        assert_eq!(report.failures(), ["edits stalled for 50.1 ms (p50), the limit is 50.0 ms"]);
    }

    #[test]
    fn what_was_planned_and_no_more_is_launched_and_stopped() {
        let mut report = good();
        report.at_most = Some(AtMost { launched: 8, stopped: Some(4), first_decision_ms: None });
        report.instances.stopped = 4;
        assert_eq!(report.failures(), Vec::<String>::new());
        report.instances.launched = 9;
        report.instances.stopped = 5;
        let above = ["9 instances were launched, the plan has 8", "5 instances were stopped, the plan has 4"];
        assert_eq!(report.failures(), above);
        report.at_most = Some(AtMost { launched: 9, stopped: None, first_decision_ms: None });
        assert_eq!(report.failures(), Vec::<String>::new());
    }

    #[test]
    fn kills_that_were_not_done_or_fell_early_or_were_followed_by_nothing_are_no_pass() {
        let mut report = good();
        report.daemon.killed = 10;
        report.kills = Some(kills());
        assert_eq!(report.failures(), Vec::<String>::new());
        report.kills = Some(Kills { late: 2, ..kills() });
        assert_eq!(report.failures(), ["of 10 kills 2 fell from close on, 3 of ten are the least"]);
        report.kills = Some(Kills { followed: 9, ..kills() });
        assert_eq!(report.failures(), ["the daemon decided something after 9 of 10 kills"]);
        report.kills = Some(Kills { followed: 9, ..kills() });
        report.daemon.killed = 9;
        assert_eq!(report.failures(), ["the daemon was killed 9 times, 10 were wanted"]);
    }

    #[test]
    fn a_daemon_decides_as_soon_after_its_start_as_it_is_held_to() {
        let mut report = good();
        report.at_most = Some(AtMost { launched: 8, stopped: Some(4), first_decision_ms: Some(1_000.0) });
        assert_eq!(report.failures(), ["how long a first decision took is not known"]);
        report.daemon.first_decision_ms_max = Some(1_000.0);
        assert_eq!(report.failures(), Vec::<String>::new());
        report.daemon.first_decision_ms_max = Some(1_001.0);
        assert_eq!(report.failures(), ["a first decision took 1001 ms, the limit is 1000 ms"]);
    }

    #[test]
    fn under_chaos_people_may_notice_and_a_release_may_turn_back() {
        let mut report = good();
        report.chaos = Some(chaos());
        report.clients.reconnects_forced = 40;
        report.clients.without_socket_ms_max = 3_100.0;
        report.clients.wait_ms_max = 12_000.0;
        report.attach_rate.peak_in_100ms = None;
        report.stall_ms.p99 = Some(3_000.0);
        report.boards.moved = 1;
        report.verdict = Verdict::RolledBack;
        assert_eq!(report.failures(), Vec::<String>::new());
        report.verdict = Verdict::Held;
        report.edits.lost = 1;
        assert_eq!(report.failures(), ["the release ended held", "1 edits were lost"]);
    }

    #[test]
    fn chaos_that_was_not_done_is_no_pass() {
        let mut report = good();
        report.chaos = Some(Chaos { daemon_kills_in_handover: 1, ..chaos() });
        let failures = report.failures();
        assert_eq!(failures, ["the chaos was not done: 1 daemon kills in the handover, 2 were wanted"]);
        report.chaos = Some(Chaos::default());
        assert_eq!(report.failures().len(), 4);
    }
}
