//! Plays a scenario: one command a line, in an operator's words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use segue_domain::decision::Decision;
use segue_domain::effect::Intent;
use segue_domain::event::{Event, ServiceEvent, Word};
use segue_domain::ids::{Actor, BoardId, CheckName, ImageId, InstanceId, ServiceName, Version};
use segue_domain::instance::InstanceState;
use segue_domain::plan::Kind;
use segue_domain::refusal::Refusal;
use segue_domain::request::{self, Facts, Request};
use segue_domain::service_state::ServiceState;
use segue_domain::state::ReleaseState;
use segue_domain::step::Step;
use segue_domain::target::TargetHealth;
use segue_domain::world::World;
use segue_domain::{decide, decide_after, needs, needs_after, needs_no_look};

use crate::narrate;
use crate::stage::{Stage, group};

/// A pass a second, and at most so many in one `run`.
const PASSES: u32 = 400;

struct Play {
    stage: Stage,
    history: ServiceState,
    release: Option<ReleaseState>,
    story: String,
    last: String,
}

/// Plays the commands and tells what was decided.
pub(crate) fn play(script: &str) -> String {
    let mut play = Play {
        stage: Stage::new(),
        history: ServiceState::new(ServiceName::new("boards")),
        release: None,
        story: String::new(),
        last: String::new(),
    };
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        writeln!(play.story, "> {line}").unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        play.command(&words);
    }
    play.story
}

impl Play {
    fn command(&mut self, words: &[&str]) {
        match words {
            ["servers", servers, "boards", boards] => {
                self.stage.seed(servers.parse().unwrap(), boards.parse().unwrap());
            }
            ["canary", rest @ ..] => self.ask(Kind::Canary, rest),
            ["release", rest @ ..] => self.ask(Kind::Full, rest),
            ["rollback", rest @ ..] => self.ask(Kind::Rollback, rest),
            ["run"] => self.run(None, PASSES),
            ["run", "for", passes] => self.run(None, passes.parse().unwrap()),
            ["run", "until", step] => self.run(Some(Step::named(step).unwrap()), PASSES),
            ["wait", seconds] => {
                self.stage.now = self.stage.now.after(Duration::from_secs(seconds.parse().unwrap()));
            }
            ["another-daemon", ..] => self.another_daemon(words),
            ["say", word] => self.say(word),
            ["cleanup"] => self.cleanup(),
            ["show"] => narrate::stage(&mut self.story, &self.stage),
            _ => self.fate(words),
        }
    }

    /// Another daemon takes over: after a time in which there was none, or with a clock that is behind by so much.
    fn another_daemon(&mut self, words: &[&str]) {
        let now = self.stage.now;
        self.stage.now = match words {
            [_, "after", seconds] => now.after(Duration::from_secs(seconds.parse().unwrap())),
            [_, "behind", seconds] => now.before(Duration::from_secs(seconds.parse().unwrap())),
            _ => panic!("no such daemon: {words:?}"),
        };
        self.stage.watched_since = self.stage.now;
    }

