//! What the rules need to know of a Rust file: its items, which of them are tests, and where they stand.

use syn::spanned::Spanned;
use syn::{Attribute, File, Item, Meta};

/// Parses, or says where it does not.
pub(crate) fn parse(path: &str, text: &str) -> Result<File, String> {
    syn::parse_file(text)
        .map_err(|error| format!("{path}:{}: does not parse: {error}", error.span().start().line))
}

/// Whether `#[cfg(test)]` stands above it.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => {
            list.path.is_ident("cfg")
                && list.parse_args::<Meta>().is_ok_and(|condition| condition.path().is_ident("test"))
        }
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "syn keeps its enums open; what is left has no tests inside"
)]
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// First and last line, from 1.
pub(crate) fn lines_of(item: &impl Spanned) -> (usize, usize) {
    let span = item.span();
    (span.start().line, span.end().line)
}

#[test]
fn only_cfg_test_makes_an_item_test_only() {
    let text = "#[cfg(test)] mod a {}\n#[cfg(feature = \"test\")] mod b {}\n#[test] fn c() {}\n";
    let file = parse("x.rs", text).expect("parses");
    let test_only: Vec<bool> = file.items.iter().map(|item| is_test_only(attributes(item))).collect();
    assert_eq!(test_only, [true, false, false]);
}
