//! Where a batch is launched, and where next when there was no room.
//!
//! A pure function of the plan and of how its launches ended: the batch's own subnet first, then the service's
//! others in turn, and when no subnet had room for one type of instance, the same with the next type. What lacked
//! room for one batch is passed over by the others too; when everything did, it is asked again from the beginning,
//! for room comes and goes. A refusal for another reason moves nowhere: it would be the same there.

use std::collections::BTreeMap;

use crate::effect::{Done, Effect, Lack, LaunchBatch, Outcome};
use crate::ids::{InstanceId, InstanceType, SubnetId};
use crate::plan::{BatchPlan, Plan};
use crate::state::{EffectRecord, ReleaseState};

/// A batch is launched so often in vain, wherever it finds room; and so often where it finds none, or once for
/// each place when there are more.
const ATTEMPTS: usize = 5;
/// As many as a configuration can name, with 16 subnets and 5 types.
const PLACES_MAX: usize = 80;

/// Where, and as what, instances are launched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) subnet: SubnetId,
    /// None: the launch template's own.
    pub(super) instance_type: Option<InstanceType>,
}

/// Every place for a batch, the best one first.
fn places(plan: &Plan, batch: &BatchPlan) -> Vec<Place> {
    let launch = &plan.service.launch;
    let after = launch.subnets.iter().position(|it| *it == batch.subnet).map_or(0, |own| own + 1);
    let in_turn = launch.subnets.iter().cycle().skip(after).take(launch.subnets.len());
    let others = in_turn.filter(|it| **it != batch.subnet);
    let subnets: Vec<&SubnetId> = std::iter::once(&batch.subnet).chain(others).collect();
    let types: Vec<Option<&InstanceType>> = match launch.types.as_slice() {
        [] => vec![None],
        types => types.iter().map(Some).collect(),
    };
    let place = |instance_type: Option<&InstanceType>, subnet: &SubnetId| Place {
        subnet: subnet.clone(),
        instance_type: instance_type.cloned(),
    };
    let all = types.iter().flat_map(|kind| subnets.iter().map(|subnet| place(*kind, subnet)));
    all.take(PLACES_MAX).collect()
}

/// The best of the places that lacked room least often.
pub(super) fn best(state: &ReleaseState, batch: &BatchPlan) -> Place {
    let lacking = lacking(state);
    let own = Place { subnet: batch.subnet.clone(), instance_type: None };
    let all = places(&state.plan, batch).into_iter();
    all.min_by_key(|place| lacking.get(place).copied().unwrap_or(0)).unwrap_or(own)
}

/// How often there was no room in each place.
fn lacking(state: &ReleaseState) -> BTreeMap<Place, usize> {
    let mut lacking = BTreeMap::new();
    for launch in state.effects.values().filter_map(lacked_room) {
        let place = Place { subnet: launch.subnet.clone(), instance_type: launch.instance_type.clone() };
        *lacking.entry(place).or_insert(0) += 1;
    }
    lacking
}

/// A launch that found no room, or less than it asked for: EC2 launches as many as it can.
/// Source: EC2 API, RunInstances, `MinCount` and `MaxCount`.
fn lacked_room(record: &EffectRecord) -> Option<&LaunchBatch> {
    let Effect::Launch(launch) = &record.effect else { return None };
    let (outcome, _) = record.ended.as_ref()?;
    let lacked = match outcome {
        Outcome::Refused { lack, .. } => *lack == Some(Lack::Room),
        Outcome::Done(Done::Launched(ids)) => u32::try_from(ids.len()).is_ok_and(|came| came < launch.count),
        Outcome::Done(Done::Nothing | Done::Moved(_)) | Outcome::Unknown(_) => false,
    };
    lacked.then_some(launch)
}

/// An attempt that did not bring what was wanted.
pub(super) struct Failed<'a> {
    pub(super) state: &'a ReleaseState,
    pub(super) batch: &'a BatchPlan,
    /// The batch's place in the plan's list.
    pub(super) index: u32,
    pub(super) attempt: u32,
    pub(super) missing: u32,
    /// In EC2's words.
    pub(super) refused: Option<String>,
}

impl Failed<'_> {
    /// Why there is no other attempt, when there is none.
    pub(super) fn for_good(&self) -> Option<String> {
        let launches = self.state.effects.values().filter_map(lacked_room);
        let roomless: Vec<u32> =
            launches.filter(|it| it.batch == self.index).map(|launch| launch.attempt).collect();
        if roomless.contains(&self.attempt) {
            let enough = places(&self.state.plan, self.batch).len().max(ATTEMPTS);
            return (roomless.len() >= enough).then(|| self.nowhere());
        }
        let in_vain = usize::try_from(self.attempt).unwrap_or(usize::MAX).saturating_sub(roomless.len());
        let did_not_stay = || {
            let ended: Vec<&str> = self.ended().into_iter().map(InstanceId::as_str).collect();
            let plural = if self.missing == 1 { "" } else { "s" };
            let (missing, batch, ended) = (self.missing, self.index, ended.join(" "));
            format!("{missing} instance{plural} of batch {batch} did not stay; the last that ended: {ended}")
        };
        (in_vain >= ATTEMPTS).then(|| self.refused.clone().unwrap_or_else(did_not_stay))
    }

    /// Who of this batch, of all attempts, is gone: a few, the newest first.
    fn ended(&self) -> Vec<&InstanceId> {
        const TOLD_MAX: usize = 5;
        let launched =
            self.state.effects.values().rev().filter_map(|record| match (&record.effect, &record.ended) {
                (Effect::Launch(launch), Some((Outcome::Done(Done::Launched(ids)), _)))
                    if launch.batch == self.index =>
                {
                    Some(ids)
                }
                _ => None,
            });
        let lost = self.state.lost();
        launched.flatten().filter(|id| lost.contains(*id)).take(TOLD_MAX).collect()
    }

    /// What was tried where.
    fn nowhere(&self) -> String {
        let lacking = lacking(self.state);
        let mut tried: Vec<(Option<InstanceType>, Vec<String>)> = Vec::new();
        for place in places(&self.state.plan, self.batch).into_iter().filter(|it| lacking.contains_key(it)) {
            match tried.last_mut().filter(|(kind, _)| *kind == place.instance_type) {
                Some((_, subnets)) => subnets.push(place.subnet.to_string()),
                None => tried.push((place.instance_type, vec![place.subnet.to_string()])),
            }
        }
        let tried = tried.iter().map(|(kind, subnets)| {
            let kind = kind.as_ref().map_or("the template's type", InstanceType::as_str);
            format!("{kind} in {}", subnets.join(", "))
        });
        let tried: Vec<String> = tried.collect();
        let last = self.refused.as_ref().map_or_else(String::new, |why| format!("; at last: {why}"));
        let (missing, index) = (self.missing, self.index);
        let noun = if missing == 1 { "instance" } else { "instances" };
        format!("there is no room for {missing} {noun} of batch {index}: tried {}{last}", tried.join("; "))
    }
}
