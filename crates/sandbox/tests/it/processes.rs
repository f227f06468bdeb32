//! Instances as real processes: the sandbox as a program of its own, ended by a signal.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use segue_sandbox::Ready;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::signer::Signer;
use crate::support::until;

/// The example program beside this test.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("target/debug/deps");
    folder.join("examples/box")
}

async fn start(config: &str) -> (Child, Ready, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a place for files");
    let file = dir.path().join("sandbox.toml");
    let config = format!("data_dir = '{}'\n{config}", dir.path().display());
    std::fs::write(&file, config).expect("the place can be written");
    let mut command = Command::new(program());
    command.arg("sandbox").arg("--config").arg(file).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("cargo builds examples for tests");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
    let line = line.expect("it is ready in time").expect("stdout is text").expect("it says something");
    (child, serde_json::from_str(&line).expect("it says where it is"), dir)
}

/// The program with a place of its own for temporary files, started by a shell that prepares the place.
fn in_temporary_place(script: &str, place: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(program()).env("TMPDIR", place);
    command.stdout(Stdio::piped()).kill_on_drop(true);
    command
}

fn entries(place: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place).expect("the place is there");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

async fn pids(ready: &Ready) -> Vec<i32> {
    let address = ready.admin.replacen("http://", "", 1).parse::<SocketAddrV4>().expect("an address");
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let request = b"GET /admin/instances HTTP/1.0\r\n\r\n";
    let (mut read, mut write) = stream.into_split();
    tokio::io::AsyncWriteExt::write_all(&mut write, request).await.expect("it reads");
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut read, &mut text).await.expect("it answers");
    let json = text.split_once("\r\n\r\n").expect("a head and a body").1;
    let view: segue_sandbox::Instances = serde_json::from_str(json).expect("it is JSON");
    view.instances.iter().filter_map(|i| i.pid).map(|pid| i32::try_from(pid).expect("a pid")).collect()
}

fn lives(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("it runs"), signal).expect("it is ours");
}

const FLEET: &str = "[instances]\nboot_ms = 20\n[fleet]\nversion = \"1\"\ncount = 2\n";

#[tokio::test]
async fn a_sandbox_with_a_fleet_ends_cleanly_on_sigterm_and_leaves_nobody_behind() {
    let (mut child, ready, dir) = start(FLEET).await;
    assert_eq!(ready.blue.len(), 2);
    assert!(ready.store.is_some());
    let pids = pids(&ready).await;
    assert_eq!((pids.len(), pids.iter().all(|pid| lives(*pid))), (2, true));
    let log = dir.path().join(format!("{}.log", ready.blue[0]));
    until("the instance's output", || async {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains(" at 127.0."))
    })
    .await;
    signal(&child, Signal::TERM);
    let status = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("it ends in time");
    assert!(status.expect("it is our child").success());
    assert!(pids.iter().all(|pid| !lives(*pid)));
}

#[tokio::test]
async fn a_folder_that_an_earlier_sandbox_left_is_not_taken() {
    let place = tempfile::tempdir().expect("a place for files");
    // The shell becomes the sandbox, so both have this process id, as sandboxes in containers have.
    let script = "mkdir \"$TMPDIR/segue-sandbox-$$\" && exec \"$0\" sandbox";
    let mut child = in_temporary_place(script, place.path()).spawn().expect("there is a shell");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = lines.next_line().await.expect("stdout is text").expect("it says something");
    let ready: Ready = serde_json::from_str(&line).expect("it says where it is");
    let earlier = place.path().join(format!("segue-sandbox-{}", child.id().expect("it runs")));
    assert_ne!(ready.data_dir, earlier);
    signal(&child, Signal::TERM);
    assert!(child.wait().await.expect("it is our child").success());
    assert_eq!(entries(place.path()), [earlier], "its own is gone, the other is not its business");
}

#[tokio::test]
async fn a_sandbox_that_is_interrupted_while_it_starts_leaves_no_folder() {
    let place = tempfile::tempdir().expect("a place for files");
    let config = place.path().join("sandbox.toml");
    let text = "[instances]\nboot_ms = 600000\n[fleet]\nversion = \"1\"\ncount = 1\n";
    std::fs::write(&config, text).expect("the place can be written");
    let script = format!("exec \"$0\" sandbox --config {}", config.display());
    let mut child = in_temporary_place(&script, place.path()).spawn().expect("there is a shell");
    until("the store's log", || async {
        entries(place.path()).iter().any(|entry| entry.join("store.log").exists())
    })
    .await;
    signal(&child, Signal::INT);
    let status = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("it ends in time");
    assert!(status.expect("it is our child").success());
    assert_eq!(entries(place.path()), [config]);
}

