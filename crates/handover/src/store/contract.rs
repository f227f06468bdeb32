//! What every store must do, as a check that any store can be put through. It wants a store in which the
//! boards `contract-*` and the servers `contract-*` were never seen.

use super::{Append, BoardStore, Claim, Liveness, Owner, Release, Row, StoreError};
use crate::wire::{BoardId, ClientId, Connect, Cseq, Entry, Epoch, Payload, Seq, ServerId};

/// A store that broke a promise.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    #[error("{promise}: got {got}")]
    Broken { promise: &'static str, got: String },
    #[error("the store failed during the check")]
    Store(#[from] StoreError),
}

/// Puts a store through everything that the handover relies on.
pub async fn check(store: &dyn BoardStore) -> Result<(), Violation> {
    claims_are_compare_and_set(store).await?;
    writes_are_fenced_by_epoch_and_place(store).await?;
    a_log_is_read_whole_and_from_any_place(store).await?;
    a_release_leaves_the_epoch(store).await?;
    owners_are_paged(store).await?;
    a_heartbeat_publishes_connect(store).await
}

fn holds<T: PartialEq + std::fmt::Debug>(
    promise: &'static str,
    got: &T,
    wanted: &T,
) -> Result<(), Violation> {
    if got == wanted { Ok(()) } else { Err(Violation::Broken { promise, got: format!("{got:?}") }) }
}

fn board(name: &str) -> BoardId {
    BoardId::parse(&format!("contract-{name}")).expect("the check's names are ids")
}

fn server(name: &str) -> ServerId {
    ServerId::parse(&format!("contract-{name}")).expect("the check's names are ids")
}

fn entries(from: u64, to: u64) -> Vec<Entry> {
    let client = ClientId::parse("contract-client").expect("the check's names are ids");
    let payload = |seq: u64| Payload::of(&seq).expect("a number is JSON");
    let entry = |seq| Entry { seq: Seq(seq), client: client.clone(), cseq: Cseq(seq), payload: payload(seq) };
    (from..=to).map(entry).collect()
}

async fn claims_are_compare_and_set(store: &dyn BoardStore) -> Result<(), Violation> {
    let (board, ann, bob) = (board("claim"), server("ann"), server("bob"));
    let fresh = Row { epoch: Epoch::ZERO, owner: None, last_seq: Seq::ZERO };
    holds("a board never owned has epoch 0 and no owner", &store.row(&board).await?, &fresh)?;
    let first = Claim::Claimed { epoch: Epoch(1), last_seq: Seq::ZERO };
    holds("a claim from the row's epoch wins", &store.claim(&board, Epoch(0), &ann).await?, &first)?;
    holds("a claim that won wins again", &store.claim(&board, Epoch(0), &ann).await?, &first)?;
    let lost = store.claim(&board, Epoch(0), &bob).await?;
    holds("a claim from an older epoch loses", &matches!(lost, Claim::Held(_)), &true)?;
    if let Claim::Held(row) = lost {
        let owner = row.owner.map(|owner| owner.server);
        holds("the loser is told who holds", &(row.epoch, owner), &(Epoch(1), Some(ann)))?;
    }
    let early = store.claim(&board, Epoch(7), &bob).await?;
    holds("a claim from an epoch to come loses", &matches!(early, Claim::Held(_)), &true)?;
    let second = Claim::Claimed { epoch: Epoch(2), last_seq: Seq::ZERO };
    holds("a claim takes the board from its owner", &store.claim(&board, Epoch(1), &bob).await?, &second)
}

async fn writes_are_fenced_by_epoch_and_place(store: &dyn BoardStore) -> Result<(), Violation> {
    let (board, ann, bob) = (board("append"), server("ann"), server("bob"));
    store.claim(&board, Epoch(0), &ann).await?;
    let at = |last| Append::Appended { last_seq: Seq(last) };
    let out_of_place = |last| Append::OutOfPlace { last_seq: Seq(last) };
    holds("the owner writes", &store.append(&board, Epoch(1), &entries(1, 3)).await?, &at(3))?;
    let again = store.append(&board, Epoch(1), &entries(1, 3)).await?;
    holds("the same write again is out of place", &again, &out_of_place(3))?;
    let gap = store.append(&board, Epoch(1), &entries(5, 5)).await?;
    holds("a write after a gap is out of place", &gap, &out_of_place(3))?;
    let overlap = store.append(&board, Epoch(1), &entries(3, 4)).await?;
    holds("a write that overlaps is out of place", &overlap, &out_of_place(3))?;
    let won = store.claim(&board, Epoch(1), &bob).await?;
    let wanted = Claim::Claimed { epoch: Epoch(2), last_seq: Seq(3) };
    holds("the winner is told where the log ends", &won, &wanted)?;
    let stale = store.append(&board, Epoch(1), &entries(4, 4)).await?;
    holds("a stale owner's write is fenced", &matches!(stale, Append::Fenced(_)), &true)?;
    holds("the new owner goes on", &store.append(&board, Epoch(2), &entries(4, 4)).await?, &at(4))
}

async fn a_log_is_read_whole_and_from_any_place(store: &dyn BoardStore) -> Result<(), Violation> {
    let (board, ann) = (board("load"), server("ann"));
    let none = store.load(&board, Seq::ZERO).await?;
    holds("an empty log has no pages", &(none.entries.len(), none.last_seq), &(0, Seq::ZERO))?;
    store.claim(&board, Epoch(0), &ann).await?;
    store.append(&board, Epoch(1), &entries(1, 200)).await?;
    for start in [0, 1, 199] {
        let (mut read, mut after) = (Vec::new(), Seq(start));
        while after < Seq(200) {
            let page = store.load(&board, after).await?;
            holds("every page says where the log ends", &page.last_seq, &Seq(200))?;
            holds("a page has at least one entry", &page.entries.is_empty(), &false)?;
            after = page.entries.last().map_or(after, |entry| entry.seq);
            read.extend(page.entries);
        }
        holds("pages are contiguous and byte for byte", &read, &entries(start + 1, 200))?;
    }
    let past = store.load(&board, Seq(200)).await?;
    holds("after the end there is nothing", &past.entries.len(), &0)
}

async fn a_release_leaves_the_epoch(store: &dyn BoardStore) -> Result<(), Violation> {
    let (board, ann, bob) = (board("release"), server("ann"), server("bob"));
    store.claim(&board, Epoch(0), &ann).await?;
    let not_mine = store.release(&board, Epoch(1), &bob).await?;
    holds("another server cannot release", &matches!(not_mine, Release::Fenced(_)), &true)?;
    holds("the owner releases", &store.release(&board, Epoch(1), &ann).await?, &Release::Released)?;
    holds("and again", &store.release(&board, Epoch(1), &ann).await?, &Release::Released)?;
    let row = store.row(&board).await?;
    holds("the epoch stays", &(row.epoch, row.owner), &(Epoch(1), None))?;
    let orphan = store.append(&board, Epoch(1), &entries(1, 1)).await?;
    holds("a released board takes no writes", &matches!(orphan, Append::Fenced(_)), &true)?;
    let next = Claim::Claimed { epoch: Epoch(2), last_seq: Seq::ZERO };
    holds("the next owner gets the next epoch", &store.claim(&board, Epoch(1), &bob).await?, &next)?;
    let stale = store.release(&board, Epoch(1), &ann).await?;
    holds("a stale release is fenced", &matches!(stale, Release::Fenced(_)), &true)
}

async fn owners_are_paged(store: &dyn BoardStore) -> Result<(), Violation> {
    let carol = server("carol");
    let boards: Vec<BoardId> = (0..5).map(|number| board(&format!("owned-{number}"))).collect();
    for board in &boards {
        store.claim(board, Epoch(0), &carol).await?;
    }
    let (mut read, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.owners(&carol, cursor.as_ref(), 2).await?;
        holds("a page is not longer than asked", &(page.boards.len() <= 2), &true)?;
        read.extend(page.boards.into_iter().map(|row| row.board));
        cursor = page.next;
        if cursor.is_none() || read.len() > boards.len() {
            break;
        }
    }
    holds("the pages together are all, once, in order", &read, &boards)?;
    let nobody = store.owners(&server("nobody"), None, 10).await?;
    holds("a server without boards has none", &nobody.boards.len(), &0)
}

async fn a_heartbeat_publishes_connect(store: &dyn BoardStore) -> Result<(), Violation> {
    let (board, dave) = (board("heartbeat"), server("dave"));
    store.claim(&board, Epoch(0), &dave).await?;
    let before = store.row(&board).await?.owner.map(|owner| owner.liveness);
    holds("a server that never sent a heartbeat is dead", &before, &Some(Liveness::Dead))?;
    let connect = Connect::parse("ws://host/board/{board}").expect("a connect");
    store.heartbeat(&dave, Some(&connect)).await?;
    let owner = Owner { server: dave, liveness: Liveness::Alive, connect: Some(connect) };
    holds("a heartbeat makes it alive and says where", &store.row(&board).await?.owner, &Some(owner))
}
