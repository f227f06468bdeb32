//! The metrics page, in Prometheus's text format.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::Write as _;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use segue_handover::server::Server;

#[derive(Debug, Clone)]
struct Metrics {
    server: Server,
    started_at_s: i64,
}

pub(super) fn router(server: Server, started_at_s: i64) -> Router {
    Router::new().route("/metrics", get(page)).with_state(Metrics { server, started_at_s })
}

async fn page(State(metrics): State<Metrics>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics.text()).into_response()
}

impl Metrics {
    fn text(&self) -> String {
        let status = self.server.status();
        let gauges = [
            ("rtb_spaces_count", "Open boards.", status.boards),
            ("app_standbys", "Boards prepared for a move to here.", status.standbys),
            ("app_clients", "Connections to open boards.", status.clients),
            ("app_attached", "Connections that wait for a move to here.", status.attached),
            (
                "attach_limit_per_s",
                "Attaches admitted per second at most.",
                u64::from(status.attach.limit_per_s),
            ),
            (
                "attach_peak_in_100ms",
                "The most attaches within any 100 ms.",
                u64::from(status.attach.peak_in_100ms),
            ),
            ("attach_queue", "Attaches that wait for admission.", u64::from(status.load.attach_queue)),
        ];
        let counters = [
            ("app_errors_total", "Broken protocols, failed writes, lost boards.", self.server.errors_total()),
            ("attach_overruns_total", "Admissions above the limit.", status.attach.overruns_total),
            ("attach_admitted_total", "Attaches admitted.", status.attach.admitted_total),
            ("attach_refused_total", "Attaches turned away.", status.attach.refused_total),
        ];
        let mut text = String::new();
        for (name, help, value) in gauges {
            write_one(&mut text, name, help, "gauge", value);
        }
        for (name, help, value) in counters {
            write_one(&mut text, name, help, "counter", value);
        }
        write_one(&mut text, "process_start_time_seconds", "Start, since 1970.", "gauge", self.started_at_s);
        text
    }
}

fn write_one(text: &mut String, name: &str, help: &str, kind: &str, value: impl std::fmt::Display) {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
        .expect("a String takes whatever is written");
}
