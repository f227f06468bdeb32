//! The ends that nobody saw of what was in flight when a daemon died.

use segue_domain::effect::Outcome;
use segue_domain::event::Event;

use super::AT_ONCE;
use crate::ledger::{After, Ledger, LedgerError};
use crate::pen::By;

/// Says of each that nobody saw it, and how many there are. However many they are, none is left without its end.
pub(crate) async fn say_unseen_ends(ledger: &Ledger) -> Result<usize, LedgerError> {
    let (_, state) = ledger.now().await;
    let unseen = state.in_flight().map(|(id, record)| Event::Ended {
        id: id.clone(),
        attempt: record.attempt,
        outcome: Outcome::Unknown("the daemon restarted".to_owned()),
    });
    let unseen: Vec<Event> = unseen.collect();
    for some in unseen.chunks(AT_ONCE) {
        ledger.append(After::Anything, &By::engine(), some.to_vec()).await?;
    }
    Ok(unseen.len())
}
