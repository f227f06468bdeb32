//! Starting from a file: what is refused before anything is begun.

use std::path::{Path, PathBuf};

use segue_daemon::{StartError, serve};
use tempfile::TempDir;

struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("written");
        self.path(name)
    }

    /// A configuration without a mistake, with its journal in this folder and a port of its own.
    fn config(&self) -> PathBuf {
        self.config_at("127.0.0.1:0")
    }

    fn config_at(&self, listen: &str) -> PathBuf {
        let key = self.write("key", "0123456789abcdef0123456789abcdef\n");
        let example = include_str!("../../../../deploy/segue.example.toml");
        let text = example
            .replace("/var/lib/segue/journal.db", &self.path("journal.db").display().to_string())
            .replace(
                "key_env = \"SEGUE_HANDOVER_KEY\"",
                &format!("key_file = {:?}", key.display().to_string()),
            )
            .replace("# listen = \"127.0.0.1:7788\"", &format!("listen = {listen:?}"));
        self.write("segue.toml", &text)
    }
}

async fn refused(config: &Path) -> StartError {
    serve(config).await.expect_err("it must not start")
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_all_its_mistakes_and_nothing_is_made() {
    let folder = Folder::new();
    let journal = folder.path("journal.db");
    let text = format!("[daemon]\njournal = {:?}\nlisten = \"8080\"\n", journal.display().to_string());
    let error = refused(&folder.write("segue.toml", &text)).await;
    assert_eq!(error.code(), "config-invalid");
    assert!(error.is_refusal());
    let told = error.told();
    assert!(told.contains("daemon.listen") && told.contains("prometheus.url"), "{told}");
    assert!(!journal.exists(), "nothing was started");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_said_to_be_missing() {
    let error = refused(Path::new("/nowhere/segue.toml")).await;
    assert_eq!(error.code(), "config-unreadable");
    assert!(error.told().contains("/nowhere/segue.toml"), "{}", error.told());
    assert!(error.told().contains("hint: "), "{}", error.told());
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let folder = Folder::new();
    let error = refused(&folder.config_at("0.0.0.0:0")).await;
    assert_eq!(error.code(), "config-invalid");
    assert!(error.is_refusal());
    assert!(error.told().contains("0.0.0.0:0 is no loopback address"), "{}", error.told());
    assert!(!folder.path("journal.db").exists(), "nothing was started");
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused_and_left_alone() {
    let folder = Folder::new();
    let config = folder.config();
    let foreign = folder.write("journal.db", "dear diary, this is not a database at all");
    let error = refused(&config).await;
    assert_eq!(error.code(), "journal-foreign");
    assert!(error.is_refusal());
    assert!(std::fs::read_to_string(foreign).expect("still there").starts_with("dear diary"));
}

#[tokio::test]
async fn an_address_in_use_is_a_failure_not_a_refusal() {
    let folder = Folder::new();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let error = refused(&folder.config_at(&address)).await;
    assert_eq!(error.code(), "cannot-listen");
    assert!(!error.is_refusal());
    assert!(error.told().contains("daemon.listen"), "{}", error.told());
}
