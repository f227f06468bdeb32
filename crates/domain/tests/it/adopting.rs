//! Which running servers are taken in, in which version, and why not.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::adoption::{
    AdoptionFacts, AdoptionPlan, AdoptionRequest, KnownBy, candidates, plan, plan_rest,
};
use segue_domain::app::{AppState, AppStatus, Caps, Formats};
use segue_domain::event::{ServiceEvent, Taken};
use segue_domain::ids::{GroupArn, ImageId, InstanceId, Route, ServiceName, Version};
use segue_domain::instance::InstanceState;
use segue_domain::plan::Kind;
use segue_domain::reading::{Reading, Why};
use segue_domain::refusal::Refusal;
use segue_domain::service::Service;
use segue_domain::service_state::{Adoption, ServiceState};
use segue_domain::stranger::{
    MANAGED_BY_TAG, SCALING_GROUP_TAG, SERVICE_TAG, Stranger, VERSION_TAG, tags_of,
};
use segue_domain::target::{TargetHealth, Targets};
use segue_domain::time::Timestamp;

use crate::setup;
use crate::stage::group;

const AT: Timestamp = Timestamp::from_ms(1_000);

/// What there is to see before anybody has adopted anything.
struct Sight {
    service: Service,
    targets: BTreeMap<GroupArn, Targets>,
    servers: BTreeMap<InstanceId, Stranger>,
    apps: BTreeMap<InstanceId, Reading<AppStatus>>,
    history: ServiceState,
}

fn id(id: &str) -> InstanceId {
    InstanceId::new(id)
}

fn status(version: &str) -> AppStatus {
    AppStatus {
        version: Version::new(version),
        state: AppState::Serving,
        level: 2,
        formats: Formats::default(),
        boards: 0,
        clients: 0,
        caps: Caps { boards: 10, clients: 10, bytes: 10 },
        route: None,
        generation: 0,
    }
}

impl Sight {
    /// Two servers of version 1 in colour `a`, each with a slot, and nothing of Segue's on them.
    fn of_two() -> Self {
        let mut sight = Self {
            service: setup::service(),
            targets: BTreeMap::new(),
            servers: BTreeMap::new(),
            apps: BTreeMap::new(),
            history: ServiceState::new(ServiceName::new("boards")),
        };
        for (name, slot) in [("i-1", "slot-01"), ("i-2", "slot-02")] {
            let server = Stranger {
                id: id(name),
                image: ImageId::new("ami-1"),
                image_version: Some(Version::new("1")),
                state: InstanceState::Running,
                address: Some(format!("10.0.0.{name}")),
                tags: BTreeMap::from([("Name".to_owned(), "board server".to_owned())]),
            };
            sight.servers.insert(id(name), server);
            sight.apps.insert(id(name), Reading::fresh(status("1")));
            for group in [group("a"), group(slot)] {
                sight.targets.entry(group).or_default().insert(id(name), TargetHealth::Healthy);
            }
        }
        sight
    }

    fn server(&mut self, name: &str) -> &mut Stranger {
        self.servers.get_mut(&id(name)).unwrap()
    }

    fn tag(&mut self, name: &str, key: &str, value: &str) {
        self.server(name).tags.insert(key.to_owned(), value.to_owned());
    }

    fn facts(&self) -> AdoptionFacts<'_> {
        AdoptionFacts {
            service: &self.service,
            targets: &self.targets,
            servers: &self.servers,
            apps: &self.apps,
            history: &self.history,
        }
    }

    fn plan(&self) -> Result<AdoptionPlan, Refusal> {
        plan(&AdoptionRequest::default(), &self.facts())
    }

    fn plan_of(&self, names: &[&str]) -> Result<AdoptionPlan, Refusal> {
        plan(&named(names), &self.facts())
    }

    #[track_caller]
    fn refuses(&self, code: &str) -> Refusal {
        let refusal = self.plan().unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
        refusal
    }

    /// Nothing but what somebody says tells the version.
    fn nobody_says(&mut self) {
        for server in self.servers.values_mut() {
            server.image_version = None;
        }
        for app in self.apps.values_mut() {
            *app = Reading::Unknown(Why::Unreachable("refused".to_owned()));
        }
    }
}

