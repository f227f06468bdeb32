//! Why a release asks, holds and ends.

use segue_domain::decision::{Gate, Reason, Source, Verdict};
use segue_domain::ids::CheckName;

use super::{count, list};

pub(super) fn gate(gate: &Gate) -> String {
    match gate {
        Gate::NoWayBack { blue_reads, green_writes } => {
            let reads = list(blue_reads.iter().map(String::as_str));
            format!("no way back after the first board: green writes {green_writes}, blue reads {reads}")
        }
    }
}

pub(super) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Blind { what, why } => format!("{} cannot be read: {why}", source(what)),
        Reason::Undecided { missing } => {
            format!("the canary cannot be judged without {}", list(missing.iter().map(String::as_str)))
        }
        Reason::NoCapacity { able, floor, at } => {
            let at = at.as_ref().map_or_else(String::new, |it| format!(" at {}", it.balancer()));
            format!("{} can serve{at}, and the floor is {floor}", count(*able, "instance"))
        }
        Reason::BoardFitsNowhere { board } => format!("the board {board} fits nowhere"),
        Reason::BoardsStay { left, last } => format!("{} will not leave; {last}", count(*left, "board")),
        Reason::MayHoldBoards { instance, why } => format!("{instance} may still hold boards: {why}"),
        Reason::CannotGoBack { step, why } => format!("{step} failed on the way back: {why}"),
        Reason::CannotGoOn { step, why } => {
            format!("{step} failed, and nothing is turned back for it: {why}")
        }
        Reason::Bug { what } => format!("a defect of Segue: {what}"),
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Instances => "the list of instances".to_owned(),
        Source::Targets(group) => format!("the targets of {group}"),
        Source::Weights => "the weights".to_owned(),
        Source::Slots => "the route slots".to_owned(),
        Source::Subnets => "the subnets".to_owned(),
        Source::Boards(instance) => format!("the number of boards on {instance}"),
        Source::App(instance) => format!("the status of {instance}"),
        Source::BoardList(instance) => format!("the list of boards on {instance}"),
        Source::Vitals(instance) => format!("the errors and age of {instance}"),
        Source::Ownership(instance) => format!("the ownership table for {instance}"),
    }
}

pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Released => "released".to_owned(),
        Verdict::Passed => "passed".to_owned(),
        Verdict::Refused { checks } => {
            format!("refused by {}, nothing was done", list(checks.iter().map(CheckName::as_str)))
        }
        Verdict::RolledBack { cause } => format!("rolled back, because {cause}"),
        Verdict::Aborted { cause } => format!("turned back, {cause}"),
    }
}
