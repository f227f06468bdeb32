//! What happens to a board because time passes.

use super::effects::{Effects, Moment};
use super::phase::{ClosingStep, ClosingWhy, Hold, Phase, SealStep, Serving, Standby, StandbyStep};
use super::{Board, Doors};

impl Board {
    /// When the board wants to be woken next. Waking it too early, or twice, does nothing.
    pub(crate) fn next_wake(&self) -> Option<Moment> {
        let own = match &self.phase {
            Phase::Serving(serving) => {
                let wants = match &serving.offer {
                    Some(offer) => Some(offer.until),
                    None => serving.idle_at,
                };
                wants.into_iter().chain(serving.reclaims_at()).min()
            }
            Phase::Sealed(sealing) => match sealing.step {
                SealStep::Holding { until } => Some(until),
                SealStep::Retrying { at } => Some(at),
                SealStep::Reowning => None,
            },
            Phase::Closing(closing) => match closing.step {
                ClosingStep::Retrying { at } => Some(at),
                ClosingStep::Flushing | ClosingStep::Releasing => None,
            },
            Phase::Released(released) => Some(released.close_at),
            Phase::Standby(standby) => match &standby.step {
                StandbyStep::Backoff(_, at) | StandbyStep::Rereading(_, at) => Some(*at),
                StandbyStep::Looking | StandbyStep::Reading | StandbyStep::Ready => Some(standby.expires),
                StandbyStep::Filling(_) | StandbyStep::Claiming(_) | StandbyStep::CatchingUp(_) => None,
            },
            Phase::Absent(absent) => Some(absent.forget_at),
            Phase::Opening(_) | Phase::Gone => None,
        };
        own.into_iter().chain(self.writer.retry_at()).min()
    }

    pub(crate) fn wake(&mut self, now: Moment, doors: Doors, fx: &mut Effects) {
        self.retry_write(now, fx);
        self.retry_release(now, fx);
        self.retry_activation(now, fx);
        self.retry_reclaim(now, fx);
        match &mut self.phase {
            Phase::Serving(serving) => {
                if serving.offer.take_if(|offer| offer.until <= now).is_some() {
                    self.idle_if_empty(self.lingered(now));
                } else if serving.offer.is_none() && serving.idle_at.is_some_and(|at| at <= now) {
                    match doors {
                        Doors::Open if serving.hold == Hold::Firm => {
                            self.begin_closing(ClosingWhy::Empty, fx);
                        }
                        // A board that is being taken back is closed when it is. A server that is left keeps
                        // what it has: whoever comes back to the board finds it where the move takes it, and
                        // what was counted is what is moved.
                        Doors::Open | Doors::Closed => {
                            serving.idle_at = Some(now.after(self.settings.limits.linger));
                        }
                    }
                }
            }
            Phase::Sealed(sealing) => match sealing.step {
                SealStep::Holding { until: at } | SealStep::Retrying { at } if at <= now => self.reown(fx),
                SealStep::Holding { .. } | SealStep::Retrying { .. } | SealStep::Reowning => {}
            },
            Phase::Released(released) if released.close_at <= now => self.part(fx),
            Phase::Standby(standby) if standby.expires <= now && !standby.is_committing() => {
                self.expire_standby(now, fx);
            }
            Phase::Absent(absent) if absent.forget_at <= now => self.vanish(fx),
            Phase::Released(_)
            | Phase::Standby(_)
            | Phase::Absent(_)
            | Phase::Opening(_)
            | Phase::Closing(_)
            | Phase::Gone => {}
        }
    }
}

impl Serving {
    fn reclaims_at(&self) -> Option<Moment> {
        match self.hold {
            Hold::Retrying { at } => Some(at),
            Hold::Firm | Hold::Reclaiming => None,
        }
    }
}

impl Standby {
    /// An activation is under way: it may have been decided already, so it cannot be called off.
    pub(super) fn is_committing(&self) -> bool {
        match self.step {
            StandbyStep::Looking | StandbyStep::Reading | StandbyStep::Ready => false,
            StandbyStep::Filling(_)
            | StandbyStep::Claiming(_)
            | StandbyStep::Backoff(..)
            | StandbyStep::CatchingUp(_)
            | StandbyStep::Rereading(..) => true,
        }
    }
}
