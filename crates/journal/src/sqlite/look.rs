//! Looking at a journal before anybody works with it: nothing is made, and nothing is brought up.

use std::path::Path;

use super::SqliteStore;
use super::open::{Found, check, look_at};
use crate::open::{Looked, OpenError};

impl SqliteStore {
    /// What opening would find, or why it would be refused.
    pub async fn look(path: &Path) -> Result<Looked, OpenError> {
        if !path.exists() {
            return Ok(Looked::Absent);
        }
        let found: Found = look_at(path).await?;
        Ok(if check(path, found)?.is_some() { Looked::Journal } else { Looked::Empty })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lease::{Owner, Scope};
    use crate::store::{Reader as _, Store as _};

    #[tokio::test]
    async fn a_look_makes_nothing_and_tells_who_holds_the_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.db");
        assert_eq!(SqliteStore::look(&path).await.expect("a look"), Looked::Absent);
        assert!(!path.exists(), "a look made a file");
        std::fs::write(&path, "").expect("an empty file");
        assert_eq!(SqliteStore::look(&path).await.expect("a look"), Looked::Empty);

        let (scope, owner) = (Scope::new("segue"), Owner::new("me"));
        let store = SqliteStore::open(&path).await.expect("a journal");
        assert_eq!(SqliteStore::look(&path).await.expect("a look"), Looked::Journal);
        let reader = SqliteStore::open_to_read(&path).await.expect("it reads");
        assert_eq!(reader.holder(&scope).await.expect("it reads"), None);
        let lease = store.acquire(&scope, &owner, Duration::from_secs(30)).await.expect("the lease is free");
        let holder = reader.holder(&scope).await.expect("it reads").expect("somebody holds it");
        assert!(holder.owner == owner && holder.left <= Duration::from_secs(30), "{holder:?}");
        store.release(&lease).await.expect("it is given back");
        assert_eq!(reader.holder(&scope).await.expect("it reads"), None);
    }

    #[tokio::test]
    async fn a_look_refuses_what_opening_would_refuse() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "not a database, and longer than its header would be. ".repeat(9))
            .expect("a file");
        assert!(matches!(SqliteStore::look(&path).await, Err(OpenError::NotAJournal { .. })));
    }
}
