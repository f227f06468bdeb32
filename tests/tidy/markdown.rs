//! What the rules need to know of a document: its links, headings and code blocks.

use std::collections::BTreeMap;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Where links and images lead.
    pub(crate) links: Vec<String>,
    /// The anchors of the headings, as the code host makes them.
    pub(crate) anchors: Vec<String>,
    pub(crate) headings: Vec<String>,
    /// Language and text of each fenced block.
    pub(crate) blocks: Vec<(String, String)>,
    /// Text between single backticks.
    pub(crate) spans: Vec<String>,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a document has many more parts than the rules ask for")]
pub(crate) fn read(text: &str) -> Document {
    let mut document = Document::default();
    let mut heading: Option<String> = None;
    let mut block: Option<(String, String)> = None;
    for event in Parser::new_ext(text, pulldown_cmark::Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                document.links.push(dest_url.to_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => document.headings.extend(heading.take()),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                block = Some((language.to_string(), String::new()));
            }
            Event::End(TagEnd::CodeBlock) => document.blocks.extend(block.take()),
            Event::Text(text) => {
                if let Some((_, inside)) = &mut block {
                    inside.push_str(&text);
                }
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Code(span) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&span);
                }
                document.spans.push(span.to_string());
            }
            _ => {}
        }
    }
    document.anchors = anchors(&document.headings);
    document
}

/// Lower case, spaces to dashes, punctuation gone; the second of the same name gets `-1`.
fn anchors(headings: &[String]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = Vec::new();
    for heading in headings {
        let kept = heading.to_lowercase().replace(' ', "-");
        let slug: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
        let times = seen.entry(slug.clone()).or_insert(0);
        anchors.push(if *times == 0 { slug } else { format!("{slug}-{times}") });
        *times += 1;
    }
    anchors
}

#[test]
fn a_document_is_read_into_its_parts() {
    let text = "# The `segue` way, 2\n\n[a](b.md#c) ![i](p.png)\n\n```sh\nmake demo\n```\n\n`x`\n\n## Same\n## Same\n";
    let document = read(text);
    assert_eq!(document.links, ["b.md#c", "p.png"]);
    assert_eq!(document.anchors, ["the-segue-way-2", "same", "same-1"]);
    assert_eq!(document.blocks, [("sh".to_owned(), "make demo\n".to_owned())]);
    assert_eq!(document.spans, ["segue", "x"]);
}

#[test]
fn a_link_inside_code_is_no_link() {
    assert!(read("`[a](b)`\n\n```\n[a](b)\n```\n").links.is_empty());
}
