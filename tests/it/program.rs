//! The program `segue` as a user starts it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// A line that does not come within this will not come.
const LINE: Duration = Duration::from_mins(2);

/// Built by the same `cargo test --workspace` that built this test, and beside it. `cargo test -p segue-tests` builds
/// none: what lies there may be yesterday's.
pub(crate) fn path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap();
    let program = folder.join("segue");
    assert!(program.exists(), "{} is missing: run `cargo test --workspace`", program.display());
    program
}

/// One whole product at a time: two would measure each other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that stays until its test ends.
pub(crate) struct Staying(Child);

impl Staying {
    /// Sends it a signal: `STOP`, `CONT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success() || std::thread::panicking(), "process {} got no {name}", self.0.id());
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        // SIGTERM, so that a sandbox ends its instances.
        let _gone = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ended = self.0.wait();
    }
}

/// Starts what says one line of JSON on stdout when it is ready, and stays.
pub(crate) fn ready(command: &mut Command) -> (Staying, Value) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let staying = Staying(child);
    let said =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{command:?} said {line:?}: {error}"));
    (staying, said)
}

/// A daemon for a sandbox, with the configuration that the sandbox wrote.
pub(crate) struct Daemon {
    pub(crate) url: String,
    _staying: Staying,
}

/// Changes the configuration that the sandbox wrote: a port of its own, for the one that it names may be somebody
/// else's on this machine, and other values where a test needs them.
pub(crate) fn change_config(folder: &Path, changes: &[(&str, &str)]) {
    let file = folder.join("segue.toml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    for (from, to) in [("127.0.0.1:7788", "127.0.0.1:0")].iter().chain(changes) {
        assert!(config.contains(from), "{from:?} is not in the configuration:\n{config}");
        config = config.replace(from, to);
    }
    std::fs::write(&file, config).unwrap();
}

/// Starts it on `segue.toml` in the folder, changed so.
pub(crate) fn daemon(folder: &Path, changes: &[(&str, &str)]) -> Daemon {
    change_config(folder, changes);
    let credentials = [("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")];
    let mut serve = Command::new(path());
    serve.args(["serve", "--config", "segue.toml"]).current_dir(folder).envs(credentials);
    let (staying, listening) = ready(serve.stderr(Stdio::null()));
    Daemon { url: listening["listening"].as_str().unwrap().to_owned(), _staying: staying }
}

/// What a sandbox was asked, by its own count.
pub(crate) fn ledger(admin: &str) -> Value {
    get(admin, "/admin/ledger")
}

/// What is at a path; an object, whatever its status is.
pub(crate) fn get(url: &str, path: &str) -> Value {
    let answer = exchange(url, &format!("GET {path}"), "");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let json = body.get(body.find('{').unwrap()..=body.rfind('}').unwrap()).unwrap();
    serde_json::from_str(json).unwrap()
}

/// Sets a fault of a sandbox.
pub(crate) fn fault(admin: &str, fault: &Value) {
    let answer = exchange(admin, "POST /admin/faults", &fault.to_string());
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

/// One plain request; a whole client would be more than this needs.
fn exchange(url: &str, what: &str, body: &str) -> String {
    use std::io::{Read as _, Write as _};

    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Looks until there is something to see.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    const LOOKS_MAX: u32 = 2_400;
    const PAUSE: Duration = Duration::from_millis(50);
    let (_open, nothing) = channel::<()>();
    for _ in 0..LOOKS_MAX {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(nothing.recv_timeout(PAUSE).is_err(), "nobody says anything");
    }
    panic!("it never came to this: {what}");
}

/// A program that runs, and its lines as they come.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

/// Starts it; stderr is what is listened to.
pub(crate) fn start(args: &[&str]) -> Running {
    listen(Command::new(path()).args(args))
}

/// Starts what was prepared, and listens to its stderr.
pub(crate) fn listen(command: &mut Command) -> Running {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (tell, lines) = channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    Running { child, lines, heard: Vec::new() }
}

impl Running {
    /// The next line; none when it has ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(LINE) {
            Ok(line) => {
                self.heard.push(line.clone());
                Some(line)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("silent for {LINE:?}; it said:\n{}", self.heard.join("\n"))
            }
        }
    }

    /// Everything to its end: exit code, stdout, and what was said.
    pub(crate) fn end(mut self) -> Ended {
        while self.line().is_some() {}
        let output: Output = self.child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Ended { code: output.status.code(), stdout, stderr: self.heard.join("\n") }
    }
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The promises of every report, whatever was done to the daemon meanwhile.
#[track_caller]
pub(crate) fn assert_nobody_noticed(report: &Value) {
    for (path, zero) in [
        ("/edits/lost", 0.0),
        ("/edits/duplicated", 0.0),
        ("/edits/out_of_order", 0.0),
        ("/instances/orphaned", 0.0),
        ("/clients/reconnects_forced", 0.0),
        ("/clients/without_socket_ms_max", 0.0),
    ] {
        assert_eq!(report.pointer(path).and_then(Value::as_f64), Some(zero), "{path} in {report:#}");
    }
    let number = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap();
    assert_eq!(number("/boards/moved"), number("/boards/alive_on_blue_at_close"), "{report:#}");
    assert!(number("/boards/moved") > 0 && number("/clients/moved") > 0, "{report:#}");
    assert_eq!(number("/edits/sent"), number("/edits/stored"), "{report:#}");
    assert_eq!(number("/edits/sent"), number("/edits/acknowledged"), "{report:#}");
    assert!(number("/edits/sent") > 100, "{report:#}");
}