fn named(names: &[&str]) -> AdoptionRequest {
    AdoptionRequest { instances: names.iter().map(|name| id(name)).collect(), version: None }
}

fn asking(version: &str) -> AdoptionRequest {
    AdoptionRequest { version: Some(Version::new(version)), ..AdoptionRequest::default() }
}

#[test]
fn whoever_serves_in_a_colour_group_is_taken_in() {
    let mut sight = Sight::of_two();
    sight.targets.entry(group("a")).or_default().insert(id("i-leaving"), TargetHealth::Draining);
    let wanted = candidates(&AdoptionRequest::default(), &sight.service, &sight.targets);
    assert_eq!(wanted, BTreeSet::from([id("i-1"), id("i-2")]), "what is leaving is left alone");
    let plan = sight.plan().unwrap();
    assert!(!plan.is_done() && plan.tagged.is_empty());
    let first = &plan.servers[&id("i-1")];
    assert_eq!((first.version.as_str(), first.known_by), ("1", KnownBy::Image));
    assert_eq!(first.groups, BTreeSet::from([group("a")]));
    assert_eq!(first.route, Some(Route::new("s01")));
}

#[test]
fn only_those_that_are_named_are_taken_in() {
    let plan = Sight::of_two().plan_of(&["i-2"]).unwrap();
    assert_eq!(plan.servers.into_keys().collect::<Vec<_>>(), [id("i-2")]);
}

#[test]
fn those_with_the_services_tags_are_known_and_left_as_they_are() {
    let mut sight = Sight::of_two();
    for (key, value) in tags_of(&ServiceName::new("boards"), &Version::new("1")) {
        sight.tag("i-1", &key, &value);
    }
    let plan = sight.plan().unwrap();
    assert_eq!(plan.tagged, BTreeSet::from([id("i-1")]));
    assert_eq!(plan.servers.keys().collect::<Vec<_>>(), [&id("i-2")]);
    assert!(sight.plan_of(&["i-1"]).unwrap().is_done());
}

#[test]
fn a_server_that_is_half_tagged_gets_the_rest() {
    let mut sight = Sight::of_two();
    sight.tag("i-1", SERVICE_TAG, "boards");
    sight.tag("i-2", VERSION_TAG, "1");
    assert_eq!(sight.plan().unwrap().servers.len(), 2);
}

#[test]
fn a_server_that_lacks_any_one_of_the_tags_gets_it() {
    for lacking in [MANAGED_BY_TAG, SERVICE_TAG, VERSION_TAG] {
        let mut sight = Sight::of_two();
        for (key, value) in tags_of(&ServiceName::new("boards"), &Version::new("1")) {
            sight.tag("i-1", &key, &value);
            sight.tag("i-2", &key, &value);
        }
        sight.tag("i-1", lacking, "");
        let plan = sight.plan().unwrap();
        assert_eq!(plan.servers.keys().collect::<Vec<_>>(), [&id("i-1")], "without {lacking}");
        assert_eq!(plan.tagged, BTreeSet::from([id("i-2")]));
    }
}

#[test]
fn the_version_is_what_the_first_says_who_says_anything() {
    let mut sight = Sight::of_two();
    sight.server("i-1").image_version = None;
    assert_eq!(sight.plan().unwrap().servers[&id("i-1")].known_by, KnownBy::Application);
    sight.nobody_says();
    sight.tag("i-1", VERSION_TAG, "1");
    let plan = plan(&asking("1"), &sight.facts()).unwrap();
    assert_eq!(plan.servers[&id("i-1")].known_by, KnownBy::Tag);
    assert_eq!(plan.servers[&id("i-2")].known_by, KnownBy::Asked);
}