    /// What happens to the world by itself.
    fn fate(&mut self, words: &[&str]) {
        match words {
            ["gone", what] => {
                self.stage.gone.insert((*what).to_owned());
            }
            ["there", what] => {
                self.stage.gone.remove(*what);
            }
            ["load-balancers" | "unconfigured" | "no-canaries" | "share", ..] => self.balancers(words),
            ["not-forwarded", name] => {
                self.stage.weights.remove(&group(name));
            }
            ["prometheus", state] => self.stage.prometheus_up = *state == "up",
            ["fate", what, verb] => self.stage.fates.set(what, verb),
            ["heard", verb] => self.hear_of(verb),
            ["size", size] => self.stage.service.launch.size = Some(size.parse().unwrap()),
            ["slots", count] => self.stage.service.routing.first.slots.truncate(count.parse().unwrap()),
            ["canary-count", count] => self.stage.service.canary.count = count.parse().unwrap(),
            ["runs" | "claims" | "counts" | "silent" | "answers", id, ..] => self.tells(id, words),
            ["restarted-open", id] => self.server(id).open = segue_domain::app::AppState::Serving,
            ["forgot-its-route", id] => self.server(id).route = None,
            ["closed-late", id] => self.server(id).open = segue_domain::app::AppState::Closed,
            ["started", id] => self.server(id).instance.state = InstanceState::Running,
            ["stopped", id] => self.server(id).instance.state = InstanceState::Stopped,
            ["joins", version] => self.stage.join(version),
            ["listed", id, name] => {
                self.stage.groups.get_mut(&group(name)).unwrap().insert(InstanceId::new(*id));
            }
            ["unlisted", id, name] => {
                self.stage.groups.get_mut(&group(name)).unwrap().remove(&InstanceId::new(*id));
            }
            ["taken-over", id, by] => {
                let boards = std::mem::take(&mut self.server(id).boards);
                self.server(by).boards.extend(boards);
            }
            ["forgotten", id] => {
                self.server(id).instance.state = InstanceState::Terminated;
                self.stage.forgotten.insert(InstanceId::new(*id));
            }
            ["untagged", id] => {
                self.stage.forgotten.insert(InstanceId::new(*id));
            }
            ["tagged", id] => {
                self.stage.forgotten.remove(&InstanceId::new(*id));
            }
            ["terminated", id] => self.server(id).instance.state = InstanceState::Terminated,
            ["healthy" | "unhealthy" | "unavailable" | "unread" | "read" | "checking" | "checked", what] => {
                self.load_balancer(words[0], what);
            }
            ["errors", id, count] => self.server(id).errors += count.parse::<u64>().unwrap(),
            ["restarted", id] => self.server(id).started_at_ms += 1,
            ["boards", id, count] => {
                self.stage.open_boards_on(&InstanceId::new(*id), count.parse().unwrap());
            }
            ["configured" | "types" | "full" | "room-in" | "room", ..] => self.room(words),
            ["stubborn", board] => {
                self.stage.stubborn.insert(BoardId::new(*board));
            }
            ["willing", board] => {
                self.stage.stubborn.remove(&BoardId::new(*board));
            }
            ["level", level] => self.stage.level = level.parse().unwrap(),
            ["bytes", bytes] => self.stage.bytes = bytes.parse().unwrap(),
            ["hidden"] => self.stage.hides_new = true,
            ["shown"] => self.stage.hides_new = false,
            ["workload", "requests"] => {
                self.stage.service.workload = segue_domain::service::Workload::Requests;
            }
            ["new-format"] => self.stage.new_format = true,
            _ => panic!("no such command: {words:?}"),
        }
    }

    /// How many load balancers there are, and what part of the users comes to one of them.
    fn balancers(&mut self, words: &[&str]) {
        match words {
            ["load-balancers", count] => self.stage.build_balancers(count.parse().unwrap()),
            // The last one is taken out of the configuration, and does not exist any more.
            ["unconfigured"] => {
                let last = self.stage.service.routing.others.pop().unwrap();
                self.stage.abandoned.extend(last.groups().cloned());
            }
            ["no-canaries"] => self.stage.service.routing.first.canaries.clear(),
            ["share", place, share] => {
                let balancer = &mut self.stage.service.routing.others[place.parse::<usize>().unwrap() - 2];
                balancer.share = share.parse().unwrap();
            }
            _ => panic!("no such command: {words:?}"),
        }
    }

    /// What the load balancer says, and whether it says anything.
    fn load_balancer(&mut self, word: &str, what: &str) {
        match word {
            "healthy" => self.server(what).health = TargetHealth::Healthy,
            "unhealthy" => self.server(what).health = TargetHealth::Unhealthy,
            "unavailable" => self.server(what).health = TargetHealth::Unavailable,
            "unread" => {
                self.stage.unread.insert(group(what));
            }
            "checking" => {
                self.stage.checking.insert(group(what));
            }
            "checked" => {
                self.stage.checking.remove(&group(what));
            }
            _ => {
                self.stage.unread.remove(&group(what));
            }
        }
    }

