//! What was measured, as one table: medians, ratios to the bare function, and the targets.
use std::fmt::Write;
use std::time::Duration;

use super::runtime::Run;

/// One function, and all that was measured of it.
pub(super) struct Measured {
    pub name: String,
    pub runs: Vec<Run>,
    /// Of its deployment package.
    pub zipped: u64,
}

enum Target {
    None,
    /// At most so many times the bare function's.
    Times(f64),
    /// At most so much.
    Most(f64),
}

struct Row {
    name: &'static str,
    unit: &'static str,
    /// In the row's unit, in the median.
    of: fn(&Measured) -> f64,
    target: Target,
}

const ROWS: [Row; 10] = [
    Row {
        name: "INIT",
        unit: "ms",
        of: |measured| over_runs(measured, |run| milliseconds(run.init)),
        target: Target::Times(2.0),
    },
    Row {
        name: "INIT CPU",
        unit: "ms",
        of: |measured| over_runs(measured, |run| milliseconds(run.init_cpu)),
        target: Target::None,
    },
    Row {
        name: "first response",
        unit: "ms",
        of: |measured| over_runs(measured, |run| milliseconds(run.first)),
        target: Target::Times(2.5),
    },
    Row {
        name: "first CPU",
        unit: "ms",
        of: |measured| over_runs(measured, |run| milliseconds(run.first_cpu)),
        target: Target::None,
    },
    Row {
        name: "cold start",
        unit: "ms",
        of: |measured| over_runs(measured, |run| milliseconds(run.init + run.first)),
        target: Target::None,
    },
    Row {
        name: "warm p50",
        unit: "ms",
        of: |measured| over_runs(measured, |run| percentile(&run.warm, 50)),
        target: Target::Times(6.0),
    },
    Row {
        name: "warm p99",
        unit: "ms",
        of: |measured| over_runs(measured, |run| percentile(&run.warm, 99)),
        target: Target::None,
    },
    Row {
        name: "warm CPU",
        unit: "ms",
        of: |measured| {
            over_runs(measured, |run| {
                milliseconds(run.warm_cpu) / run.warm.len() as f64
            })
        },
        target: Target::None,
    },
    Row {
        name: "max RSS",
        unit: "MB",
        of: |measured| over_runs(measured, |run| megabytes(run.peak_memory)),
        target: Target::Times(2.5),
    },
    Row {
        name: "zipped",
        unit: "MB",
        of: |measured| megabytes(measured.zipped),
        target: Target::Most(4.0),
    },
];

/// Renders the table: the bare function first, the others beside it.
pub(super) fn render(bare: &Measured, others: &[Measured]) -> String {
    let mut table = format!("{:<18}{:>10}", "", bare.name);
    for other in others {
        let _ = write!(table, "{:>26}", other.name);
    }
    let _ = writeln!(table, "   target");
    for row in &ROWS {
        let base = (row.of)(bare);
        let _ = write!(table, "{:<16}{}{base:>10.3}", row.name, row.unit);
        for other in others {
            let value = (row.of)(other);
            let ratio = value / base;
            let verdict = match row.target {
                Target::None => "",
                Target::Times(most) if ratio <= most => "met",
                Target::Most(most) if value <= most => "met",
                _ => "missed",
            };
            let _ = write!(table, "{value:>11.3}{ratio:>7.2}x {verdict:<7}");
        }
        let _ = match row.target {
            Target::None => writeln!(table),
            Target::Times(most) => writeln!(table, "   {most}x {}", bare.name),
            Target::Most(most) => writeln!(table, "   {most} {}", row.unit),
        };
    }
    table
}

fn over_runs(measured: &Measured, value: impl Fn(&Run) -> f64) -> f64 {
    median(measured.runs.iter().map(value).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = values.get(values.len().saturating_sub(1) / 2).copied();
    f64::midpoint(lower.unwrap_or(f64::NAN), upper)
}

/// In milliseconds, by the nearest rank.
fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    let rank = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(rank).copied().map_or(f64::NAN, milliseconds)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), 100.0);
        assert_eq!(percentile(&times, 99), 198.0);
    }

    #[test]
    fn a_target_is_met_or_missed() {
        let measured = |name: &str, milliseconds, zipped| Measured {
            name: name.to_owned(),
            runs: vec![Run {
                init: Duration::from_millis(milliseconds),
                first: Duration::from_millis(milliseconds),
                warm: vec![Duration::from_millis(milliseconds)],
                init_cpu: Duration::from_millis(milliseconds),
                first_cpu: Duration::from_millis(milliseconds),
                warm_cpu: Duration::from_millis(milliseconds),
                peak_memory: milliseconds * 1_000_000,
                responses: Vec::new(),
            }],
            zipped,
        };
        let table = render(
            &measured("hello", 10, 1_000_000),
            &[measured("other", 24, 4_000_001)],
        );
        let line = |name| table.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("INIT").contains("2.40x missed"), "{table}");
        assert!(line("first").contains("2.40x met"), "{table}");
        assert!(line("zipped").contains("missed"), "{table}");
        assert!(!line("warm CPU").contains("met"), "{table}");
    }
}
