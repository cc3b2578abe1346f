//! `cargo xtask bench`: release binaries under a Lambda Runtime API of our own, beside a bare function.
//!
//! Functions take turns, so that whatever else the machine does hits all of them alike, and medians
//! are over the turns. Every response is looked at: an error path is never measured.

mod backend;
mod build;
mod http;
mod patient;
mod runtime;
mod table;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::aws::{REGION, ROOT};
use crate::home::workspace;
use backend::Backend;
use runtime::Plan;
use table::Measured;

const BARE: &str = "hello";

/// What a run is made of.
pub struct Options {
    /// How often each function is started.
    pub runs: usize,
    /// How many requests each process answers after its first.
    pub requests: usize,
    /// Folders with other binaries of the same names, measured in the same turns.
    pub against: Vec<PathBuf>,
}

impl Options {
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            runs: 15,
            requests: 300,
            against: Vec::new(),
        };
        while let Some(option) = arguments.next() {
            let value = arguments.next();
            let value = value.with_context(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--runs" => options.runs = value.parse().context("--runs is no number")?,
                "--requests" => {
                    options.requests = value.parse().context("--requests is no number")?;
                }
                "--against" => options.against.push(value.into()),
                _ => bail!("unknown option {option}"),
            }
        }
        ensure!(
            options.runs > 0 && options.requests > 0,
            "--runs and --requests begin at 1"
        );
        Ok(options)
    }
}