    /// What is made of a launched instance, where EC2 has room for some, and of which types.
    fn room(&mut self, words: &[&str]) {
        match words {
            ["configured", command @ ..] => {
                self.stage.service.launch.configure =
                    Some(command.iter().map(|it| (*it).to_owned()).collect());
            }
            ["types", types @ ..] => {
                self.stage.service.launch.types = types.iter().map(|it| (*it).into()).collect();
            }
            ["full", what] => {
                self.stage.full.insert((*what).to_owned());
            }
            ["room-in", what] => {
                self.stage.full.remove(*what);
            }
            ["room", count] => self.stage.room = Some(count.parse().unwrap()),
            _ => panic!("no such command: {words:?}"),
        }
    }

    /// What somebody says of itself.
    fn tells(&mut self, id: &str, words: &[&str]) {
        let server = self.server(id);
        match words {
            ["runs", _, version] => {
                server.instance.image = ImageId::new(format!("ami-{version}"));
                server.instance.version = Version::new(*version);
            }
            ["claims", _, version] => server.claims = Some(Version::new(*version)),
            ["counts", _, boards] => server.counts = Some(boards.parse().unwrap()),
            ["silent", _] => server.silent = true,
            ["answers", _] => server.silent = false,
            _ => panic!("{words:?} is no command"),
        }
    }

    fn server(&mut self, id: &str) -> &mut crate::stage::Server {
        self.stage.servers.get_mut(&InstanceId::new(id)).unwrap()
    }

    fn ask(&mut self, kind: Kind, rest: &[&str]) {
        let (version, overrides) = match rest {
            [] => (None, BTreeMap::new()),
            [version] => (Some(Version::new(*version)), BTreeMap::new()),
            [version, "override", check, reason @ ..] => {
                let reason = reason.join(" ");
                (Some(Version::new(*version)), BTreeMap::from([(CheckName::new(*check), reason)]))
            }
            _ => panic!("no such request: {rest:?}"),
        };
        match self.plan(&Request { kind, version, parent: None, overrides }) {
            Ok(()) => {}
            Err(refusal) => {
                writeln!(self.story, "  refused {}: {refusal}; hint: {}", refusal.code(), refusal.hint())
                    .unwrap();
            }
        }
    }

    fn plan(&mut self, asked: &Request) -> Result<(), Refusal> {
        let mut images = crate::setup::images();
        images.retain(|image| !self.stage.gone.contains(image.id.as_str()));
        let world = self.stage.world();
        let targets = self.stage.groups.keys().map(|name| (name.clone(), self.stage.targets(name))).collect();
        let plan = request::plan(
            asked,
            &Facts {
                service: &self.stage.service,
                images: &images,
                has_template: !self.stage.gone.contains(self.stage.service.launch.template.as_str()),
                instances: world.instances.known().unwrap(),
                targets: &targets,
                weights: &self.stage.weights,
                history: &self.history,
            },
        )?;
        narrate::plan(&mut self.story, &plan);
        let began = ServiceEvent::Began {
            release: plan.release.clone(),
            kind: plan.kind,
            version: plan.image.version.clone(),
            from_version: plan.from_version.clone(),
            request: None,
        };
        self.history.apply(self.stage.now, &began);
        self.release = Some(ReleaseState::planned(plan, self.stage.now));
        Ok(())
    }

    fn say(&mut self, word: &str) {
        let all = [Word::Promote, Word::Pause, Word::Resume, Word::Abort, Word::Retry];
        let word = all.into_iter().find(|it| it.name() == word).unwrap();
        let state = self.release.as_mut().unwrap();
        match request::may_say(state, word, &Actor::new("ann"), None) {
            Ok(events) => {
                for event in events {
                    state.apply(self.stage.now, &event).unwrap();
                }
                self.last.clear();
            }
            Err(refusal) => writeln!(self.story, "  refused {}: {refusal}", refusal.code()).unwrap(),
        }
    }

