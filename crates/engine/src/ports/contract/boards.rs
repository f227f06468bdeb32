//! What every [`Boards`] must do, with two servers of the application behind it.

use std::sync::Arc;
use std::time::Duration;

use segue_domain::app::{AppState, BoardRow, BoardState};
use segue_domain::ids::{BoardId, EffectId, InstanceId, MoveId, Route};

use super::eventually;
use crate::ports::{AttachPlan, Boards, Class, EndOf, MoveItem, Sealed, StandbyTerms, Target};

/// Two servers, and boards on the first.
#[derive(Debug, Clone)]
pub struct BoardsFixture {
    pub old: Target,
    pub new: Target,
    /// At least four, alive on the old server; nobody closes them during the suite.
    pub boards: Vec<BoardId>,
    /// Makes this run's moves its own.
    pub run: u64,
    pub patience: Duration,
}

const TERMS: StandbyTerms = StandbyTerms { ttl: Duration::from_secs(30), attach_rate_per_s: 100 };
const SEAL_TTL: Duration = Duration::from_secs(1);

/// One suite under way.
struct Suite {
    boards: Arc<dyn Boards>,
    fixture: BoardsFixture,
}

/// Runs the whole suite.
pub async fn boards(boards: Arc<dyn Boards>, fixture: BoardsFixture) {
    let [moves, calls_off, seals, stays] = match fixture.boards.as_slice() {
        [a, b, c, d, ..] => [a, b, c, d].map(BoardId::clone),
        few => panic!("the fixture has too few boards: {few:?}"),
    };
    let suite = Suite { boards, fixture };
    suite.a_server_opens_and_closes().await;
    suite.a_board_moves(&moves).await;
    suite.a_move_is_called_off(&calls_off).await;
    suite.a_seal_is_called_off(&seals).await;
    suite.a_seal_that_nothing_follows_ends_by_itself(&stays).await;
    suite.who_is_not_meant_does_not_obey().await;
    suite.a_server_is_drained().await;
}

impl Suite {
    async fn row(&self, at: &Target, board: &BoardId) -> Option<BoardRow> {
        let rows = self.boards.boards(at).await.expect("boards are listed");
        rows.into_iter().find(|row| row.board == *board)
    }

    async fn item(&self, board: &BoardId, what: &str) -> MoveItem {
        let row = self.row(&self.fixture.old, board).await.expect("the board is on the old server");
        let id = MoveId::new(format!("contract-{}-{what}", self.fixture.run));
        MoveItem { id, board: board.clone(), from_epoch: row.epoch }
    }

    async fn prepare(&self, item: &MoveItem) {
        let answer = self.boards.prepare(&self.fixture.new, std::slice::from_ref(item), TERMS).await;
        let mut prepared = answer.expect("a plural call is answered");
        assert_eq!(prepared.len(), 1, "one item, one answer: {prepared:?}");
        let prepared = prepared.remove(0).expect("the new server gets it ready");
        assert!(!prepared.connect.is_empty(), "the new server says how it is reached");
        eventually("a standby", self.fixture.patience, || async {
            let row = self.row(&self.fixture.new, &item.board).await;
            row.is_some_and(|row| row.state == BoardState::Standby && row.moving.as_ref() == Some(&item.id))
        })
        .await;
        let plan = AttachPlan {
            item: item.clone(),
            connect: prepared.connect,
            rate_per_s: 100,
            deadline: self.fixture.patience,
        };
        let offered = self.boards.offer(&self.fixture.old, &[plan]).await.expect("an offer is answered");
        assert_eq!(offered, vec![Ok(())]);
    }

    async fn seal(&self, item: &MoveItem) -> Sealed {
        self.boards.seal(&self.fixture.old, item, SEAL_TTL).await.expect("the old server seals")
    }

    async fn end(&self, item: &MoveItem, outcome: EndOf) {
        let moves = [(item.id.clone(), item.board.clone())];
        for at in [&self.fixture.old, &self.fixture.new] {
            self.boards.end(at, &moves, outcome).await.expect("the end is heard");
            self.boards.end(at, &moves, outcome).await.expect("and heard again");
        }
    }

    async fn a_server_opens_and_closes(&self) {
        let (boards, at) = (&self.boards, &self.fixture.new);
        boards.close(at).await.expect("a server closes");
        boards.close(at).await.expect("and closes again");
        assert_eq!(boards.status(at).await.expect("it answers").state, AppState::Closed);
        let route = Route::new("s01");
        boards.open(at, Some(&route)).await.expect("a server opens");
        boards.open(at, None).await.expect("and opens again");
        let status = boards.status(at).await.expect("it answers");
        assert_eq!((status.state, status.route), (AppState::Serving, Some(route)));
        assert_eq!(status.generation, at.generation, "the highest generation that was obeyed");
    }

