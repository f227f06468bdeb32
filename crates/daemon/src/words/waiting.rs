//! On what a release waits, and what happens when the wait ends without it.

use segue_domain::decision::{Source, Then, WaitingOn};

use super::Phrase;
use super::lists::{at_balancer, counted, group, some};

/// What is waited for.
pub(crate) fn waiting(on: &WaitingOn) -> Phrase {
    match on {
        WaitingOn::Effect { id } => Phrase::new("effect", format!("{id} to end")),
        WaitingOn::Settling { what, missing } if missing.is_empty() => Phrase::new("settling", *what),
        WaitingOn::Settling { what, missing } => {
            Phrase::new("settling", format!("{what}: {}", some(missing)))
        }
        WaitingOn::Instances { missing } => {
            Phrase::new("instances", format!("{} to run", counted(u64::from(*missing), "more instance")))
        }
        WaitingOn::Health { group: arn, missing } => {
            Phrase::new("health", format!("{} to be healthy in {}", some(missing), group(arn)))
        }
        WaitingOn::Bake { boards, wanted } => Phrase::new("bake", bake(*boards, *wanted)),
        WaitingOn::Boards { left } => {
            Phrase::new("boards", format!("{} to be carried across", counted(*left, "board")))
        }
        WaitingOn::Zeros { instances } => {
            Phrase::new("zeros", format!("fresh, repeated zeros of {}", some(instances)))
        }
        WaitingOn::Reading { what, why } => {
            Phrase::new("reading", format!("{}, which cannot be read: {why}", source(what)))
        }
        WaitingOn::Capacity { able, floor, at } => Phrase::new(
            "capacity",
            format!(
                "capacity: {} able to serve{}, the floor is {floor}",
                counted(u64::from(*able), "instance"),
                at_balancer(at.as_ref())
            ),
        ),
        WaitingOn::Check { check, sentence } => Phrase::new("check", format!("check {check}: {sentence}")),
        WaitingOn::Resume => Phrase::new("resume", "somebody to resume it"),
    }
}

fn bake(boards: Option<u64>, wanted: u64) -> String {
    match boards {
        Some(boards) => {
            format!("the end of the bake; it held {} at once, {wanted} wanted", counted(boards, "board"))
        }
        None => format!("the end of the bake; it has not held the {} wanted yet", counted(wanted, "board")),
    }
}

/// What happens at the end of a wait.
pub(crate) fn then(then: Then) -> &'static str {
    match then {
        Then::GoOn => "it goes on",
        Then::WayBack => "it goes the way back",
        Then::Hold => "it holds and calls a person",
        Then::Refuse => "it is refused and nothing was changed",
        Then::Stay => "nothing: only a person ends this wait",
    }
}

/// Where a reading comes from.
pub(crate) fn source(source: &Source) -> String {
    match source {
        Source::Instances => "the list of instances".to_owned(),
        Source::Targets(arn) => format!("the targets of {}", group(arn)),
        Source::Weights => "the weights of the forward action".to_owned(),
        Source::Slots => "the route slots".to_owned(),
        Source::Subnets => "the subnets' free addresses".to_owned(),
        Source::Boards(id) => format!("the board count of {id}"),
        Source::App(id) => format!("the status of {id}"),
        Source::BoardList(id) => format!("the list of boards of {id}"),
        Source::Vitals(id) => format!("the errors and the start of {id}"),
        Source::Ownership(id) => format!("the ownership table for {id}"),
    }
}

#[cfg(test)]
mod tests {
    use segue_domain::ids::ForwardArn;
    use segue_domain::ids::{GroupArn, InstanceId};
    use segue_domain::reading::Why;

    use super::*;

    #[track_caller]
    fn check(on: &WaitingOn, code: &str, sentence: &str) {
        assert_eq!(waiting(on), Phrase { code: waiting(on).code, sentence: sentence.to_owned() });
        assert_eq!(waiting(on).code, code);
    }

    #[test]
    fn every_wait_reads_after_the_word_waiting_for() {
        let one = || vec![InstanceId::new("i-1")];
        check(&WaitingOn::Instances { missing: 1 }, "instances", "1 more instance to run");
        check(
            &WaitingOn::Health { group: GroupArn::new("arn:x:targetgroup/boards-b/1"), missing: one() },
            "health",
            "i-1 to be healthy in boards-b",
        );
        check(&WaitingOn::Boards { left: 12 }, "boards", "12 boards to be carried across");
        check(
            &WaitingOn::Reading { what: Source::Boards(InstanceId::new("i-1")), why: Why::Missing },
            "reading",
            "the board count of i-1, which cannot be read: the source does not know it",
        );
        check(
            &WaitingOn::Bake { boards: None, wanted: 5 },
            "bake",
            "the end of the bake; it has not held the 5 boards wanted yet",
        );
        check(
            &WaitingOn::Capacity { able: 3, floor: 4, at: None },
            "capacity",
            "capacity: 3 instances able to serve, the floor is 4",
        );
        check(
            &WaitingOn::Capacity { able: 0, floor: 1, at: Some(ForwardArn::new("west")) },
            "capacity",
            "capacity: 0 instances able to serve at the load balancer west, the floor is 1",
        );
    }
}
