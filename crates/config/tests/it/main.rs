//! What a configuration gets for an answer.

mod secrets;

use std::time::Duration;

use segue_config::{Config, Environment};
use segue_domain::service::{NeedsCanary, Workload};

const KEY: (&str, &str) = ("SEGUE_HANDOVER_KEY", "0123456789abcdef0123456789abcdef");

fn environment() -> Environment {
    Environment::given([(KEY.0.to_owned(), KEY.1.to_owned())])
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse("segue.toml", text, &environment()).map_err(|mistakes| mistakes.to_string())
}

const GROUPS: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup";

const SMALL: &str = r#"
[daemon]
journal = "/var/lib/segue/journal.db"

[prometheus]
url = "http://prometheus.internal:9090"

[handover]
key_env = "SEGUE_HANDOVER_KEY"

[[service]]
name = "boards"
environment = "production"
region = "eu-west-1"
launch = { template = "lt-0123456789abcdef0", subnets = ["subnet-0a"] }

[service.routing]
forward = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/boards/01/02"
colours = [
  "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/boards-a/01",
  "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/boards-b/02",
]
"#;

#[test]
fn the_annotated_example_is_a_configuration() {
    let example = include_str!("../../../../deploy/segue.example.toml");
    let config = parse(example).expect("the example has no mistake");
    let boards = config.services.first().expect("it configures a service");
    assert_eq!(boards.service.canary.bake, Duration::from_hours(4));
}

#[test]
fn what_is_left_out_has_the_documented_value() {
    let config = parse(SMALL).expect("no mistake");
    assert_eq!(config.daemon.listen.to_string(), "127.0.0.1:7788");
    assert_eq!(config.daemon.name, "segue@127.0.0.1:7788");
    assert_eq!(config.prometheus.metrics.boards.to_string(), "rtb_spaces_count");
    let boards = &config.services[0];
    assert_eq!(boards.images.owner, "self");
    assert_eq!(boards.images.tags["service"], "boards");
    let service = &boards.service;
    assert_eq!(service.workload, Workload::Boards);
    assert_eq!(service.canary.bake, Duration::from_hours(4));
    assert_eq!(service.canary.min_boards, 5);
    assert_eq!(service.full.needs_canary, NeedsCanary::Yes);
    assert_eq!(service.handover.seal_ttl, Duration::from_secs(1));
    assert!(service.routing.slots().next().is_none());
    assert_eq!(service.launch.size, None);
    assert!(service.launch.types.is_empty());
}

/// Every look would be too old to be acted on.
#[test]
fn more_target_groups_than_can_be_read_in_time_are_told_with_the_age_that_they_need() {
    let slots = |count: usize| {
        let slot =
            |n| format!("[[service.routing.slots]]\nroute = \"s{n}\"\ngroup = \"{GROUPS}/slot-{n}/03\"\n");
        (0..count).map(slot).collect::<String>()
    };
    let with_age =
        |slots: String, age: &str| format!("{SMALL}{slots}[service.patience]\nmax_age = \"{age}\"\n");
    parse(&with_age(slots(100), "45s")).expect("that is time enough");
    let mistakes = parse(&with_age(slots(100), "14s")).expect_err("103 calls take 11 seconds");
    assert!(mistakes.contains("103 target groups and forwards take 11s to read"), "{mistakes}");
    assert!(mistakes.contains("write `max_age = \"15s\"` or more"), "{mistakes}");
    parse(&with_age(slots(100), "15s")).expect("as the hint says");
    let unpaced = format!("[aws]\npacing = \"off\"\n{}", with_age(slots(100), "14s"));
    parse(&unpaced).expect("nobody waits for a turn");
}

/// The lease goes at once to who has its name: two of one name would end each other's work.
#[test]
fn two_daemons_on_one_machine_have_two_names() {
    let at = |port: &str| {
        let text = SMALL.replace("[daemon]\n", &format!("[daemon]\nlisten = \"127.0.0.1:{port}\"\n"));
        parse(&text).expect("no mistake").daemon.name
    };
    assert_ne!(at("7788"), at("7799"));
    assert_eq!(at("7788"), at("7788"), "the same after a restart");
}

