//! Services fail, throttle, stall and lose answers at random while every operation is called again and
//! again: whatever happens, what was disclosed or changed is in the audit log, and nobody is told
//! anything by an error. The log goes on to its archive in the same weather, and is whole there once it
//! clears up.

use crate::archive::is_whole;
use crate::harness::archive::batch;
use crate::harness::function::Function;
use crate::harness::recorder::{Call, Fate, Recorder};
use crate::harness::request::{With, body};
use crate::harness::world::{World, call, token_specs};
use serde_json::{Value, json};
use shared::api::{Method, Spec, Trigger};
use shared::aws::{Capability, Resource};
use shared::http::{Request, Response};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

/// Practices that have the weather at the same time, each with tables of its own.
const PRACTICES: u64 = 4;

/// How often each of them reads and changes everything.
const READINGS: usize = 10;
const CHANGES: usize = 2;

/// What the patient's file, and what the tests write, would show of itself.
const PHI: [&str; 3] = ["Wiegand", "CANARY", "neighbour"];

/// Draws that are the same in every run: SplitMix64.
#[derive(Clone)]
struct Draws(Arc<AtomicU64>);

impl Draws {
    fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    fn below(&self, bound: u64) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// What one request meets: a fair day, one service that is down, or a bit of everything.
    fn weather(&self) -> Recorder {
        let draws = self.clone();
        let down = ["dynamodb:", "kms:", "s3:", "logs:", "cognito-idp:", "ses:"];
        let down = down[self.index(down.len())];
        match self.below(10) {
            0..4 => Recorder::default(),
            4..6 => Recorder::fated(move |call| {
                if call.actions.iter().any(|action| action.starts_with(down)) {
                    draws.misfortune(call)
                } else {
                    Fate::Answered
                }
            }),
            _ => Recorder::fated(move |call| {
                if draws.below(3) == 0 {
                    draws.misfortune(call)
                } else {
                    Fate::Answered
                }
            }),
        }
    }

    fn misfortune(&self, call: &Call) -> Fate {
        let service = call.actions.first().map_or("", String::as_str);
        match self.below(20) {
            // The stall lasts as long as the client waits.
            0 => Fate::Unanswered,
            1..8 if service.starts_with("s3:") => {
                Fate::Told(503, "<Error><Code>SlowDown</Code></Error>")
            }
            1..5 if call.actions.len() > 1 => Fate::Cancelled("TransactionConflict"),
            1..8 => Fate::Told(
                400,
                r#"{"__type":"ThrottlingException","message":"CANARY-OF-AWS"}"#,
            ),
            _ => Fate::Failed,
        }
    }
}

/// What came back of one request.
struct Answer {
    operation: &'static str,
    request_id: String,
    status: u16,
    body: Value,
    /// Whether any row of any table is another than before.
    changed: bool,
}

