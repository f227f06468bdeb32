//! Which version a server runs. Several may say it, and all who do must say the same: a release goes by it.

use super::{KnownBy, Unfit};
use crate::app::AppStatus;
use crate::ids::Version;
use crate::reading::Reading;
use crate::stranger::Stranger;

/// The version, and the first who says it.
pub(super) fn of(
    server: &Stranger,
    app: Option<&Reading<AppStatus>>,
    asked: Option<&Version>,
) -> Result<(Version, KnownBy), Unfit> {
    let app_says = app.and_then(Reading::known).map(|status| status.version.clone());
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