#[test]
fn a_version_that_nobody_says_is_refused_with_what_could_not_be_read() {
    let mut sight = Sight::of_two();
    sight.nobody_says();
    let refusal = sight.refuses("version-unreadable");
    assert_eq!(
        refusal.to_string(),
        "nothing says which version i-1 runs: its AMI has no releaseVersion tag, and its application could \
         not be asked (no answer: refused)"
    );
    assert!(refusal.hint().contains("--version"));
}

#[test]
fn an_application_that_could_not_be_asked_is_told_where_another_says_the_version() {
    let mut sight = Sight::of_two();
    let why = Why::Unreachable("refused".to_owned());
    sight.apps.insert(id("i-2"), Reading::Unknown(why.clone()));
    let plan = sight.plan().unwrap();
    assert_eq!(plan.servers[&id("i-1")].unread, None);
    assert_eq!(
        (plan.servers[&id("i-2")].known_by, plan.servers[&id("i-2")].unread.clone()),
        (KnownBy::Image, Some(why))
    );
    assert_ne!(plan.basis(), Sight::of_two().plan().unwrap().basis(), "who saw it asked did not see this");
    let again = Reading::Unknown(Why::Unreachable("another word".to_owned()));
    sight.apps.insert(id("i-2"), again);
    assert_eq!(plan.basis(), sight.plan().unwrap().basis(), "the words of why not change nothing");
}

#[test]
fn whoever_contradicts_another_is_refused_and_both_are_named() {
    let mut sight = Sight::of_two();
    sight.apps.insert(id("i-2"), Reading::fresh(status("2")));
    let refusal = sight.refuses("versions-contradict");
    assert_eq!(refusal.to_string(), "i-2 runs version 1 by its AMI, and 2 by the application");
    let sight = Sight::of_two();
    let refusal = plan(&asking("7"), &sight.facts()).unwrap_err();
    assert_eq!(refusal.to_string(), "i-1 runs version 1 by its AMI, and 7 by the request");
}

#[test]
fn a_member_of_an_auto_scaling_group_is_refused_with_all_that_the_group_owns() {
    let mut sight = Sight::of_two();
    // Tags do not help: whatever Segue stops, the group replaces.
    for (key, value) in tags_of(&ServiceName::new("boards"), &Version::new("1")) {
        sight.tag("i-1", &key, &value);
    }
    sight.tag("i-1", SCALING_GROUP_TAG, "board-servers");
    sight.tag("i-2", SCALING_GROUP_TAG, "board-servers");
    let refusal = sight.refuses("owned-by-scaling-group");
    assert!(refusal.to_string().starts_with("i-1, i-2 belong to the Auto Scaling group board-servers: "));
}

#[test]
fn a_server_of_another_service_is_refused() {
    let mut sight = Sight::of_two();
    sight.tag("i-2", SERVICE_TAG, "chat");
    sight.refuses("tagged-for-another-service");
}

#[test]
fn a_server_that_does_not_run_is_refused_and_the_others_can_be_named() {
    let mut sight = Sight::of_two();
    sight.server("i-2").state = InstanceState::Stopped;
    sight.refuses("instance-not-running");
    assert_eq!(sight.plan_of(&["i-1"]).unwrap().servers.len(), 1);
}

#[test]
fn a_server_in_no_colour_group_is_refused() {
    let mut sight = Sight::of_two();
    sight.targets.get_mut(&group("a")).unwrap().remove(&id("i-2"));
    let refusal = sight.plan_of(&["i-2"]).unwrap_err();
    assert_eq!(refusal.code(), "in-no-colour-group", "a slot alone is none");
}

#[test]
fn a_server_that_nobody_knows_is_refused_and_so_is_an_empty_service() {
    let mut sight = Sight::of_two();
    assert_eq!(sight.plan_of(&["i-9"]).unwrap_err().code(), "instance-unknown");
    sight.targets.clear();
    sight.refuses("nothing-runs");
}

