//! Running an operator's command for one instance.
//!
//! It gets the daemon's environment without the daemon's own key, `INSTANCE_ID` and `INSTANCE_ADDRESS`, no input, and
//! a process group of its own, which ends with it when its time is over or the daemon stops waiting. The end of what
//! it said goes into the error.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use segue_engine::ports::{CallError, Target};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Bytes of each of its two outputs that are kept, from the end.
const TAIL_BYTES: usize = 1024;
/// How long its outputs are read after it has ended: something that it left behind may hold them open.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

pub(super) async fn run(
    at: &Target,
    command: &[String],
    hidden: &[String],
    limit: Duration,
) -> Result<(), CallError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(CallError::bug("the command to configure an instance is empty"));
    };
    let mut prepared = Command::new(program);
    for hidden in hidden {
        prepared.env_remove(hidden);
    }
    let child = prepared
        .args(arguments)
        .env("INSTANCE_ID", at.instance.as_str())
        .env("INSTANCE_ADDRESS", &at.address)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            CallError::refused(format!("{program} for {} cannot be run: {error}", at.instance))
        })?;
    let mut group = Group::of(child);
    let ended = timeout(limit, group.end()).await;
    match ended {
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((status, said))) => Err(failed(program, at, status, &said)),
        Ok(Err(error)) => {
            Err(CallError::unknown(format!("{program} for {} could not be followed: {error}", at.instance)))
        }
        Err(_elapsed) => {
            let seconds = limit.as_secs();
            Err(CallError::unknown(format!("{program} for {} was ended after {seconds} s", at.instance)))
        }
    }
}

/// An exit code is the command's word. A signal is somebody else's: it may have got anywhere.
fn failed(program: &str, at: &Target, status: ExitStatus, said: &str) -> CallError {
    let what = format!("{program} for {} ended with {status}: {said}", at.instance);
    if status.code().is_some() { CallError::refused(what) } else { CallError::unknown(what) }
}

/// A command and everything that it started. Dropped before its end, all of them end.
struct Group {
    child: Child,
    /// None when it has ended: its number may be another's by then.
    running: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let running = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, running }
    }

    /// Waits for its end; how it ended, and the last that it said.
    async fn end(&mut self) -> io::Result<(ExitStatus, String)> {
        let (mut out, mut err) = (Tail::default(), Tail::default());
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let status = {
            let reading = async {
                tokio::join!(out.follow(stdout), err.follow(stderr));
            };
            tokio::pin!(reading);
            tokio::select! {
                status = self.child.wait() => {
                    // Whatever it left behind is not waited for.
                    drop(timeout(OUTPUT_GRACE, &mut reading).await);
                    status?
                }
                () = &mut reading => self.child.wait().await?,
            }
        };
        self.running = None;
        Ok((status, format!("{}{}", out.text(), err.text())))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.running.take()
            && let Err(error) = kill_process_group(leader, Signal::KILL)
        {
            tracing::warn!(%error, "a command could not be ended");
        }
    }
}

/// The end of a stream.
#[derive(Default)]
struct Tail {
    kept: Vec<u8>,
}

impl Tail {
    /// Reads to the end, so that the writer never waits; an error is an end.
    async fn follow(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = [0; 4096];
        while let Ok(read) = stream.read(&mut buffer).await
            && read > 0
        {
            self.kept.extend(buffer.iter().take(read));
            let surplus = self.kept.len().saturating_sub(TAIL_BYTES);
            self.kept.drain(..surplus);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use segue_domain::ids::InstanceId;
    use segue_engine::ports::Class;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    async fn shell(script: &str, limit: Duration) -> Result<(), CallError> {
        let at = Target { instance: InstanceId::new("i-a"), address: "10.0.0.7".to_owned(), generation: 1 };
        run(&at, &["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()], &[], limit).await
    }

    #[tokio::test]
    async fn a_command_knows_its_instance_and_its_exit_code_decides() {
        let script = r#"test "$INSTANCE_ID $INSTANCE_ADDRESS" = "i-a 10.0.0.7""#;
        assert_eq!(shell(script, LONG).await, Ok(()));
        let failed = shell("echo first; echo last >&2; exit 3", LONG).await.expect_err("a failure");
        assert_eq!(failed.class, Class::Refused);
        assert!(failed.what.contains("exit status: 3") && failed.what.contains("first\nlast"), "{failed}");
    }

    /// A variable that cargo gives every test stands for that of the key.
    #[tokio::test]
    async fn a_command_is_not_given_the_variable_that_holds_the_key() {
        let at = Target { instance: InstanceId::new("i-a"), address: String::new(), generation: 1 };
        let command = ["/bin/sh", "-c", "test -n \"$CARGO_MANIFEST_DIR\""].map(str::to_owned);
        assert_eq!(run(&at, &command, &[], LONG).await, Ok(()));
        let failed =
            run(&at, &command, &["CARGO_MANIFEST_DIR".to_owned()], LONG).await.expect_err("it is not there");
        assert_eq!(failed.class, Class::Refused, "{failed}");
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_output_is_kept() {
        let script = "i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done; exit 1";
        let failed = shell(script, LONG).await.expect_err("a failure");
        assert!(failed.what.len() < TAIL_BYTES + 200, "{} bytes", failed.what.len());
        assert!(failed.what.contains("line 8999") && !failed.what.contains("line 1\n"), "{failed}");
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended_with_everything_that_it_started() {
        // The reader of this pipe sees its end only when nobody holds the other side any more.
        let (reader, writer) = io::pipe().expect("a pipe");
        let at = Target { instance: InstanceId::new("i-a"), address: String::new(), generation: 1 };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 600 & sleep 600"]).stdout(writer).process_group(0);
        let mut group = Group::of(command.spawn().expect("a shell"));
        drop(command);
        assert!(timeout(Duration::from_millis(50), group.end()).await.is_err(), "it runs");
        drop(group);
        let ended = tokio::task::spawn_blocking(move || io::read_to_string(reader));
        let said = timeout(LONG, ended).await.expect("all of them ended").expect("no panic");
        assert_eq!(said.expect("an end"), "");

        let command = ["/bin/sh", "-c", "sleep 600"].map(str::to_owned);
        let failed = run(&at, &command, &[], Duration::from_millis(50)).await.expect_err("too long");
        assert_eq!(failed.class, Class::Unknown);
    }

    #[tokio::test]
    async fn a_command_that_was_killed_may_have_done_anything() {
        let failed = shell("kill -9 $$", LONG).await.expect_err("killed");
        assert_eq!(failed.class, Class::Unknown, "{failed}");
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_is_not_waited_for() {
        assert_eq!(shell("sleep 20 & exit 0", Duration::from_secs(15)).await, Ok(()));
    }

    #[tokio::test]
    async fn a_command_that_does_not_exist_is_refused() {
        let at = Target { instance: InstanceId::new("i-a"), address: String::new(), generation: 1 };
        let failed = run(&at, &["/no/such/program".to_owned()], &[], LONG).await.expect_err("nothing to run");
        assert_eq!(failed.class, Class::Refused);
        assert_eq!(run(&at, &[], &[], LONG).await.expect_err("nothing to run").class, Class::Bug);
    }
}