#[tokio::test]
async fn instances_die_with_a_sandbox_that_is_killed() {
    let (mut child, ready, _dir) = start(FLEET).await;
    let pids = pids(&ready).await;
    child.kill().await.expect("it is ours");
    until("the instances' death", || async { pids.iter().all(|pid| !lives(*pid)) }).await;
}

#[tokio::test]
async fn a_program_that_does_not_listen_to_reason_is_killed() {
    let config = "slots = 1\n[instances]\nboot_ms = 20\nkill_after_ms = 50\n\
                  [[images]]\nversion = \"1\"\ncommand = [\"segue\", \"stubborn\"]\n";
    let (mut child, ready, _dir) = start(config).await;
    launch(&ready).await;
    until("a process", || async { !pids(&ready).await.is_empty() }).await;
    let pid = pids(&ready).await[0];
    signal(&child, Signal::INT);
    let status = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("it ends in time");
    assert!(status.expect("it is our child").success());
    assert!(!lives(pid));
}

#[tokio::test]
async fn an_instance_knows_its_launch_and_nothing_of_who_started_the_sandbox() {
    let place = tempfile::tempdir().expect("a place for files");
    let config = place.path().join("sandbox.toml");
    let text = format!(
        "data_dir = '{}'\nslots = 1\n[instances]\nboot_ms = 20\n[[images]]\nversion = \"1\"\n\
         command = [\"sh\", \"-c\", \"env; echo that is all; exec sleep 600\"]\nenv = {{ COLOUR = \"green\" }}\n",
        place.path().display()
    );
    std::fs::write(&config, text).expect("the place can be written");
    let script = format!("exec \"$0\" sandbox --config {}", config.display());
    let mut command = in_temporary_place(&script, place.path());
    let mut child = command.env("WHOSE", "the caller's").spawn().expect("there is a shell");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = lines.next_line().await.expect("stdout is text").expect("it says something");
    let ready: Ready = serde_json::from_str(&line).expect("it says where it is");
    launch(&ready).await;
    let printed = || {
        let logs = entries(place.path())
            .into_iter()
            .filter(|entry| entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("i-")));
        logs.map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect::<String>()
    };
    until("the instance's environment", || async { printed().contains("that is all") }).await;
    let printed = printed();
    assert!(printed.contains("INSTANCE_ID=i-") && printed.contains("COLOUR=green"), "{printed}");
    assert!(!printed.contains("WHOSE") && !printed.contains("TMPDIR"), "{printed}");
    signal(&child, Signal::TERM);
    assert!(child.wait().await.expect("it is our child").success());
}

#[tokio::test]
async fn a_frozen_instance_lives_without_a_word_until_it_is_thawed() {
    let (mut child, ready, _dir) = start(FLEET).await;
    let pids = pids(&ready).await;
    let id = &ready.blue[0];
    let set = async |fault: &str| {
        let body = format!("{{\"fault\": \"{fault}\", \"instance\": \"{id}\"}}");
        let call = reqwest_client().post(format!("{}/admin/faults", ready.admin)).body(body);
        assert_eq!(call.send().await.expect("it answers").status(), 204);
    };
    set("freeze").await;
    until("a stopped process", || async { state(pids[0]) == "T" }).await;
    assert_ne!(state(pids[1]), "T", "only the one that was meant");
    set("thaw").await;
    until("a process that goes on", || async { state(pids[0]) != "T" }).await;
    set("freeze").await;
    set("kill").await;
    until("its death", || async { !lives(pids[0]) }).await;
    signal(&child, Signal::TERM);
    assert!(child.wait().await.expect("it is our child").success());
}

/// A process's state, as the kernel letters it.
fn state(pid: i32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').next().unwrap_or_default().to_owned()
}

/// Launches one instance of the image of version 1.
async fn launch(ready: &Ready) {
    let image = ready.images.get("1").expect("there is an image");
    let body = format!("Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&ImageId={image}");
    let call = Signer::of(ready).post(&reqwest_client(), &ready.aws, "ec2", body);
    assert!(call.send().await.expect("it answers").status().is_success());
}

fn reqwest_client() -> reqwest::Client {
    let _already = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
