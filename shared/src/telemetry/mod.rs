//! Logs and metrics without PHI: one JSON line per operation, which CloudWatch reads as metrics
//! too (Embedded Metric Format), and panics by their location alone.

use crate::Fault;
use crate::audit::Outcome;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::sync::OnceLock;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The metrics' namespace in CloudWatch.
const NAMESPACE: &str = "Portal";

/// Where lines go instead of standard output, in tests.
static DIVERTED: OnceLock<fn(&[u8])> = OnceLock::new();

/// Sets logging up, once in a process.
///
/// `LOG_LEVEL` speaks of the portal's own code. Everybody else's is capped at INFO whatever it
/// says: at TRACE the runtime logs whole events, and at DEBUG the SDK logs requests.
pub fn init() {
    let ours = match std::env::var("LOG_LEVEL").as_deref() {
        Ok("debug") => LevelFilter::DEBUG,
        Ok("warn") => LevelFilter::WARN,
        Ok("error") => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    };
    let targets = Targets::new()
        .with_default(LevelFilter::INFO.min(ours))
        .with_target("shared", ours);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(|| Lines);
    // A second call (tests share a process) leaves the first subscriber in place.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
    std::panic::set_hook(Box::new(|panic| {
        let (file, line) = panic
            .location()
            .map_or(("?", 0), |at| (at.file(), at.line()));
        tracing::error!(file, line, "panic");
    }));
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match DIVERTED.get() {
            Some(take) => {
                take(bytes);
                Ok(bytes.len())
            }
            None => std::io::stdout().lock().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().lock().flush()
    }
}

/// Gives every line to somebody else from now on, for as long as the process lives.
pub fn divert(take: fn(&[u8])) {
    let _ = DIVERTED.set(take);
}

/// The one line of an operation.
pub struct Line<'a> {
    pub operation: &'static str,
    pub request_id: &'a str,
    pub outcome: Outcome,
    pub status: Option<StatusCode>,
    pub started: Timestamp,
    pub fault: Option<Fault>,
}

#[derive(Serialize)]
struct Emf<'a> {
    #[serde(rename = "_aws")]
    aws: Directive,
    level: &'static str,
    operation: &'a str,
    request_id: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    #[serde(rename = "Duration")]
    duration: i64,
    #[serde(rename = "Failures")]
    failures: u8,
    #[serde(rename = "Denials")]
    denials: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    timestamp: i64,
    cloud_watch_metrics: [Metrics; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metrics {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: [Metric; 3],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

/// Writes the line of an operation: request id, outcome, duration, and the fault by its name.
pub fn report(line: &Line<'_>) {
    let now = Timestamp::now();
    let failed = line.outcome == Outcome::Failure;
    let emf = Emf {
        aws: Directive {
            timestamp: now.as_millisecond(),
            cloud_watch_metrics: [Metrics {
                namespace: NAMESPACE,
                dimensions: [["operation"]],
                metrics: [
                    Metric {
                        name: "Duration",
                        unit: "Milliseconds",
                    },
                    Metric {
                        name: "Failures",
                        unit: "Count",
                    },
                    Metric {
                        name: "Denials",
                        unit: "Count",
                    },
                ],
            }],
        },
        level: if failed { "ERROR" } else { "INFO" },
        operation: line.operation,
        request_id: line.request_id,
        outcome: line.outcome.as_str(),
        status: line.status.map(|status| status.as_u16()),
        fault: line.fault.map(|fault| fault.to_string()),
        duration: now.as_millisecond() - line.started.as_millisecond(),
        failures: u8::from(failed),
        denials: u8::from(line.outcome == Outcome::Denied),
    };
    if let Ok(mut text) = serde_json::to_vec(&emf) {
        text.push(b'\n');
        let _ = Lines.write_all(&text);
    }
}

/// Adds one to a metric that only one operation has.
pub fn count(operation: &'static str, metric: &'static str) {
    let line = serde_json::json!({
        "_aws": {
            "Timestamp": Timestamp::now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["operation"]],
                "Metrics": [{ "Name": metric, "Unit": "Count" }],
            }],
        },
        "level": "WARN",
        "operation": operation,
        metric: 1,
    });
    let mut text = line.to_string().into_bytes();
    text.push(b'\n');
    let _ = Lines.write_all(&text);
}
