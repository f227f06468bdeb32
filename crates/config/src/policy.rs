//! A service's policies, with what is used unless the file says otherwise.

use std::time::Duration;

use segue_domain::service::{CanaryPolicy, FullPolicy, HandoverPolicy, NeedsCanary, Patience, WarmSpec};

use segue_integrations::hooks::TRAFFIC_PORT;

use super::shape::{self, Shape};
use super::table::Table;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);

pub(crate) fn canary(mut table: Table<'_>) -> Option<CanaryPolicy> {
    let count = table.or("count", 1, &shape::number32(1, 100, "1"));
    let bake = table.or("bake", 4 * HOUR, &span(SECOND, WEEK, "\"4h\""));
    let min_boards = table.or("min_boards", 5, &shape::number(0, 1_000_000, "5"));
    let max_error_ratio = table.or("max_error_ratio", 2, &shape::number(1, 1_000, "2"));
    table.done();
    Some(CanaryPolicy {
        count: count?,
        bake: bake?,
        min_boards: min_boards?,
        max_error_ratio: max_error_ratio?,
    })
}

pub(crate) fn full(mut table: Table<'_>) -> Option<FullPolicy> {
    let bake = table.or("bake", 10 * MINUTE, &span(Duration::ZERO, WEEK, "\"10m\""));
    let needs_canary = table.or("needs_canary", true, &shape::boolean());
    let keep_old = table.or("keep_old", 24 * HOUR, &span(Duration::ZERO, 4 * WEEK, "\"24h\""));
    table.done();
    Some(FullPolicy {
        bake: bake?,
        needs_canary: if needs_canary? { NeedsCanary::Yes } else { NeedsCanary::No },
        keep_old: keep_old?,
    })
}

pub(crate) fn handover(mut table: Table<'_>) -> Option<HandoverPolicy> {
    let level_max = table.or("level_max", 2, &shape::number32(0, 2, "2"));
    // Nobody may stall longer than this, whatever part of Segue is dead.
    let seal_ttl = table.or("seal_ttl", SECOND, &span(SECOND / 10, 10 * SECOND, "\"1s\""));
    let attach_deadline = table.or("attach_deadline", 30 * SECOND, &span(SECOND, HOUR, "\"30s\""));
    let attach_rate_per_s = table.or("attach_rate_per_s", 100, &shape::number32(1, 10_000, "100"));
    let wave_boards = table.or("wave_boards", 50, &shape::number32(1, 1_000, "50"));
    let switching_at_once = table.or("switching_at_once", 8, &shape::number32(1, 1_000, "8"));
    if let (Some(wave), Some(at_once)) = (wave_boards, switching_at_once)
        && at_once > wave
    {
        let what = format!("{at_once} boards cannot switch at once in waves of {wave}");
        table.report("switching_at_once", what, format!("write at most {wave}, or raise `wave_boards`"));
    }
    table.done();
    Some(HandoverPolicy {
        level_max: u8::try_from(level_max?).ok()?,
        seal_ttl: seal_ttl?,
        attach_deadline: attach_deadline?,
        attach_rate_per_s: attach_rate_per_s?,
        wave_boards: wave_boards?,
        switching_at_once: switching_at_once?,
    })
}

pub(crate) fn patience(mut table: Table<'_>) -> Option<Patience> {
    let step = table.or("step", 15 * MINUTE, &span(SECOND, 24 * HOUR, "\"15m\""));
    let settle = table.or("settle", MINUTE, &span(SECOND, HOUR, "\"1m\""));
    let max_age = table.or("max_age", 45 * SECOND, &span(SECOND, HOUR, "\"45s\""));
    let zeros_apart = table.or("zeros_apart", 30 * SECOND, &span(SECOND / 10, HOUR, "\"30s\""));
    if let (Some(step), Some(settle)) = (step, settle)
        && settle >= step
    {
        let what = format!("{} is not shorter than `step`", shape::spoken(settle));
        table.report("settle", what, format!("write less than {}", shape::spoken(step)));
    }
    table.done();
    Some(Patience { step: step?, settle: settle?, max_age: max_age?, zeros_apart: zeros_apart? })
}

/// Warm-up requests, and the port that they go to.
pub(crate) fn warm(mut table: Table<'_>) -> Option<(WarmSpec, u16)> {
    let path = table.required("path", &path());
    let requests = table.or("requests", 100, &shape::number32(10, 100_000, "100"));
    let port = table.or("port", TRAFFIC_PORT, &shape::port("8080"));
    let median = table.required("median", &span(Duration::from_millis(1), MINUTE, "\"50ms\""));
    table.done();
    let median_ms = u32::try_from(median?.as_millis()).ok()?;
    Some((WarmSpec { path: path?, requests: requests?, median_ms }, port?))
}

fn span(min: Duration, max: Duration, example: &'static str) -> Shape<Duration> {
    shape::duration(min, max, example)
}

fn path() -> Shape<String> {
    Shape::text("a path that begins with a slash", "\"/health\"", |text| {
        let fits = |c: char| c.is_ascii_graphic();
        (text.starts_with('/') && text.chars().all(fits)).then(|| text.to_owned())
    })
}