fn begun(sight: &Sight) -> ServiceEvent {
    let plan = sight.plan().unwrap();
    let taken =
        plan.servers.into_iter().map(|(id, it)| (id, Taken { version: it.version, known_by: it.known_by }));
    ServiceEvent::AdoptionBegan { number: 1, servers: taken.collect(), digest: "5f1c".to_owned() }
}

fn open(sight: &Sight) -> Adoption {
    let events = [begun(sight)];
    let state = ServiceState::fold(ServiceName::new("boards"), events.iter().map(|event| (AT, event)));
    state.open_adoption().unwrap().clone()
}

#[test]
fn of_an_adoption_that_was_cut_off_only_the_rest_is_done() {
    let mut sight = Sight::of_two();
    let begun = open(&sight);
    for (key, value) in tags_of(&ServiceName::new("boards"), &Version::new("1")) {
        sight.tag("i-1", &key, &value);
    }
    let rest = plan_rest(&begun, &sight.facts()).unwrap();
    assert_eq!(rest.plan.servers.into_keys().collect::<Vec<_>>(), [id("i-2")]);
    assert!(rest.away.is_empty());
    sight.server("i-2").state = InstanceState::ShuttingDown;
    let rest = plan_rest(&begun, &sight.facts()).unwrap();
    assert!(rest.plan.is_done(), "what is gone is not tagged");
    assert_eq!(rest.away, BTreeSet::from([id("i-2")]), "and is not told as taken in");
}

#[test]
fn of_an_adoption_that_was_cut_off_nothing_is_done_that_would_be_refused_today() {
    let mut sight = Sight::of_two();
    let begun = open(&sight);
    sight.tag("i-2", SCALING_GROUP_TAG, "board-servers");
    assert!(plan_rest(&begun, &sight.facts()).is_err());
}

#[test]
fn a_release_that_is_on_is_let_end_first() {
    let mut sight = Sight::of_two();
    let release = sight.history.next_id([]);
    let began = ServiceEvent::Began {
        release,
        kind: Kind::Canary,
        version: Version::new("2"),
        from_version: Version::new("1"),
        request: None,
    };
    sight.history.apply(AT, &began);
    sight.refuses("release-active");
}

/// What is told when this was shown and that is there now.
#[track_caller]
fn changed(shown: &Sight, now: &Sight) -> String {
    let differences = shown.plan().unwrap().basis().differences(&now.plan().unwrap().basis());
    assert!(!differences.is_empty());
    Refusal::AdoptionChanged { service: ServiceName::new("boards"), differences }.to_string()
}

#[test]
fn a_plan_stands_on_other_facts_as_soon_as_anything_is_done_otherwise() {
    let sight = Sight::of_two();
    assert_eq!(Sight::of_two().plan().unwrap().basis(), sight.plan().unwrap().basis());
    let mut one = Sight::of_two();
    one.targets.get_mut(&group("a")).unwrap().remove(&id("i-2"));
    let what = "what would be taken into boards is not what was shown";
    assert_eq!(changed(&sight, &one), format!("{what}: i-2 went"));
    assert_eq!(changed(&one, &sight), format!("{what}: i-2 came"));
    let mut moved = Sight::of_two();
    moved.targets.entry(group("b")).or_default().insert(id("i-1"), TargetHealth::Healthy);
    let both = "ami-1 10.0.0.i-1 version 1 in";
    assert_eq!(changed(&sight, &moved), format!("{what}: i-1 was {both} a and is {both} a b"));
    let mut newer = Sight::of_two();
    newer.server("i-2").image_version = Some(Version::new("2"));
    newer.apps.insert(id("i-2"), Reading::fresh(status("2")));
    let then = "ami-1 10.0.0.i-2 version 1 in a";
    assert_eq!(
        changed(&sight, &newer),
        format!("{what}: i-2 was {then} and is {}", then.replace("version 1", "version 2"))
    );
}