/// The configuration with another `[daemon]`.
fn with_daemon(lines: &str) -> Result<Config, String> {
    let (_, rest) = SMALL.split_once("[prometheus]").expect("it has the section");
    let secrets = [KEY, ("SEGUE_DB_PASSWORD", "hunter2")].map(|(name, value)| (name.into(), value.into()));
    let text = format!("[daemon]\n{lines}\n\n[prometheus]{rest}");
    Config::parse("segue.toml", &text, &Environment::given(secrets)).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn a_journal_in_a_database_is_named_without_its_password() {
    let lines = "journal = \"postgres://segue@db.internal/segue?sslmode=verify-full\"\n\
        journal_password_env = \"SEGUE_DB_PASSWORD\"\nname = \"segue-1\"";
    let config = with_daemon(lines).expect("no mistake");
    assert_eq!(config.daemon.journal.to_string(), "postgres://segue@db.internal/segue");
    assert_eq!(config.daemon.name, "segue-1");
    assert!(!format!("{config:?}").contains("hunter2"), "a password can be printed");
    let hidden = config.secret_variables();
    assert_eq!(hidden, ["SEGUE_HANDOVER_KEY", "SEGUE_DB_PASSWORD", "PGPASSWORD"]);
}

#[test]
fn an_address_that_is_none_is_told_where_what_and_how_to_mend_it() {
    let name = "name = \"segue-1\"";
    let database = "journal = \"postgres://segue@db/segue\"";
    for (lines, key, words) in [
        ("journal = \"postgres://segue:hunter2@db/segue\"", "daemon.journal", "a password stands in it"),
        ("journal = \"mysql://segue@db/segue\"", "daemon.journal", "mysql:// is no kind of journal"),
        ("journal = \"postgres://segue@db\"", "daemon.journal", "it names no database"),
        ("journal = \"postgres://segue@db/segue?sslmode=yes\"", "daemon.journal", "verify-full"),
        (database, "daemon.name", "each needs a name of its own"),
        (
            "journal = \"journal.db\"\njournal_password_env = \"SEGUE_DB_PASSWORD\"",
            "daemon.journal_password_file",
            "a file has no password",
        ),
        (
            "journal = \"postgres://segue@db/segue\"\njournal_password_env = \"NOT_THERE\"",
            "daemon.journal_password_env",
            "set NOT_THERE",
        ),
    ] {
        let lines = if lines == database { lines.to_owned() } else { format!("{lines}\n{name}") };
        let told = with_daemon(&lines).expect_err("a mistake");
        assert!(told.contains("segue.toml:") && told.contains("\n  hint: "), "{told}");
        assert!(told.contains(key) && told.contains(words), "{key}, {words}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_a_hint() {
    let mistakes = parse(include_str!("mistakes.toml")).expect_err("it is full of them");
    insta::assert_snapshot!(mistakes);
}

#[test]
fn a_region_that_no_arn_is_of_is_one_mistake() {
    let example = include_str!("../../../../deploy/segue.example.toml");
    let elsewhere = example.replace("region = \"eu-west-1\"", "region = \"eu-west-3\"");
    assert_ne!(elsewhere, example);
    let told = parse(&elsewhere).expect_err("a mistake");
    assert!(told.starts_with("segue.toml has 1 mistake\n"), "{told}");
    assert!(told.contains("service[0].region: all ") && told.contains("ARNs under routing are of eu-west-1"));
    assert!(told.contains("hint: write region = \"eu-west-1\""), "{told}");
}

/// The load balancers of a service, each with a slot, as its configuration lists them.
fn several(balancers: &[&str]) -> String {
    let arn =
        |resource: String| format!("\"arn:aws:elasticloadbalancing:eu-west-1:123456789012:{resource}\"");
    let (head, _) = SMALL.split_once("[service.routing]").expect("it has one");
    let each = balancers.iter().map(|name| {
        let group = |of: &str| arn(format!("targetgroup/{name}-{of}/01"));
        format!(
            "[[service.routing]]\nforward = {}\ncolours = [{}, {}]\n[[service.routing.slots]]\nroute = \"{name}-1\"\ngroup = {}\n",
            arn(format!("listener/app/{name}/01/02")),
            group("a"),
            group("b"),
            group("s1"),
        )
    });
    head.to_owned() + &each.collect::<String>()
}

#[test]
fn several_load_balancers_are_listed_one_by_one() {
    let text = several(&["east", "west"]).replacen("colours", "share = 3\ncolours", 1);
    let routing = parse(&text).expect("no mistake").services[0].service.routing.clone();
    let told: Vec<_> = routing.balancers().map(|it| (it.forward.balancer().to_owned(), it.share)).collect();
    assert_eq!(told, [("east".to_owned(), 3), ("west".to_owned(), 1)]);
    let routes: Vec<String> = routing.slots().map(|slot| slot.route.to_string()).collect();
    assert_eq!(routes, ["east-1", "west-1"]);
    // Whoever lists one has one.
    assert!(parse(&several(&["east"])).expect("no mistake").services[0].service.routing.others.is_empty());
}

#[test]
fn load_balancers_that_do_not_go_together_are_told_where_what_and_how_to_mend_it() {
    let good = several(&["east", "west"]);
    let (head, _) = good.split_once("[[service.routing]]").expect("it lists them");
    let launch = "launch = {";
    let (_, slot_of_west) = good.rsplit_once("[[service.routing.slots]]").expect("it has slots");
    for (text, key, words) in [
        (good.replace("west-b", "east-b"), "service[0].routing[1].colours[1]", "is named a second time"),
        (
            good.replace("\"west-1\"", "\"east-1\""),
            "service[0].routing[1].slots[0].route",
            "is named a second time",
        ),
        (
            good.replace("listener/app/west/01/02", "listener/app/east/01/03"),
            "service[0].routing[1].forward",
            "the load balancer app/east/01 is named a second time",
        ),
        (
            good.replace(&format!("[[service.routing.slots]]{slot_of_west}"), ""),
            "service[0].routing[1].forward",
            "it has no route slots, and another load balancer has some",
        ),
        (good.replace("colours", "share = 0\ncolours"), "service[0].routing[0].share", "0 is not"),
        (
            head.replace(launch, "routing = []\nlaunch = {"),
            "service[0].routing",
            "no load balancer is configured",
        ),
        (SMALL.replace("colours", "share = 2\ncolours"), "service[0].routing.share", "no such key"),
    ] {
        let told = parse(&text).expect_err("a mistake");
        assert!(told.contains(&format!(": {key}")) && told.contains(words), "{key}, {words}: {told}");
        assert!(told.contains("\n  hint: "), "{told}");
    }
}

#[test]
fn a_text_that_is_not_toml_is_told_by_its_place() {
    let mistakes = parse("[daemon\njournal = \n").expect_err("no TOML");
    assert!(mistakes.contains("segue.toml:1:"), "{mistakes}");
    assert!(mistakes.contains("segue.toml:2:"), "{mistakes}");
}

#[test]
fn an_empty_file_is_told_what_it_needs() {
    let mistakes = parse("").expect_err("nothing is configured");
    for key in ["daemon.journal", "prometheus.url", "handover.key_file", "service"] {
        assert!(mistakes.contains(&format!(": {key}: ")), "{key} in {mistakes}");
    }
}

#[test]
fn types_of_instances_keep_their_order_of_preference() {
    let text = SMALL.replace("] }", "], types = [\"m7i.large\", \"m6i.2xlarge\", \"u-6tb1.metal\"] }");
    let types = parse(&text).expect("no mistake").services[0].service.launch.types.clone();
    assert_eq!(types, ["m7i.large".into(), "m6i.2xlarge".into(), "u-6tb1.metal".into()]);
    let twice = parse(&text.replace("m6i.2xlarge", "m7i.large")).expect_err("one is there twice");
    assert!(twice.contains("the instance type \"m7i.large\" is named a second time"), "{twice}");
    let many = parse(&text.replace("m6i.2xlarge\"", "a.1\", \"a.2\", \"a.3\", \"a.4\"")).expect_err("six");
    assert!(many.contains("service[0].launch.types: it lists 6") && many.contains("list 0 to 5"), "{many}");
}

#[test]
fn warm_up_requests_go_to_the_port_that_the_file_names() {
    let warmed_at = |port: &str| {
        let warm = format!("], warm = {{ path = \"/health\", median = \"50ms\"{port} }} }}");
        parse(&SMALL.replace("] }", &warm)).expect("no mistake").services[0].warm_port
    };
    assert_eq!(warmed_at(", port = 3000"), 3000);
    assert_eq!(warmed_at(""), 8080);
}

/// They are carried across by other means than boards are, which this version does not have.
#[test]
fn only_boards_can_be_carried_across() {
    for workload in ["requests", "none"] {
        let text = SMALL.replace("name = \"boards\"", &format!("name = \"boards\"\nworkload = {workload:?}"));
        let mistakes = parse(&text).expect_err("it cannot");
        assert!(mistakes.contains("service[0].workload") && mistakes.contains("`boards`"), "{mistakes}");
    }
}

#[test]
fn a_list_of_no_services_configures_none() {
    let (rest, _) = SMALL.split_once("[[service]]").expect("it has one");
    for (service, told) in [("[]", "no service is configured"), ("[7]", "7 is not a table")] {
        let mistakes = parse(&format!("service = {service}\n{rest}")).expect_err("no service");
        assert!(mistakes.contains("has 1 mistake\n") && mistakes.contains(told), "{mistakes}");
    }
}

#[test]
fn a_secret_is_never_printed() {
    let config = parse(SMALL).expect("no mistake");
    assert!(!format!("{config:?}").contains(KEY.1));
    let short = Environment::given([(KEY.0.to_owned(), "hunter2".to_owned())]);
    let mistakes = Config::parse("segue.toml", SMALL, &short).expect_err("too short");
    assert!(!mistakes.to_string().contains("hunter2"), "{mistakes}");
    assert!(mistakes.to_string().contains("shorter than 16 bytes"), "{mistakes}");
}

#[test]
fn a_secret_comes_from_a_file_without_the_end_of_its_line() {
    use secrecy::ExposeSecret;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{}\n", KEY.1)).expect("written");
    let text = SMALL
        .replace("key_env = \"SEGUE_HANDOVER_KEY\"", &format!("key_file = {:?}", file.display().to_string()));
    let config = parse(&text).expect("no mistake");
    assert_eq!(config.handover.key.expose_secret(), KEY.1);
}