/// One function under measurement.
struct Function {
    label: String,
    name: &'static str,
    binary: PathBuf,
    event: Vec<u8>,
    environment: Vec<(&'static str, String)>,
    check: Check,
}

/// Says what is wrong with a response.
type Check = fn(&Value) -> Result<()>;

/// Builds, measures and prints.
pub async fn run(options: Options) -> Result<()> {
    println!("Build for release");
    let binaries = build::build(&[BARE, "get-dashboard", "get-profile"]).await?;
    let binary = |name: &str| {
        let path = binaries.get(name);
        path.cloned().with_context(|| format!("no binary {name}"))
    };
    // Measuring blocks, and nothing else is to be done meanwhile.
    let functions = functions(&options, binary)?;
    let measured = tokio::task::spawn_blocking(move || measure(&options, &functions)).await??;
    println!("{measured}");
    Ok(())
}

fn functions(
    options: &Options,
    built: impl Fn(&str) -> Result<PathBuf>,
) -> Result<(Backend, Vec<Function>)> {
    let dashboard = event("get-dashboard")?;
    let backend = Backend::start(&serde_json::from_slice(&dashboard)?)?;
    let known: [(_, _, Check); 3] = [
        (BARE, dashboard.clone(), echoed),
        ("get-dashboard", dashboard, dashboard_shown),
        ("get-profile", event("get-profile")?, profile_shown),
    ];
    let mut functions = Vec::new();
    for (name, event, check) in known {
        let mut add = |label: String, binary| {
            functions.push(Function {
                label,
                name,
                binary,
                event: event.clone(),
                environment: environment(&backend),
                check,
            });
        };
        add(name.to_owned(), built(name)?);
        for folder in options.against.iter().filter(|_| name != BARE) {
            let variant = folder.file_name().unwrap_or_default().to_string_lossy();
            add(format!("{name} {variant}"), folder.join(name));
        }
    }
    Ok((backend, functions))
}

fn measure(options: &Options, (backend, functions): &(Backend, Vec<Function>)) -> Result<String> {
    let folder = workspace().join("target/bench");
    fs::create_dir_all(&folder)?;
    let mut measured = functions
        .iter()
        .map(|function| {
            Ok(Measured {
                name: function.label.clone(),
                runs: Vec::new(),
                zipped: build::zipped(&function.binary)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    // The first turn warms the page cache and is not counted.
    for turn in 0..=options.runs {
        print!("\rTurn {turn} of {}", options.runs);
        std::io::stdout().flush()?;
        for (function, measured) in functions.iter().zip(&mut measured) {
            let run = take_turn(options, function, backend, &folder)
                .with_context(|| format!("measuring {}", function.label))?;
            if turn > 0 {
                measured.runs.push(run);
            }
        }
    }
    println!("\n");
    let (bare, others) = measured.split_first().context("no functions")?;
    Ok(format!(
        "Medians of {} interleaved runs, {} warm requests each\n\n{}",
        options.runs,
        options.requests,
        table::render(bare, others)
    ))
}

/// One process, from its start to its last response.
fn take_turn(
    options: &Options,
    function: &Function,
    backend: &Backend,
    folder: &Path,
) -> Result<runtime::Run> {
    let mut run = runtime::run(&Plan {
        name: function.name,
        binary: &function.binary,
        event: &function.event,
        warm_requests: options.requests,
        environment: &function.environment,
        log: &folder.join(format!("{}.log", function.name)),
    })?;
    let responses = std::mem::take(&mut run.responses);
    for response in &responses {
        let response = serde_json::from_slice(response).context("a response that is no JSON")?;
        (function.check)(&response).with_context(|| format!("a wrong response: {response}"))?;
    }
    let audited = if function.name == BARE {
        0
    } else {
        responses.len()
    };
    backend.settle(audited)?;
    Ok(run)
}

fn event(name: &str) -> Result<Vec<u8>> {
    let file = workspace().join(format!("events/{name}.json"));
    let event = fs::read(&file).with_context(|| format!("no {}", file.display()))?;
    // As Lambda sends it: without the white space of a file for people.
    let event: Value = serde_json::from_slice(&event)?;
    Ok(serde_json::to_vec(&event)?)
}

/// What a function finds in its environment beside Lambda's own variables.
fn environment(backend: &Backend) -> Vec<(&'static str, String)> {
    use shared::aws::Resource;
    let resources = [
        (Resource::AccountsTable, "accounts"),
        (Resource::PatientsTable, "patients"),
        (Resource::RecordsTable, "records"),
        (Resource::ScheduleTable, "schedule"),
        (Resource::AuditTable, "audit"),
        (Resource::PhiKey, "phi"),
    ];
    let mut environment = vec![
        ("AWS_ACCESS_KEY_ID", ROOT.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", ROOT.to_owned()),
        ("AWS_SESSION_TOKEN", ROOT.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ENDPOINT_URL", backend.url()),
        ("LOG_LEVEL", "info".to_owned()),
        ("PRACTICE_NAME", "Our practice".to_owned()),
        ("PRACTICE_TIME_ZONE", "America/New_York".to_owned()),
        ("ADOLESCENT_AGE", "13".to_owned()),
        ("ADULT_AGE", "18".to_owned()),
        ("CANCELLATION_HOURS", "24".to_owned()),
        ("MAX_OPEN_APPOINTMENTS", "10".to_owned()),
        ("RETENTION_YEARS", "10".to_owned()),
        ("REPLY_WITHIN_HOURS", "48".to_owned()),
        ("EMERGENCY_NUMBER", "911".to_owned()),
        ("ALLOWED_ORIGIN", "https://portal.invalid".to_owned()),
        ("WORKING_HOURS", "MON-FRI 7-19".to_owned()),
        (
            "WATCH_THRESHOLDS",
            "many-patients=40 outside-hours=5 many-denials=10 account-sign-ins=10 \
             address-sign-ins=30 many-emergencies=3 many-exports=10 own-rights=1"
                .to_owned(),
        ),
    ];
    environment.extend(resources.map(|(resource, name)| (resource.env(), name.to_owned())));
    environment
}

fn echoed(response: &Value) -> Result<()> {
    let path = text(response, "/path")?;
    ensure!(path.ends_with("/dashboard"), "not the event");
    Ok(())
}

fn dashboard_shown(response: &Value) -> Result<()> {
    let body = disclosed(response)?;
    let count = |pointer| body.pointer(pointer).and_then(Value::as_u64);
    let results = count("/new_results/count");
    ensure!(results == Some(patient::LAB_RESULTS as u64), "new results");
    let prescriptions = count("/active_prescriptions/count");
    ensure!(
        prescriptions == Some(patient::ACTIVE_PRESCRIPTIONS as u64),
        "active prescriptions"
    );
    Ok(())
}

fn profile_shown(response: &Value) -> Result<()> {
    let body = disclosed(response)?;
    ensure!(text(&body, "/birth_date")?.len() == 10, "date of birth");
    Ok(())
}

/// The body of a 200 about the sample patient.
fn disclosed(response: &Value) -> Result<Value> {
    let status = response.pointer("/statusCode").and_then(Value::as_u64);
    ensure!(status == Some(200), "status");
    let body: Value = serde_json::from_str(text(response, "/body")?)?;
    ensure!(text(&body, "/name")? == patient::NAME, "name");
    Ok(body)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.with_context(|| format!("no {pointer}"))
}
