//! Words that the project does not use (tests/tidy/words.toml), each with its reason and replacement.

use serde::Deserialize;

use super::tree::{Tree, assert_none, is_document};

const WORDS: &str = "tests/tidy/words.toml";
/// The list itself, its test, and what others wrote.
const EXEMPT: [&str; 4] = [WORDS, "tests/tidy/words.rs", "Cargo.lock", "LICENSE"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    word: Vec<Word>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    word: String,
    instead: String,
    why: String,
    #[serde(rename = "where")]
    place: Place,
    /// Files that have to use it, because somebody else gave the name.
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Everywhere,
    Prose,
}

fn check(tree: &Tree, words: &[Word]) -> Vec<String> {
    let needles: Vec<(&Word, String)> = words.iter().map(|word| (word, spread(&word.word))).collect();
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !EXEMPT.contains(path)) {
        for (number, line) in text.lines().enumerate() {
            let line = spread(line);
            for (word, needle) in &needles {
                if applies(word, path) && line.contains(needle) {
                    let Word { word, instead, why, .. } = word;
                    findings.push(format!("{path}:{}: `{word}`: {instead} ({why})", number + 1));
                }
            }
        }
    }
    findings
}

fn applies(word: &Word, path: &str) -> bool {
    let is_its_place = match word.place {
        Place::Everywhere => true,
        Place::Prose => is_document(path),
    };
    is_its_place && !word.except.iter().any(|except| except == path)
}

/// Lower case, with one space wherever a word begins or ends, so that ` word ` is found in snake_case,
/// in CamelCase and beside punctuation. Slashes stay, because paths are looked for too.
fn spread(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    out.push(' ');
    for c in text.chars() {
        let is_hump = c.is_uppercase() && before.is_lowercase();
        if is_hump || !(c.is_alphanumeric() || c == '/') {
            push_space(&mut out);
        }
        if c.is_alphanumeric() || c == '/' {
            out.extend(c.to_lowercase());
        }
        before = c;
    }
    push_space(&mut out);
    match (text.starts_with('/'), text.ends_with('/')) {
        // A path's beginning may stand anywhere in a line.
        (true, true) => out.trim().to_owned(),
        _ => out,
    }
}

fn push_space(out: &mut String) {
    if !out.ends_with(' ') {
        out.push(' ');
    }
}

#[test]
fn no_unwanted_word_is_used() {
    let tree = Tree::project();
    let list: List = toml::from_str(tree.get(WORDS).expect("the words' file")).expect("words");
    assert_none(&check(tree, &list.word));
}

#[cfg(test)]
mod planted {
    use super::*;

    fn findings(path: &str, text: &str, word: &str, place: Place) -> Vec<String> {
        let own = str::to_owned;
        let except = vec!["src/excepted.rs".to_owned()];
        let word = Word { word: own(word), instead: own("fleet"), why: own("one word"), place, except };
        check(&Tree::planted(&[(path, text)]), &[word])
    }

    #[test]
    fn a_word_is_found_in_every_kind_of_name() {
        for text in
            ["a server group.", "fn server_group()", "struct ServerGroup;", "SERVER-GROUP", "(server group)"]
        {
            let found = findings("src/a.rs", text, "server group", Place::Everywhere);
            assert_eq!(found, ["src/a.rs:1: `server group`: fleet (one word)"], "{text}");
        }
    }

    #[test]
    fn a_longer_word_is_another_word() {
        assert_none(&findings("src/a.rs", "observer groups", "server group", Place::Everywhere));
        assert_none(&findings("src/a.rs", "colorful", "color", Place::Everywhere));
    }

    #[test]
    fn a_path_is_found_wherever_it_begins() {
        assert_eq!(findings("a.md", "see \"/home/me/x\"", "/home/", Place::Everywhere).len(), 1);
        assert_none(&findings("a.md", "see docs/homes/x", "/home/", Place::Everywhere));
    }

    #[test]
    fn a_file_may_be_excepted_by_name() {
        assert_none(&findings("src/excepted.rs", "server group", "server group", Place::Everywhere));
    }

    #[test]
    fn prose_words_are_looked_for_in_documents_only() {
        assert_none(&findings("src/a.rs", "color", "color", Place::Prose));
        assert_eq!(findings("docs/a.md", "one\ncolor", "color", Place::Prose).len(), 1);
    }
}
