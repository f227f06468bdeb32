//! A large fleet is carried across in lanes: several waves at one time, and no server in two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use segue_domain::decide::{decide, needs};
use segue_domain::decision::Decision;
use segue_domain::effect::{Effect, Intent, MoveWave};
use segue_domain::event::Event;
use segue_domain::ids::{BoardId, InstanceId, Version};
use segue_domain::plan::Kind;
use segue_domain::service::NeedsCanary;
use segue_domain::state::ReleaseState;
use segue_domain::step::Step;

use crate::foresight::planned;
use crate::stage::Stage;

/// More decisions than any of these releases takes.
const DECISIONS_MAX: usize = 200;

struct Crossing {
    stage: Stage,
    state: ReleaseState,
}

impl Crossing {
    /// So many servers with so many boards, closed, and as many new ones that serve.
    fn of(servers: u32, boards: u64) -> Self {
        Self::at(1, servers, boards)
    }

    /// The same behind so many load balancers.
    fn at(balancers: u32, servers: u32, boards: u64) -> Self {
        let mut stage = Stage::new();
        stage.build_balancers(balancers);
        // Clients are led by the application itself: nobody has hundreds of slots.
        stage.service.routing.first.slots.clear();
        stage.service.routing.others.iter_mut().for_each(|balancer| balancer.slots.clear());
        stage.seed(servers, boards);
        stage.service.full.needs_canary = NeedsCanary::No;
        let state = ReleaseState::planned(planned(&stage, Kind::Full, "2"), stage.now);
        let mut crossing = Self { stage, state };
        for _ in 0..DECISIONS_MAX {
            if crossing.state.was_entered(Step::Handover) {
                return crossing;
            }
            crossing.go_on();
        }
        panic!("the handover was never entered: {:?}", crossing.state.stance);
    }

    /// One decision, and what it does.
    fn go_on(&mut self) -> Vec<Intent> {
        let decision = decide(&self.state, &self.stage.seen(&needs(&self.state)));
        let mut begun = Vec::new();
        match decision {
            Decision::Record(events) => events.iter().for_each(|event| self.tell(event)),
            Decision::Do(intents) => {
                for intent in &intents {
                    self.tell(&Event::Intended(intent.clone()));
                }
                for intent in &intents {
                    let outcome = self.stage.apply(intent);
                    let (id, attempt) = (intent.id.clone(), intent.attempt);
                    self.tell(&Event::Ended { id, attempt, outcome });
                }
                begun = intents;
            }
            Decision::Wait(_) => {}
            other => panic!("it does not go on: {other:?}"),
        }
        self.stage.now = self.stage.now.after(Duration::from_secs(1));
        begun
    }

    fn tell(&mut self, event: &Event) {
        self.state.apply(self.stage.now, event).unwrap();
    }

    /// The waves of each decision, until no old server has a board.
    fn waves(&mut self) -> Vec<Vec<MoveWave>> {
        let mut rounds = Vec::new();
        for _ in 0..DECISIONS_MAX {
            let of = |intent: Intent| match intent.effect {
                Effect::Move(wave) => wave.as_ref().clone(),
                other => panic!("no wave: {other:?}"),
            };
            let round: Vec<MoveWave> = self.go_on().into_iter().map(of).collect();
            if !round.is_empty() {
                rounds.push(round);
            }
            if self.boards_of("1") == 0 {
                return rounds;
            }
        }
        panic!("{} boards are left", self.boards_of("1"));
    }

    fn boards_of(&self, version: &str) -> usize {
        let theirs = self.stage.servers.values().filter(|it| it.instance.version == Version::new(version));
        theirs.map(|server| server.boards.len()).sum()
    }
}

fn servers(wave: &MoveWave) -> BTreeSet<&InstanceId> {
    wave.wave.moves.iter().flat_map(|one| [&one.from, &one.to]).collect()
}

#[test]
fn eighty_new_servers_get_their_boards_in_two_lanes_after_the_trials() {
    let mut crossing = Crossing::of(80, 600);
    let rounds = crossing.waves();
    let (trials, lanes) = rounds.split_at(3);
    assert!(trials.iter().all(|round| round.len() == 1), "a trial goes alone");
    assert!(lanes.iter().all(|round| round.len() == 2), "then there are two at one time");
    let numbers: Vec<u32> = rounds.iter().flatten().map(|wave| wave.wave.number).collect();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<u32>>());
    for round in lanes {
        let [one, other] = round.as_slice() else { panic!("two waves") };
        assert!(servers(one).is_disjoint(&servers(other)), "no server is in two waves at one time");
        let most = usize::try_from(crossing.stage.service.handover.wave_boards).unwrap();
        assert!(round.iter().all(|wave| wave.wave.moves.len() <= most), "a wave is no larger than any");
    }
    let mut times: BTreeMap<&BoardId, usize> = BTreeMap::new();
    for one in rounds.iter().flatten().flat_map(|wave| &wave.wave.moves) {
        *times.entry(&one.board).or_default() += 1;
    }
    assert_eq!(times.len(), 600);
    assert!(times.values().all(|times| *times == 1), "every board was moved once");
    assert_eq!(crossing.boards_of("2"), 600);
}

#[test]
fn fewer_than_eighty_new_servers_get_their_boards_by_one_wave_at_a_time() {
    let rounds = Crossing::of(79, 300).waves();
    assert!(rounds.iter().all(|round| round.len() == 1));
}

/// A lane is cut from the fleet as it stands in the list, not by who has room.
#[test]
fn where_a_lane_has_no_room_the_whole_fleet_has_one_wave() {
    let mut crossing = Crossing::of(80, 160);
    crossing.stage.bytes = 10_000;
    let new: Vec<InstanceId> = crossing.state.green().into_iter().collect();
    let full: BTreeSet<&InstanceId> = new.iter().step_by(2).collect();
    for id in &full {
        crossing.stage.open_boards_on(id, 8);
    }
    let rounds = crossing.waves();
    assert!(rounds.len() > 3, "there is more than trials");
    assert!(rounds.iter().all(|round| round.len() == 1), "no lane may fill who is full");
    let joined = rounds.iter().flatten().flat_map(|wave| &wave.wave.moves).map(|one| &one.to);
    assert!(joined.into_iter().all(|to| !full.contains(to)));
}

/// Its users are told the way; those of all others need no other way for that.
#[test]
fn a_board_that_finds_no_room_at_its_load_balancer_goes_elsewhere_and_takes_no_other_with_it() {
    let mut crossing = Crossing::at(2, 4, 8);
    let [east, west] = [1, 2].map(|place| crate::setup::balancer(place).forward);
    // Eight boards fill a server. The two new ones of the second load balancer have room for one board together.
    crossing.stage.bytes = 10_000;
    let is_at_west = |id: &InstanceId| *crossing.state.home(id) == west;
    let full: Vec<InstanceId> = crossing.state.green().into_iter().filter(is_at_west).collect();
    for (id, boards) in full.iter().zip([8, 7]) {
        crossing.stage.open_boards_on(id, boards);
    }
    let rounds = crossing.waves();
    let moves: Vec<_> = rounds.iter().flatten().flat_map(|wave| &wave.wave.moves).collect();
    let way = |from, to| {
        let home = |id| crossing.state.home(id);
        moves.iter().filter(|one| home(&one.from) == from && home(&one.to) == to).count()
    };
    assert_eq!((way(&east, &east), way(&east, &west)), (4, 0), "whoever has room at home stays there");
    assert_eq!((way(&west, &west), way(&west, &east)), (1, 3));
}
