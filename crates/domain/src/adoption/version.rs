//! Which version a server runs. Several may say it, and all who do must say the same: a release goes by it.

use super::{KnownBy, Unfit};
use crate::app::AppStatus;
use crate::ids::Version;
use crate::reading::Reading;
use crate::stranger::Stranger;

/// Characters of a tag's value that are told of one that is too long or is none.
const SHOWN_MAX: usize = 40;
/// Source: EC2, "Tag restrictions": a tag's value has up to 256 characters. No version is half as long.
const CHARS_MAX: usize = 128;

/// A word that can be a tag, and that a person reads as what it is: it is shown before somebody says yes.
fn is_plain(word: &str) -> bool {
    (1..=CHARS_MAX).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic())
}

/// The version, and the first who says it.
pub(super) fn of(
    server: &Stranger,
    app: Option<&Reading<AppStatus>>,
    asked: Option<&Version>,
) -> Result<(Version, KnownBy), Unfit> {
    let app_says = app.and_then(Reading::known).map(|status| status.version.clone());
    if let Some(word) = app_says.as_ref().filter(|word| !is_plain(word.as_str())) {
        let why = format!(
            "it says {:?}, which is no version",
            word.as_str().chars().take(SHOWN_MAX).collect::<String>()
        );
        return Err(Unfit::VersionUnreadable { instance: server.id.clone(), why });
    }
    let words = [
        (server.image_version.clone(), KnownBy::Image),
        (app_says, KnownBy::Application),
        (server.tagged_version(), KnownBy::Tag),
        (asked.cloned(), KnownBy::Asked),
    ];
    let mut said = words.into_iter().filter_map(|(version, by)| Some((version?, by)));
    let Some((version, by)) = said.next() else {
        let why = app.and_then(Reading::why).map(ToString::to_string);
        return Err(Unfit::VersionUnreadable { instance: server.id.clone(), why: why.unwrap_or_default() });
    };
    match said.find(|(other, _)| *other != version) {
        None => Ok((version, by)),
        Some((other, other_by)) => Err(Unfit::VersionsContradict {
            instance: server.id.clone(),
            first: (by, version),
            second: (other_by, other),
        }),
    }
}
