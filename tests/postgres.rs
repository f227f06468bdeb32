//! A PostgreSQL server of a test's own: made from the installed programs, on a loopback port, in a folder that is
//! gone afterwards, however the test ends.
//!
//! It waits for the disk as a real one does (`fsync` on), wants a password, and runs as an unprivileged user:
//! PostgreSQL refuses to be root.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

/// Who may do everything there, and what it has to say.
pub const USER: &str = "segue";
pub const PASSWORD: &str = "a password of the tests alone";

/// A server that has not said that it is ready within this will not.
const READY: Duration = Duration::from_mins(1);
/// After a kill its children find out by themselves, and the next server has to wait for them.
const START_TRIES: u32 = 50;
const START_PAUSE: Duration = Duration::from_millis(200);

/// What has to happen when the test is gone, however it went: its end of the pipe is closed then. The server gets
/// the signal of an immediate stop (<https://www.postgresql.org/docs/current/server-shutdown.html>).
const GUARD: &str = r#"trap '' INT TERM HUP; cat
pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
    kill -QUIT "$pid"; tries=0
    while kill -0 "$pid" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -rf "$0""#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    running: Mutex<Option<Child>>,
    databases: AtomicU32,
    /// Its stdin is open for as long as this process lives.
    _guard: Child,
}

impl Server {
    /// The one that all tests of a process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One that a test may kill.
    pub fn start() -> Self {
        let programs = programs();
        // Gone with the guard, not with this value: a value in a static is never dropped.
        let folder = TempDir::with_prefix("segue-postgres-").expect("a folder can be made").keep();
        let guard = guard(&folder);
        own(&folder);
        std::fs::write(folder.join("password"), PASSWORD).expect("the folder takes it");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(folder.join("data")).arg("--pwfile").arg(folder.join("password"));
        initdb.args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]);
        said(initdb.args(["--no-sync", "--no-instructions"]));
        let port = free_port();
        let server = Self {
            folder,
            programs,
            port,
            running: Mutex::new(None),
            databases: AtomicU32::new(0),
            _guard: guard,
        };
        server.start_again();
        server
    }

    /// Starts it where it was, after [`Server::kill`] or [`Server::stop`].
    pub fn start_again(&self) {
        let mut running = self.running();
        for _ in 0..START_TRIES {
            if let Some(child) = self.started() {
                *running = Some(child);
                return;
            }
            pause(START_PAUSE);
        }
        panic!("PostgreSQL does not start in {}", self.folder.display());
    }

    /// Ends it with no chance to say or write anything, whoever works for it included: left alone, those would
    /// finish what they do.
    pub fn kill(&self) {
        let mut running = self.running();
        let mut child = running.take().expect("the server runs");
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        child.kill().expect("it is our own process");
        // One of them may have ended by itself.
        drop(Command::new("kill").arg("-KILL").args(children.split_whitespace()).output());
        child.wait().expect("it is our own process");
    }

    /// Ends it in good order, as for a restart: who is connected is cut off.
    pub fn stop(&self) {
        let mut running = self.running();
        let mut child = running.take().expect("the server runs");
        said(Command::new("kill").args(["-INT", &child.id().to_string()]));
        child.wait().expect("it is our own process");
    }

    /// An empty database, and its address without the password.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        self.address(&name)
    }

    /// Of a database that may be there or not.
    pub fn address(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a statement answers, without frames.
    #[track_caller]
    pub fn run(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        psql.args(["--host", "127.0.0.1", "--port", &self.port.to_string(), "--username", USER]);
        psql.args(["--dbname", database, "--command", statement]).env("PGPASSWORD", PASSWORD);
        String::from_utf8_lossy(&said(&mut psql).stdout).trim().to_owned()
    }

    fn running(&self) -> MutexGuard<'_, Option<Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None when it ended at once: the last one's children may not be gone.
    fn started(&self) -> Option<Child> {
        let mut postgres = unprivileged(&self.programs.join("postgres"));
        postgres.arg("-D").arg(self.folder.join("data")).args(["-p", &self.port.to_string()]);
        for setting in
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "log_statement=none"]
        {
            postgres.args(["-c", setting]);
        }
        let mut child = postgres
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=80"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("PostgreSQL can be started");
        let lines = heard(&mut child);
        while let Ok(line) = lines.recv_timeout(READY) {
            if line.contains("database system is ready to accept connections") {
                return Some(child);
            }
        }
        // It said nothing more, because it has ended or hangs.
        drop(child.kill());
        drop(child.wait());
        None
    }
}

/// Its lines, read for as long as it runs, so that it never waits for a reader.
fn heard(child: &mut Child) -> Receiver<String> {
    let (tell, lines) = channel();
    let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            // Nobody listens any more once it is ready.
            drop(tell.send(line));
        }
    });
    lines
}

/// The folder of `initdb` and `postgres`, which Debian keeps out of the search path.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    debian.sort();
    let said = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = said.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = debian.into_iter().rev().chain(configured).chain(std::env::split_paths(&path));
    let found = folders.find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    found.expect("PostgreSQL's server is not installed: `make clients` does it")
}

/// A command as somebody who is not root.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--clear-groups", &format!("--regid={}", group())]).arg(program);
    // Not where the test is, which that user may not read.
    command.current_dir("/");
    command
}

fn own(folder: &Path) {
    if is_root() {
        said(Command::new("chown").arg(format!("nobody:{}", group())).arg(folder));
    }
}

fn is_root() -> bool {
    said(Command::new("id").arg("-u")).stdout.trim_ascii() == b"0"
}

/// The group of nobody, which has another name elsewhere.
fn group() -> String {
    String::from_utf8_lossy(&said(Command::new("id").args(["-gn", "nobody"])).stdout).trim().to_owned()
}

fn guard(folder: &Path) -> Child {
    let mut shell = Command::new("sh");
    shell.args([OsStr::new("-c"), OsStr::new(GUARD), folder.as_os_str()]).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().expect("there is a shell")
}

/// Free now; whoever takes it before the server does makes the test fail with the server's own words.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

#[track_caller]
fn said(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().expect("the program is there");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn pause(time: Duration) {
    let (_open, nothing) = channel::<()>();
    assert!(nothing.recv_timeout(time).is_err(), "nobody says anything");
}
