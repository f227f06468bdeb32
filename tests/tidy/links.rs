//! Links in documents lead somewhere, and so do the documents that code and configuration name.
//!
//! Only what lies inside of the project is followed; the network is not asked. The tidy tests themselves
//! name documents that they plant, so their code is not looked at.

use super::markdown;
use super::tree::{Tree, assert_none, is_document};

fn check(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        for link in markdown::read(text).links {
            findings.extend(follow(tree, path, &link).map(|why| format!("{path}: [{link}] {why}")));
        }
    }
    for (path, text) in tree.files().filter(|(path, _)| !path.starts_with("tests/tidy/")) {
        for (number, line) in text.lines().enumerate() {
            for mention in mentions(line).filter(|mention| tree.get(mention).is_none()) {
                findings.push(format!("{path}:{}: names {mention}, which does not exist", number + 1));
            }
        }
    }
    findings
}

/// Why a link does not work, if it does not.
fn follow(tree: &Tree, from: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (target, anchor) =
        link.split_once('#').map_or((link, None), |(target, anchor)| (target, Some(anchor)));
    let Some(path) = resolve(from, target) else { return Some("leads out of the project".to_owned()) };
    if !tree.has(&path) {
        return Some(format!("leads to {path}, which does not exist"));
    }
    let anchor = anchor?;
    let anchors = tree.get(&path).map(|text| markdown::read(text).anchors).unwrap_or_default();
    (!anchors.iter().any(|known| known == anchor)).then(|| format!("{path} has no heading for #{anchor}"))
}

fn resolve(from: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Documents that a line names from the project's root: `docs/….md`.
fn mentions(line: &str) -> impl Iterator<Item = &str> {
    let is_outside = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.'));
    line.split(is_outside).filter(|word| word.starts_with("docs/") && is_document(word))
}

#[test]
fn links_lead_somewhere() {
    assert_none(&check(Tree::project()));
}

#[cfg(test)]
mod planted {
    use super::*;

    #[test]
    fn files_folders_and_anchors_that_exist_are_fine() {
        let tree = Tree::planted(&[
            ("README.md", "[a](docs/a.md) [b](docs/a.md#two-words) [c](docs) [d](#top)\n\n# Top\n"),
            ("docs/a.md", "[up](../README.md#top) [out](https://example.com/x)\n\n## Two words\n"),
            ("src/lib.rs", "//! See docs/a.md.\n"),
        ]);
        // The full stop belongs to the sentence, not to the name: it makes another name.
        assert_none(&check(&tree));
    }

    #[test]
    fn what_does_not_exist_is_found() {
        let tree = Tree::planted(&[
            ("README.md", "[a](docs/gone.md) [b](#gone) [c](../outside.md)\n"),
            ("src/lib.rs", "//! (docs/lost.md)\n"),
        ]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 5, "{findings:?}");
        assert!(findings.contains(&"README.md: [#gone] README.md has no heading for #gone".to_owned()));
        assert!(findings.contains(&"src/lib.rs:1: names docs/lost.md, which does not exist".to_owned()));
    }
}
