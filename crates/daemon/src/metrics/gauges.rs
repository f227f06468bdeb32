//! What is read when the page is asked for: readiness, releases, waits, calls, memory.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{AwsCall, Call, CallTime, ReleaseState, ServiceState, Waiting};
use super::process;
use crate::front::Front;
use crate::words;

pub(super) fn register(registry: &mut Registry, front: &Front) {
    let ready: Gauge = Gauge::default();
    ready.set(i64::from(front.readiness().ready));
    registry.register("ready", "1 when the lease is held", ready);
    services(registry, front);
    releases(registry, front);
    calls(registry, front);
    aws_calls(registry, front);
    if let Some(bytes) = process::resident_bytes() {
        let resident: Gauge = Gauge::default();
        resident.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        registry.register("resident_memory_bytes", "Resident memory of the daemon", resident);
    }
}

/// One that cannot be taken up does not make the daemon unready, and must not be overlooked.
fn services(registry: &mut Registry, front: &Front) {
    let ready: Family<ServiceState, Gauge> = Family::default();
    for (service, trouble) in front.troubles() {
        ready.get_or_create(&ServiceState { service }).set(i64::from(trouble.is_none()));
    }
    registry.register("service_ready", "1 for each service whose releases were taken up", ready);
}

/// Releases that are not over, and what each waits for.
fn releases(registry: &mut Registry, front: &Front) {
    let states: Family<ReleaseState, Gauge> = Family::default();
    let waits: Family<Waiting, Gauge> = Family::default();
    for live in front.active() {
        let release = &live.state.plan.release;
        let labels = ReleaseState {
            service: release.service.to_string(),
            release: release.to_string(),
            kind: live.state.plan.kind.name(),
            state: words::stance(&live.state.stance),
        };
        states.get_or_create(&labels).set(1);
        if let Some(wait) = &live.waiting {
            let on = words::waiting(&wait.on).code;
            let labels = Waiting { service: release.service.to_string(), release: release.to_string(), on };
            let seconds = front.now().since(wait.since).as_secs();
            waits.get_or_create(&labels).set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
    }
    registry.register("release_state", "1 for each release that is not over", states);
    registry.register("release_waiting_seconds", "How long a release has waited for something", waits);
}

/// Calls by port and method, repeated ones each for itself.
fn calls(registry: &mut Registry, front: &Front) {
    let counts: Family<Call, Counter> = Family::default();
    let seconds: Family<CallTime, Counter<f64, AtomicU64>> = Family::default();
    for (call, stat) in front.calls() {
        let labels = CallTime { port: call.port, method: call.method };
        seconds.get_or_create(&labels).inc_by(stat.spent.as_secs_f64());
        let results = [
            ("done", stat.ok),
            ("retry", stat.retry),
            ("refused", stat.refused),
            ("unknown", stat.unknown),
            ("bug", stat.bug),
        ];
        for (result, count) in results {
            let labels = Call { port: call.port, method: call.method, result };
            counts.get_or_create(&labels).inc_by(count);
        }
    }
    registry.register("calls", "Calls at outside systems by port, method and how they ended", counts);
    registry.register("call_seconds", "Time spent in calls at outside systems", seconds);
}

fn aws_calls(registry: &mut Registry, front: &Front) {
    let counts: Family<AwsCall, Counter> = Family::default();
    for (call, tally) in front.aws_calls() {
        let results = [
            ("done", tally.done),
            ("retry", tally.retry),
            ("refused", tally.refused),
            ("unknown", tally.unknown),
            ("bug", tally.bug),
        ];
        for (result, count) in results {
            counts.get_or_create(&AwsCall { call, result }).inc_by(count);
        }
    }
    registry.register("aws_calls", "Calls at AWS by their names and how they ended", counts);
}