    async fn a_board_moves(&self, board: &BoardId) {
        let (old, new) = (&self.fixture.old, &self.fixture.new);
        let item = self.item(board, "moves").await;
        self.prepare(&item).await;
        self.prepare(&item).await;
        let sealed = self.seal(&item).await;
        assert_eq!(
            self.seal(&item).await.final_seq,
            sealed.final_seq,
            "a seal that is asked again is the same"
        );
        let epoch = self.boards.activate(new, &item, &sealed).await.expect("the new server takes it");
        assert_eq!(epoch, item.from_epoch + 1);
        let again = self.boards.activate(new, &item, &sealed).await;
        assert_eq!(again, Ok(epoch), "the same move, the same answer");
        self.end(&item, EndOf::Release).await;
        let row = self.row(new, board).await.expect("it is on the new server");
        assert_eq!((row.state, row.epoch), (BoardState::Active, epoch));
        let left = self.row(old, board).await;
        assert!(
            left.is_none_or(|row| !row.state.is_owned_here()),
            "the old server does not hold it any more"
        );
        let stale = MoveItem { id: MoveId::new(format!("{}-stale", item.id)), ..item };
        let refused = self.boards.activate(old, &stale, &sealed).await.map_err(|error| error.class);
        assert_eq!(refused, Err(Class::Refused), "a stale epoch is refused");
    }

    async fn a_move_is_called_off(&self, board: &BoardId) {
        let item = self.item(board, "called-off").await;
        self.prepare(&item).await;
        self.end(&item, EndOf::Abort).await;
        let row = self.row(&self.fixture.old, board).await.expect("it stayed");
        assert_eq!((row.state, row.epoch), (BoardState::Active, item.from_epoch));
        assert_eq!(self.row(&self.fixture.new, board).await, None, "nobody is ready for it any more");
    }

    async fn a_seal_is_called_off(&self, board: &BoardId) {
        let item = self.item(board, "unsealed").await;
        self.prepare(&item).await;
        self.seal(&item).await;
        self.end(&item, EndOf::Abort).await;
        eventually("the board to be served again", self.fixture.patience, || async {
            let row = self.row(&self.fixture.old, board).await;
            row.is_some_and(|row| row.state == BoardState::Active && row.epoch > item.from_epoch)
        })
        .await;
    }

    async fn a_seal_that_nothing_follows_ends_by_itself(&self, board: &BoardId) {
        let item = self.item(board, "silent").await;
        self.prepare(&item).await;
        let sealed = self.seal(&item).await;
        eventually("the board to be taken back", self.fixture.patience, || async {
            let row = self.row(&self.fixture.old, board).await;
            row.is_some_and(|row| row.state == BoardState::Active && row.epoch == item.from_epoch + 1)
        })
        .await;
        let late = self.boards.activate(&self.fixture.new, &item, &sealed).await.map_err(|error| error.class);
        assert_eq!(late, Err(Class::Refused), "an activate after the seal's end loses");
        self.end(&item, EndOf::Abort).await;
        let owned = self.boards.owned_by(&self.fixture.new, &self.fixture.old.instance).await;
        assert!(owned.is_ok_and(|owned| owned >= 3), "the ownership table names the old server");
        let nobody = InstanceId::new("i-0ffffffffffffffff");
        assert_eq!(self.boards.owned_by(&self.fixture.new, &nobody).await, Ok(0));
    }

    async fn who_is_not_meant_does_not_obey(&self) {
        let at = &self.fixture.new;
        let stale = Target { generation: at.generation.saturating_sub(1), ..at.clone() };
        let refused = self.boards.close(&stale).await.map_err(|error| error.class);
        assert_eq!(refused, Err(Class::Refused), "a lower generation than one that was seen is refused");
        let another = Target { instance: InstanceId::new("i-0ffffffffffffffff"), ..at.clone() };
        let refused = self.boards.close(&another).await.map_err(|error| error.class);
        assert_eq!(refused, Err(Class::Refused), "a call that is meant for another is refused");
        assert_eq!(self.boards.status(at).await.map(|status| status.state), Ok(AppState::Serving));
    }

    /// The id is made as the engine makes it.
    async fn a_server_is_drained(&self) {
        let (boards, at) = (&self.boards, &self.fixture.old);
        let id = EffectId::new(format!("contract-{}/out/handover/drain/{}", self.fixture.run, at.instance));
        boards.drain(at, &id, 1_000).await.expect("a server is drained");
        boards.drain(at, &id, 1_000).await.expect("and drained again");
        assert_eq!(boards.status(at).await.map(|status| status.state), Ok(AppState::Draining));
        eventually("an empty server", self.fixture.patience, || async {
            let rows = boards.boards(at).await;
            rows.is_ok_and(|rows| !rows.iter().any(|row| row.state.is_owned_here()))
        })
        .await;
        boards.open(at, None).await.expect("a drained server opens");
        assert_eq!(boards.status(at).await.map(|status| status.state), Ok(AppState::Serving));
    }
}
