//! The project's files as a value, so that a rule can be tried on a planted project.
//!
//! It reads what lies in the folder, not what git tracks: a file that is not committed yet has to be tidy
//! before it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What is made by tools or by running the product.
const NOT_OURS: [&str; 2] = ["target", ".git"];
const DEPTH_MAX: usize = 16;

/// Files by their path from the project's root, with forward slashes.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    texts: BTreeMap<String, String>,
    /// Files that are not text are only known by name.
    paths: BTreeSet<String>,
}

impl Tree {
    /// The project that this test belongs to.
    pub(crate) fn project() -> &'static Self {
        static PROJECT: OnceLock<Tree> = OnceLock::new();
        PROJECT.get_or_init(|| {
            let mut tree = Self::default();
            tree.read(&root(), "", 0);
            assert!(tree.get("Cargo.toml").is_some(), "the project's root is not where it should be");
            tree
        })
    }

    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add((*path).to_owned(), Some((*text).to_owned()));
        }
        tree
    }

    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Whether it is a file, or a folder that has files.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.paths.contains(path) || self.paths.iter().any(|file| file.starts_with(&folder))
    }

    /// Path and text of each text file.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Path and text of each file whose name ends so.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.ends_with(end))
    }

    /// Every path, of text or not.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    fn add(&mut self, path: String, text: Option<String>) {
        if let Some(text) = text {
            self.texts.insert(path.clone(), text);
        }
        self.paths.insert(path);
    }

    fn read(&mut self, root: &Path, folder: &str, depth: usize) {
        assert!(depth < DEPTH_MAX, "{folder} is too deep to be ours");
        let entries = fs::read_dir(root.join(folder)).expect("a folder of the project can be read");
        for entry in entries {
            let entry = entry.expect("an entry of the project can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type().expect("an entry has a type");
            if folder.is_empty() && (NOT_OURS.contains(&name.as_str()) || is_ignored(&name)) {
                continue;
            }
            if kind.is_dir() {
                self.read(root, &path, depth + 1);
            } else {
                let bytes = fs::read(entry.path()).expect("a file of the project can be read");
                self.add(path, String::from_utf8(bytes).ok());
            }
        }
    }
}

pub(crate) fn is_document(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "md")
}

/// What `.gitignore` names at the top: what running the product leaves behind.
fn is_ignored(name: &str) -> bool {
    name.contains(".sqlite") || name.starts_with("segue-demo-")
}

pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the package lies inside the project").to_owned()
}

/// Fails with every finding at once, one a line.
#[track_caller]
pub(crate) fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn a_planted_tree_knows_its_files_and_folders() {
    let tree = Tree::planted(&[("docs/a.md", "text")]);
    assert_eq!(tree.get("docs/a.md"), Some("text"));
    assert!(tree.has("docs") && tree.has("docs/") && tree.has("docs/a.md"));
    assert!(!tree.has("doc"));
}