    fn run(&mut self, until: Option<Step>, passes: u32) {
        for _ in 0..passes {
            let state = self.release.as_ref().unwrap();
            if until.is_some_and(|step| state.was_entered(step)) {
                return;
            }
            let decision = decide(state, &self.stage.seen(&needs(state)));
            let unseen = self.stage.unseen();
            if needs_no_look(state, &unseen) {
                assert_eq!(decision, decide(state, &unseen), "whatever is seen");
            }
            if self.follow(&decision) {
                return;
            }
        }
    }

    /// Whatever hung of this verb is carried out after all, by its fate as it is now.
    fn hear_of(&mut self, verb: &str) {
        let hung = self.release.as_ref().unwrap().in_flight();
        let hung = hung.filter(|(_, record)| record.effect.verb() == verb).map(|(id, record)| Intent {
            id: id.clone(),
            attempt: record.attempt,
            effect: record.effect.clone(),
        });
        for intent in hung.collect::<Vec<_>>() {
            self.carry_out(&intent);
        }
    }

    fn carry_out(&mut self, intent: &Intent) {
        let Some(outcome) = self.stage.fulfil(intent) else { return };
        narrate::outcome(&mut self.story, &outcome);
        let (id, attempt) = (intent.id.clone(), intent.attempt);
        self.record(&[Event::Ended { id, attempt, outcome }]);
    }

    /// Carries a decision out; true when there is nothing more to do by itself.
    fn follow(&mut self, decision: &Decision) -> bool {
        let line = narrate::decision(self.release.as_ref().unwrap(), decision);
        if line != self.last {
            let at = self.stage.now.as_ms() / 1_000;
            writeln!(self.story, "{at:>4} {line}").unwrap();
            self.last = line;
        }
        match decision {
            Decision::Record(events) => self.record(events),
            Decision::Do(intents) => {
                for intent in intents {
                    self.record(&[Event::Intended(intent.clone())]);
                    self.carry_out(intent);
                }
            }
            Decision::Wait(wait) if wait.until == segue_domain::time::Timestamp::NEVER => return true,
            Decision::Wait(_) => {}
            Decision::Ask(gate) => {
                self.record(&[Event::Asked { gate: gate.clone() }]);
                return true;
            }
            Decision::Park(reason) => {
                self.record(&[Event::Held { reason: reason.clone() }]);
                return true;
            }
            Decision::Close(verdict) => {
                self.record(&[Event::Closed { verdict: verdict.clone() }]);
                let release = self.release.as_ref().unwrap().plan.release.clone();
                self.history
                    .apply(self.stage.now, &ServiceEvent::Finished { release, verdict: verdict.clone() });
                return true;
            }
            Decision::Over => return true,
        }
        self.stage.now = self.stage.now.after(Duration::from_secs(1));
        false
    }

    fn cleanup(&mut self) {
        for _ in 0..PASSES {
            let claimed = std::collections::BTreeSet::new();
            let state = self.release.as_ref().unwrap();
            let configured = &self.stage.service.routing;
            let decision = decide_after(state, &self.seen_after(state), &claimed, configured);
            if self.follow(&decision) {
                return;
            }
        }
    }

    /// Every group of the release's own plan is read as well, whatever is configured today.
    fn seen_after(&self, state: &ReleaseState) -> World {
        let mut needs = needs_after(state);
        needs.slots.extend(state.plan.service.routing.forwarded().cloned());
        self.stage.seen(&needs)
    }

    fn record(&mut self, events: &[Event]) {
        let state = self.release.as_mut().unwrap();
        for event in events {
            state.apply(self.stage.now, event).unwrap();
        }
    }
}
