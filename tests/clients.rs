//! Programs that others wrote and that tests use: where they are, and moto's server with a small world in it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A program that `make clients` put beside the compiled code: `python`, `moto_server`.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    let target = test.ancestors().nth(3).expect("tests lie in TARGET/PROFILE/deps");
    let program = target.join("clients/venv/bin").join(name);
    assert!(program.exists(), "{} is missing: `make clients` installs it", program.display());
    program
}

/// A script of `tests/clients`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// moto's server, gone when it is dropped.
#[derive(Debug)]
pub struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl Moto {
    /// With what `moto_rig.py` created in it, as JSON by the names of a sandbox's ready line.
    pub fn start() -> (Self, Vec<u8>) {
        // Free now; nobody else takes it in the moment that is left.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut serve = Command::new(program("moto_server"));
        serve.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdin(Stdio::null());
        let moto = Self(serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"));
        let mut creating = Command::new(program("python"));
        creating.arg(script("moto_rig.py")).arg(format!("http://127.0.0.1:{port}"));
        let created = creating.output().expect("the script runs");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        (moto, created.stdout)
    }
}