impl Answer {
    fn new(spec: &Spec, request_id: String, response: &Response, changed: bool) -> Self {
        let is_json = response.media_type.ends_with("json") && !response.body.is_empty();
        Self {
            operation: spec.id,
            request_id,
            status: response.status.as_u16(),
            body: if is_json { body(response) } else { Value::Null },
            changed,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_disclosed_or_changed_is_in_the_log_whatever_fails() {
    let mut practices = JoinSet::new();
    for seed in 0..PRACTICES {
        practices.spawn(practice(seed));
    }
    let practices = practices.join_all().await;
    let (answers, archives): (Vec<_>, Vec<_>) = practices.into_iter().unzip();
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let mut statuses = BTreeMap::new();
    for answer in &answers {
        *statuses.entry(answer.status).or_insert(0_usize) += 1;
    }
    assert!(answers.len() > 2000, "{statuses:?}");
    // It was neither fair all day nor was everything lost.
    for status in [200, 503] {
        assert!(statuses[&status] > answers.len() / 10, "{statuses:?}");
    }
    assert!(answers.iter().filter(|answer| answer.changed).count() > 100);
    // The weather reached the archive, and checkpoints were made in it. One practice alone may be lucky.
    assert!(archives.iter().any(|archive| archive.failures > 0));
    assert!(archives.iter().any(|archive| archive.seals > 0));
}

/// All operations of one practice, the changes one after the other beside the readings, and what became
/// of their records.
async fn practice(seed: u64) -> (Vec<Answer>, Archive) {
    let world = World::new().await;
    let draws = Draws::new(seed);
    let (reads, changes): (Vec<_>, Vec<_>) = token_specs().into_iter().partition(only_reads);
    let mut requests = Vec::new();
    for spec in reads {
        let request = world.allowed(spec).await;
        requests.extend((0..READINGS).map(|_| (spec, request.again())));
    }
    let (read, changed) = tokio::join!(
        reading(&world, &draws, requests),
        changing(&world, &draws, changes)
    );
    let answers: Vec<_> = read.into_iter().chain(changed).collect();
    let wrong = wrong(&answers, &world.stack.audit().await);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let archive = archived(&world, &draws).await;
    (answers, archive)
}

/// How the way into the archive was.
#[derive(Default)]
struct Archive {
    /// Batches of which records came again.
    failures: usize,
    /// Checkpoints that were made.
    seals: usize,
}

/// Archives the whole log as Lambda would from a stream: a batch comes again from the first record that
/// was not taken, until all are.
async fn archived(world: &World, draws: &Draws) -> Archive {
    let events = world.stack.told().await;
    let (mut next, mut archive) = (0, Archive::default());
    while next < events.len() {
        let end = events.len().min(next + 1 + draws.index(100));
        let come = &events[next..end];
        let function = Function::recorded(&world.stack, "archive-audit", draws.weather());
        let taken = match function.handle(batch(come)).await {
            Ok(answer) => taken(come, &answer),
            Err(_) => 0,
        };
        archive.failures += usize::from(taken < come.len());
        next += taken;
        // Checkpoints are made meanwhile, where that is possible.
        let sealing = Function::recorded(&world.stack, "seal-audit", draws.weather());
        archive.seals += usize::from(sealing.handle(json!({})).await.is_ok());
    }
    // The log group may have a line twice, whose answer was lost; that all are there is verified below.
    is_whole(&world.stack, events.len()).await;
    // What sealing left on record is the last to come.
    let sealed = world.stack.told().await.split_off(events.len());
    world.stack.archive(&sealed).await;
    world.stack.seal().await;
    assert_eq!(world.stack.findings().await, [""; 0]);
    archive
}

/// How many of a batch's records do not come again.
fn taken(come: &[Value], answer: &Value) -> usize {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let failed = |event: &Value| {
        let position = &event["dynamodb"]["SequenceNumber"];
        failures
            .iter()
            .any(|failure| failure["itemIdentifier"] == *position)
    };
    come.iter().position(failed).unwrap_or(come.len())
}

/// Whether nothing it does can look like another's change. To ask for one's account keeps a session.
fn only_reads(spec: &&'static Spec) -> bool {
    let Trigger::Http { method, .. } = spec.trigger else {
        return false;
    };
    method == Method::Get && !spec.needs.contains(&Capability::KeepSessions)
}

async fn reading(
    world: &World,
    draws: &Draws,
    requests: Vec<(&'static Spec, Request)>,
) -> Vec<Answer> {
    let (mut running, mut answers) = (JoinSet::new(), Vec::new());
    for (spec, request) in requests {
        if running.len() == 8 {
            answers.push(running.join_next().await.unwrap().unwrap());
        }
        let request_id = request.request_id.clone();
        let aws = world.stack.aws(&draws.weather());
        running.spawn(async move {
            let response = call(&aws, spec, request).await;
            Answer::new(spec, request_id, &response, false)
        });
    }
    answers.extend(running.join_all().await);
    answers
}

async fn changing(world: &World, draws: &Draws, specs: Vec<&'static Spec>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..CHANGES {
        for spec in &specs {
            let request = world.allowed(spec).await;
            let request_id = request.request_id.clone();
            let before = rows(world).await;
            let aws = world.stack.aws(&draws.weather());
            let response = call(&aws, spec, request).await;
            let changed = rows(world).await != before;
            answers.push(Answer::new(spec, request_id, &response, changed));
        }
    }
    answers
}

/// What the tables hold besides counters of requests, which count whatever becomes of the request.
async fn rows(world: &World) -> Vec<Value> {
    let mut rows = Vec::new();
    for table in [
        Resource::AccountsTable,
        Resource::PatientsTable,
        Resource::RecordsTable,
        Resource::DocumentsTable,
        Resource::DirectoryTable,
        Resource::ScheduleTable,
        Resource::MessagesTable,
        Resource::ChannelsTable,
    ] {
        rows.extend(world.stack.items(table).await);
    }
    rows.retain(|row| !row["pk"].as_str().unwrap().starts_with("RATE#"));
    for row in &mut rows {
        // So do the tries of a code.
        if row["pk"].as_str().unwrap().starts_with("EMAIL-CHANGE#") {
            row.as_object_mut().unwrap().remove("attempts");
        }
    }
    rows
}

/// What went wrong, of everything: the next fault is often another one's.
fn wrong(answers: &[Answer], audit: &[Value]) -> Vec<String> {
    let mut successes: HashMap<&str, &str> = HashMap::new();
    for record in audit.iter().filter(|record| record["outcome"] == "success") {
        let operation = record["operation"].as_str().unwrap();
        successes.insert(record["request_id"].as_str().unwrap(), operation);
    }
    let mut wrong = Vec::new();
    for answer in answers {
        let mut say = |what: &str| {
            let Answer {
                operation,
                status,
                body,
                ..
            } = answer;
            wrong.push(format!("{operation} {what}: {status} {body}"));
        };
        let logged = successes.get(answer.request_id.as_str()).copied();
        let is_logged = logged == Some(answer.operation);
        if (200..300).contains(&answer.status) && !is_logged {
            say("discloses what is not in the log");
        }
        if answer.changed && !is_logged {
            say("changes what is not in the log");
        }
        if answer.status >= 400 {
            let text = answer.body.to_string();
            if PHI.iter().any(|phi| text.contains(phi)) {
                say("tells PHI");
            }
            if !answer.body["type"].is_string() {
                say("is no problem");
            }
        }
        if answer.status >= 500 && answer.status != 503 {
            say("breaks");
        }
    }
    wrong
}
