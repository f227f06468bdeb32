//! The report for people: aligned, without colour, a promise's zero beside what it is measured by.

use std::fmt;

use super::{Report, Verdict};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Released => "released",
            Self::RolledBack => "rolled back",
            Self::Aborted => "aborted",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Unfinished => "unfinished",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let canary = self.canary.map(|canary| format!(" (canary {})", canary.verdict)).unwrap_or_default();
        line(f, "verdict", &format!("{}{canary} in {:.1} s", self.verdict, self.seconds))?;
        for (number, step) in self.steps.iter().enumerate() {
            let name = if number == 0 { "steps" } else { "" };
            line(f, name, &format!("{:<12} {:>7.1} s  {}", step.name, step.seconds, step.outcome))?;
        }
        self.users(f)?;
        self.times(f)?;
        self.machines(f)?;
        let failures = self.failures();
        if failures.is_empty() {
            return writeln!(f, "\nEvery promise was kept.");
        }
        writeln!(f, "\nBROKEN PROMISES")?;
        failures.iter().try_for_each(|failure| writeln!(f, "  - {failure}"))
    }
}

impl Report {
    fn users(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { boards, clients, edits, .. } = self;
        line(
            f,
            "boards",
            &format!(
                "{} moved of {} alive on blue at close, failed tries: {}; {} in all",
                boards.moved, boards.alive_on_blue_at_close, boards.failed, boards.total
            ),
        )?;
        line(
            f,
            "clients",
            &format!(
                "{} moved of {}; {} forced to reconnect; longest without a socket {} ms",
                clients.moved, clients.total, clients.reconnects_forced, clients.without_socket_ms_max
            ),
        )?;
        line(
            f,
            "",
            &format!(
                "{} came, {} without a record; longest wait to be served {} ms",
                clients.came, clients.unrecorded, clients.wait_ms_max
            ),
        )?;
        line(
            f,
            "edits",
            &format!("{} sent, {} acknowledged, {} stored", edits.sent, edits.acknowledged, edits.stored),
        )?;
        line(
            f,
            "",
            &format!(
                "{} lost, {} doubled, {} out of order",
                edits.lost, edits.duplicated, edits.out_of_order
            ),
        )
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stall, control, latency) = (&self.stall_ms, &self.control_stall_ms, &self.edit_latency_ms);
        line(f, "times (ms)", &format!("{:<34} {:>8} {:>8} {:>8}", "", "p50", "p99", "max"))?;
        for (what, p50, p99, max) in [
            ("stall of edits on boards that move", stall.p50, stall.p99, Some(stall.max)),
            ("others at the same time", control.p50, control.p99, None),
            ("edits before", latency.before.p50, latency.before.p99, None),
            ("edits during", latency.during.p50, latency.during.p99, None),
        ] {
            let max = max.map_or_else(String::new, number);
            line(f, "", &format!("{what:<34} {:>8} {:>8} {max:>8}", number(p50), number(p99)))?;
        }
        Ok(())
    }

    fn machines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attach_rate, instances, daemon, .. } = self;
        line(
            f,
            "attaches",
            &format!(
                "at most {} within 100 ms, the limit is {} per second",
                count(attach_rate.peak_in_100ms),
                count(attach_rate.limit_per_s)
            ),
        )?;
        line(
            f,
            "instances",
            &format!(
                "{} launched, {} terminated, {} stopped, {} orphaned, {} ended with boards",
                instances.launched,
                instances.terminated,
                instances.stopped,
                instances.orphaned,
                instances.ended_with_boards
            ),
        )?;
        let calls: Vec<String> =
            self.aws_calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
        line(f, "AWS calls", &calls.join(", "))?;
        let memory = daemon.rss_mb_max.map_or_else(|| "unknown".to_owned(), |mb| format!("{mb:.0} MB"));
        let decided =
            daemon.first_decision_ms_max.map(|ms| format!(", decides within {ms:.0} ms of its start"));
        let decided = decided.unwrap_or_default();
        line(f, "daemon", &format!("{} restarts, at most {memory}{decided}", daemon.restarts))?;
        self.on_purpose(f)
    }

    fn on_purpose(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kills) = &self.kills {
            let by_step: Vec<String> =
                kills.by_step.iter().map(|(step, times)| format!("{step} {times}")).collect();
            line(f, "kills", &format!("{}; {} from close on", by_step.join(", "), kills.late))?;
        }
        let Some(chaos) = self.chaos else { return Ok(()) };
        line(
            f,
            "chaos",
            &format!(
                "the daemon killed {} times, {} of them in the handover; {} replies to launches lost; \
                 {} new servers killed with boards",
                chaos.daemon_kills,
                chaos.daemon_kills_in_handover,
                chaos.lost_replies,
                chaos.green_killed_with_boards
            ),
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "{}", format!("{name:<12}{value}").trim_end())
}

fn count(of: Option<u64>) -> String {
    of.map_or_else(|| "unknown".to_owned(), |of| of.to_string())
}

fn number(ms: Option<f64>) -> String {
    ms.map_or_else(|| "unknown".to_owned(), |ms| format!("{ms:.1}"))
}

#[cfg(test)]
mod tests {
    use crate::users::report::good;

    #[test]
    fn the_text_is_aligned_and_says_what_was_kept() {
        let expected = "\
verdict     released (canary passed) in 61.2 s
steps       launch           2.5 s  did
            handover         7.2 s  did
boards      200 moved of 200 alive on blue at close, failed tries: 0; 240 in all
clients     990 moved of 1400; 0 forced to reconnect; longest without a socket 0 ms
            1400 came, 0 without a record; longest wait to be served 210.5 ms
edits       9000 sent, 9000 acknowledged, 9000 stored
            0 lost, 0 doubled, 0 out of order
times (ms)                                          p50      p99      max
            stall of edits on boards that move      1.5     12.0     12.0
            others at the same time                 1.2      8.0
            edits before                            1.1      6.0
            edits during                            1.3      9.0
attaches    at most 50 within 100 ms, the limit is 500 per second
instances   8 launched, 4 terminated, 0 stopped, 0 orphaned, 0 ended with boards
AWS calls   DescribeInstances 60, RunInstances 4
daemon      0 restarts, at most 42 MB

Every promise was kept.
";
        assert_eq!(good().to_string(), expected);
    }

    #[test]
    fn what_was_done_on_purpose_is_told() {
        let mut report = good();
        report.chaos = Some(crate::users::report::chaos());
        let line = "chaos       the daemon killed 5 times, 2 of them in the handover; 1 replies to launches lost; \
                    1 new servers killed with boards\n";
        assert!(report.to_string().contains(line), "{report}");
    }

    #[test]
    fn kills_are_told_by_step() {
        let mut report = good();
        report.kills = Some(crate::users::report::kills());
        let line = "kills       canary admit 4, full close 2, full handover 4; 6 from close on\n";
        assert!(report.to_string().contains(line), "{report}");
    }

    #[test]
    fn a_broken_promise_is_told_at_the_end() {
        let mut report = good();
        report.edits.lost = 3;
        report.daemon.rss_mb_max = None;
        report.attach_rate.peak_in_100ms = None;
        let text = report.to_string();
        assert!(text.contains("at most unknown within 100 ms"), "{text}");
        assert!(text.contains("at most unknown\n"), "{text}");
        let unknown = "how fast attaches were admitted is not known";
        assert!(
            text.ends_with(&format!("BROKEN PROMISES\n  - {unknown}\n  - 3 edits were lost\n")),
            "{text}"
        );
    }
}
