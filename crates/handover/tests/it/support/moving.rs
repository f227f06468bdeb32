//! A daemon's part in one board's move.

use segue_handover::wire::{
    ActivateAnswer, ActivateRequest, Connect, EndAnswer, EndRequest, Epoch, OfferAnswer, OfferRequest,
    Outcome, PrepareAnswer, PrepareRequest, PrepareState, ProblemCode, SealAnswer, SealRequest, Seq,
};

use super::{Node, board_id, eventually, move_id, per_s};

/// One board's move, asked step by step.
pub(crate) struct Moving<'a> {
    pub(crate) name: &'a str,
    pub(crate) board: &'a str,
    pub(crate) from_epoch: u64,
    pub(crate) seal_ttl_ms: u64,
}

impl<'a> Moving<'a> {
    pub(crate) fn new(name: &'a str, board: &'a str, from_epoch: u64) -> Self {
        Self { name, board, from_epoch, seal_ttl_ms: 5_000 }
    }

    pub(crate) fn prepare_request(&self) -> PrepareRequest {
        PrepareRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            from_epoch: Epoch(self.from_epoch),
            ttl_ms: 60_000,
            attach_rate_per_s: None,
        }
    }

    /// Prepares and waits until the standby is ready.
    pub(crate) async fn prepare(&self, new: &Node) -> PrepareAnswer {
        loop {
            match new.control.prepare(&self.prepare_request()).await {
                Ok(answer) if answer.state == PrepareState::Loading => {}
                Ok(answer) => return answer,
                Err(error) => {
                    let code = error.problem().expect("a problem document").code;
                    assert_eq!(code, ProblemCode::StillWorking);
                }
            }
        }
    }

    pub(crate) async fn wait_attached(&self, new: &Node, wanted: u32) {
        let request = self.prepare_request();
        eventually(async || new.control.prepare(&request).await.expect("prepares").attached >= wanted).await;
    }

    pub(crate) fn offer_request(&self, connect: &Connect) -> OfferRequest {
        OfferRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            connect: connect.clone(),
            rate_per_s: per_s(1_000),
            deadline_ms: 15_000,
        }
    }

    pub(crate) async fn offer(&self, old: &Node, connect: &Connect) -> OfferAnswer {
        old.control.offer(&self.offer_request(connect)).await.expect("offers")
    }

    pub(crate) fn seal_request(&self, standby_seq: Option<Seq>) -> SealRequest {
        SealRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            epoch: Epoch(self.from_epoch),
            seal_ttl_ms: self.seal_ttl_ms,
            standby_seq,
        }
    }

    pub(crate) async fn seal(&self, old: &Node, standby_seq: Option<Seq>) -> SealAnswer {
        old.control.seal(&self.seal_request(standby_seq)).await.expect("seals")
    }

    pub(crate) fn activate_request(&self, seal: SealAnswer) -> ActivateRequest {
        ActivateRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            from_epoch: Epoch(self.from_epoch),
            final_seq: Some(seal.final_seq),
            delta: seal.delta,
            digest: seal.digest,
            force: false,
        }
    }

    pub(crate) async fn activate(&self, new: &Node, seal: SealAnswer) -> ActivateAnswer {
        new.control.activate(&self.activate_request(seal)).await.expect("activates")
    }

    pub(crate) async fn end(&self, node: &Node, outcome: Outcome) -> EndAnswer {
        let request = EndRequest { move_id: move_id(self.name), board: board_id(self.board), outcome };
        node.control.end(&request).await.expect("ends")
    }

    /// The whole way, for as many clients as attach by themselves.
    pub(crate) async fn run(&self, old: &Node, new: &Node) {
        let prepared = self.prepare(new).await;
        let offered = self.offer(old, &prepared.connect).await;
        self.wait_attached(new, offered.offered).await;
        let seal = self.seal(old, Some(prepared.seq)).await;
        let activated = self.activate(new, seal).await;
        assert_eq!(activated.epoch, Epoch(self.from_epoch + 1));
        self.end(old, Outcome::Release).await;
        self.end(new, Outcome::Release).await;
    }
}
