//! The watch over the audit log: what is unusual is found once, whatever the stream does and whatever
//! fails, and the privacy officer finds it.

use crate::harness::archive::{batch, told};
use crate::harness::function::Function;
use crate::harness::recorder::{Call, Fate, Recorder};
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::World;
use crate::harness::{Stack, lines, root};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::practice::Practice;
use shared::watch::{Rule, WORK_LISTS, Watch};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

const ID: &str = "watch-access";

/// A Wednesday at ten in the practice's zone.
const MORNING: &str = "2026-11-18T15:00:00Z";

/// An account that something is counted of.
fn somebody() -> String {
    Uuid::new_v4().to_string()
}

/// A record as the stream tells it, with attributes of a test's own.
fn record(actor: &str, attributes: &Value) -> Value {
    let id = Uuid::new_v4().to_string();
    let mut row = json!({
        "id": {"S": id}, "at": {"S": MORNING}, "operation": {"S": "get-profile"},
        "action": {"S": "profile.read"}, "outcome": {"S": "success"}, "purpose": {"S": "TREAT"},
        "role": {"S": "provider"}, "actor": {"S": actor}, "source_ip": {"S": "198.51.100.7"},
        "pk": {"S": format!("ACCOUNT#{actor}")}, "sk": {"S": format!("{MORNING}#{id}")},
    });
    for (name, value) in attributes.as_object().unwrap() {
        row[name] = json!({"S": value});
    }
    told("INSERT", &row, None)
}

/// As many of them.
fn records(actor: &str, count: usize, attributes: &Value) -> Vec<Value> {
    (0..count).map(|_| record(actor, attributes)).collect()
}

fn denial() -> Value {
    json!({"outcome": "denied"})
}

async fn watch(stack: &Stack, events: &[Value]) {
    let function = Function::new(stack, ID);
    let answer = function.handle(batch(events)).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
}

/// The audit records of what was found: what each says of it.
async fn findings(stack: &Stack) -> Vec<String> {
    let records = stack.audit().await.into_iter();
    let mut found = Vec::new();
    for record in records.filter(|record| record["operation"] == ID) {
        assert_eq!(record["action"], "watch.finding");
        assert_eq!(record["outcome"], "success");
        assert_eq!(record["via"], "service");
        // Nobody did it: it stands with what the portal itself does, where a search finds it.
        assert!(record["actor"].is_null() && record["patient"].is_null());
        assert!(record["pk"].as_str().unwrap().starts_with("PORTAL#"));
        found.push(record["resource"].as_str().unwrap().to_owned());
    }
    found.sort();
    found
}

fn threshold(rule: Rule) -> usize {
    Watch::default().threshold(rule).unwrap()
}

/// Each rule one below its threshold, then at it, then beyond it.
#[tokio::test]
async fn every_rule_finds_what_reaches_its_threshold_once() {
    let stack = Stack::new().await;
    let sign_in = json!({"operation": "record-auth-events", "outcome": "denied", "role": "none"});
    let mut count = 0;
    for rule in Rule::ALL {
        let actor = somebody();
        let one = |at: usize| match rule {
            Rule::ManyPatients => record(&actor, &json!({"patient": somebody()})),
            Rule::OutsideHours => record(
                &actor,
                &json!({"patient": somebody(), "at": "2026-11-18T08:00:00Z"}),
            ),
            Rule::ManyDenials => record(&actor, &denial()),
            // From many addresses, or to many accounts.
            Rule::AccountSignIns => {
                let mut attempt = sign_in.clone();
                attempt["source_ip"] = format!("198.51.100.{at}").into();
                record(&actor, &attempt)
            }
            Rule::AddressSignIns => {
                let mut attempt = sign_in.clone();
                attempt["source_ip"] = "203.0.113.9".into();
                record(&somebody(), &attempt)
            }
            Rule::ManyEmergencies => record(&actor, &json!({"operation": "break-glass"})),
            Rule::ManyExports => record(&actor, &json!({"operation": "export-audit"})),
            Rule::OwnRights => record(
                &actor,
                &json!({"operation": "update-user", "resource": actor, "role": "admin"}),
            ),
        };
        let most = threshold(rule);
        let events: Vec<_> = (0..most + 2).map(one).collect();
        let (below, beyond) = events.split_at(most - 1);
        watch(&stack, below).await;
        assert_eq!(findings(&stack).await.len(), count, "{rule:?}");
        watch(&stack, &beyond[..1]).await;
        count += 1;
        let found = findings(&stack).await;
        assert_eq!(found.len(), count, "{rule:?}: {found:#?}");
        let subject = match rule {
            Rule::AddressSignIns => "203.0.113.9",
            _ => actor.as_str(),
        };
        let begins = format!("{}#2026-11-18T", rule.as_str());
        let mut of_the_rule = found.iter().filter(|one| one.starts_with(&begins));
        assert!(of_the_rule.any(|one| one.ends_with(&format!("#{subject}"))));
        let alarms = stack.alarms().await;
        assert_eq!(alarms.len(), count, "{rule:?}");
        let (title, text) = alarms.last().unwrap();
        assert_eq!(title, &format!("Portal: {}", rule.as_str()));
        assert!(text.contains(&format!("Counted: {most}, from 2026-11-18T")));
        // Neither whose it is nor of whom: the record it names has that.
        assert!(!text.contains(subject), "{text}");
        let named = stack.audit().await.into_iter();
        let mut named = named.filter(|record| text.contains(record["id"].as_str().unwrap()));
        assert!(
            named.next().unwrap()["resource"]
                .as_str()
                .unwrap()
                .ends_with(subject)
        );
        // What goes on is no other finding.
        watch(&stack, beyond).await;
        assert_eq!(findings(&stack).await.len(), count, "{rule:?}");
        assert_eq!(stack.alarms().await.len(), count, "{rule:?}");
    }
    for metric in [
        "ManyPatients",
        "OutsideHours",
        "AddressSignIns",
        "OwnRights",
    ] {
        assert!(
            lines::kept().contains(&format!("\"{metric}\":1")),
            "{metric}"
        );
    }
}

#[tokio::test]
async fn what_comes_again_or_in_another_order_counts_once() {
    let stack = Stack::new().await;
    let actor = somebody();
    let most = threshold(Rule::ManyDenials);
    let mut events = records(&actor, most - 1, &denial());
    for _ in 0..3 {
        watch(&stack, &events).await;
        events.reverse();
    }
    watch(&stack, &[&events[..], &events[..]].concat()).await;
    // The same patient again and again is one patient.
    let patient = json!({"patient": somebody()});
    watch(&stack, &records(&actor, 60, &patient)).await;
    assert_eq!(findings(&stack).await, [""; 0]);
    // The next hour begins at nothing.
    let later = json!({"outcome": "denied", "at": "2026-11-18T16:00:00Z"});
    watch(&stack, &records(&actor, most - 1, &later)).await;
    // And another account is another.
    watch(&stack, &records(&somebody(), most - 1, &denial())).await;
    assert_eq!(findings(&stack).await, [""; 0]);
    // One that was late.
    watch(&stack, &records(&actor, 1, &denial())).await;
    let found = format!("many-denials#2026-11-18T15:00:00Z#{actor}");
    assert_eq!(findings(&stack).await, [found]);
    watch(&stack, &events).await;
    assert_eq!(findings(&stack).await.len(), 1);
    assert_eq!(stack.alarms().await.len(), 1);
    // A counter is no larger than it has to be.
    for row in stack.items(Resource::WatchTable).await {
        assert!(
            row["counted"].as_array().unwrap().len() <= 2 * most,
            "{row}"
        );
        assert!(row["expires_at"].is_string());
    }
}

/// Whatever call it is from which on everything fails: Lambda brings the batch again, and then there is
/// one finding, and a message.
#[tokio::test]
async fn a_fault_anywhere_loses_nothing_and_doubles_nothing() {
    let stack = Stack::new().await;
    let function = Function::new(&stack, ID);
    let most = threshold(Rule::ManyDenials);
    let events = records(&somebody(), most, &denial());
    function.handle(batch(&events)).await.unwrap();
    let calls = function.recorder.calls().len();
    assert_eq!(calls, 4, "count, finding, message, told");
    for from in 0..calls {
        let (found, alarms) = (findings(&stack).await.len(), stack.alarms().await.len());
        let events = records(&somebody(), most, &denial());
        let count = Arc::new(AtomicUsize::new(0));
        let recorder = Recorder::failing(move |_| count.fetch_add(1, Ordering::SeqCst) >= from);
        let failing = Function::recorded(&stack, ID, recorder);
        let answer = failing.handle(batch(&events)).await.unwrap();
        let failed = answer["batchItemFailures"].as_array().unwrap();
        assert_eq!(failed.len(), most, "{from}");
        watch(&stack, &events).await;
        watch(&stack, &events).await;
        assert_eq!(findings(&stack).await.len(), found + 1, "{from}");
        // Whoever could not note that the message was sent sends another one.
        let again = usize::from(from == 3);
        assert_eq!(stack.alarms().await.len(), alarms + 1 + again, "{from}");
    }
}

/// The message does not get through: the record is there, the alarm goes off by its metric, and the
/// message follows.
#[tokio::test]
async fn a_message_that_does_not_get_through_is_sent_again() {
    let stack = Stack::new().await;
    let events = records(&somebody(), threshold(Rule::ManyDenials), &denial());
    let deaf = |call: &Call| call.actions == ["sns:Publish"];
    for _ in 0..2 {
        let function = Function::recorded(&stack, ID, Recorder::failing(deaf));
        let answer = function.handle(batch(&events)).await.unwrap();
        let failed = answer["batchItemFailures"].as_array().unwrap();
        assert_eq!(failed.len(), events.len());
        assert_eq!(findings(&stack).await.len(), 1);
        assert_eq!(stack.alarms().await.len(), 0);
    }
    watch(&stack, &events).await;
    assert_eq!(findings(&stack).await.len(), 1);
    assert_eq!(stack.alarms().await.len(), 1);
}

/// What is throttled waits, and keeps nothing else waiting.
#[tokio::test]
async fn one_counter_that_is_throttled_keeps_the_others_going() {
    let stack = Stack::new().await;
    let (slow, other) = (somebody(), somebody());
    let most = threshold(Rule::ManyDenials);
    let throttled = slow.clone();
    let recorder = Recorder::fated(move |call: &Call| {
        let counts = call.actions == ["dynamodb:UpdateItem"] && call.body.contains(&throttled);
        if counts {
            let code = r#"{"__type":"ThrottlingException","message":"slow down"}"#;
            return Fate::Told(400, code);
        }
        Fate::Answered
    });
    let function = Function::recorded(&stack, ID, recorder);
    let events = [
        records(&slow, most, &denial()),
        records(&other, most, &denial()),
    ]
    .concat();
    let answer = function.handle(batch(&events)).await.unwrap();
    let failed = answer["batchItemFailures"].as_array().unwrap().iter();
    let failed: BTreeSet<_> = failed
        .map(|one| one["itemIdentifier"].as_str().unwrap())
        .collect();
    let expected: BTreeSet<_> = events[..most]
        .iter()
        .map(|event| event["dynamodb"]["SequenceNumber"].as_str().unwrap())
        .collect();
    assert_eq!(failed, expected);
    let found = findings(&stack).await;
    assert!(found.len() == 1 && found[0].ends_with(&other), "{found:?}");
    watch(&stack, &events).await;
    assert_eq!(findings(&stack).await.len(), 2);
    assert_eq!(stack.alarms().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_at_the_same_time_find_it_once() {
    let stack = Stack::new().await;
    let most = threshold(Rule::ManyDenials);
    let events = records(&somebody(), 2 * most, &denial());
    let functions: Vec<_> = (0..4).map(|_| Function::new(&stack, ID)).collect();
    let runs = functions.iter().enumerate().map(|(at, function)| {
        let part = &events[at * most / 4..at * most / 4 + most];
        function.handle(batch(part))
    });
    futures_util::future::join_all(runs).await;
    // What was in another's way comes again.
    watch(&stack, &events).await;
    assert_eq!(findings(&stack).await.len(), 1);
    assert!(!stack.alarms().await.is_empty());
}

/// Neither its own records, nor those that cannot be read, nor what is done to a record that is there:
/// that one is the archive's to tell of.
#[tokio::test]
async fn what_is_not_to_be_counted_is_not() {
    let stack = Stack::new().await;
    let most = threshold(Rule::ManyDenials);
    let own = json!({"outcome": "denied", "operation": ID});
    watch(&stack, &records(&somebody(), most, &own)).await;
    let mut changed = records(&somebody(), most, &denial());
    for event in &mut changed {
        event["eventName"] = "MODIFY".into();
        event["dynamodb"]["OldImage"] = event["dynamodb"]["NewImage"].clone();
    }
    watch(&stack, &changed).await;
    assert!(stack.items(Resource::WatchTable).await.is_empty());
    // What cannot be read keeps nothing waiting.
    let mut torn = record(&somebody(), &denial());
    torn["dynamodb"]["NewImage"]["at"] = json!({"S": "yesterday"});
    let actor = somebody();
    let rest = records(&actor, most, &denial());
    watch(&stack, &[&[torn], &rest[..]].concat()).await;
    assert_eq!(findings(&stack).await.len(), 1);
    assert!(lines::kept().contains("\"RecordsNotWatched\":1"));
    // And its own findings end with themselves.
    let before = stack.items(Resource::WatchTable).await;
    watch(&stack, &stack.told().await).await;
    assert_eq!(stack.items(Resource::WatchTable).await, before);
}

/// By the real operations: refusals of somebody who tries what they may not, and what the privacy officer
/// finds of it in the log.
#[tokio::test]
async fn a_run_of_refusals_is_found_by_the_privacy_officer() {
    let world = World::new().await;
    let most = threshold(Rule::ManyDenials);
    let searches = Function::new(&world.stack, "search-audit");
    for _ in 0..most {
        let request = signed_in(world.provider, Role::Provider);
        let request = request.json(&json!({"actor": world.account}));
        assert_eq!(searches.respond(request).await.status, 403);
    }
    // All within an hour, whatever the hour is: the clock may turn it in between.
    let mut events = world.stack.told().await;
    for event in &mut events {
        event["dynamodb"]["NewImage"]["at"] = json!({"S": MORNING});
    }
    watch(&world.stack, &events).await;
    let now = Timestamp::now();
    let criteria = json!({
        "action": "watch.finding",
        "from": now - SignedDuration::from_hours(24),
        "to": now + SignedDuration::from_hours(1),
    });
    let request = signed_in(world.officer, Role::PrivacyOfficer).json(&criteria);
    let response = searches.respond(request).await;
    assert_eq!(response.status, 200);
    let found = body(&response);
    let records = found["records"].as_array().unwrap();
    assert_eq!(records.len(), 1, "{found}");
    let expected = format!("many-denials#{MORNING}#{}", world.provider);
    assert_eq!(records[0]["resource"], expected);
    let (_, text) = world.stack.alarms().await.pop().unwrap();
    assert!(text.contains(records[0]["id"].as_str().unwrap()), "{text}");
}

/// Another practice has other thresholds, and other hours.
#[tokio::test]
async fn thresholds_and_hours_are_the_practices() {
    let stack = Stack::new().await;
    let thresholds: Vec<_> = Rule::ALL
        .iter()
        .map(|rule| format!("{}=2", rule.as_str()))
        .collect();
    let watch = Watch::parse("MON-SUN 0-24", &thresholds.join(" ")).unwrap();
    let practice = Practice::new("Asia/Tokyo", 13, 18).unwrap().watching(watch);
    let recorder = Recorder::default();
    let aws = stack.aws_of(&recorder, practice);
    let function = Function::of(recorder, watch_access::service(&aws).unwrap());
    let actor = somebody();
    let night = |count| {
        let one = |_| json!({"patient": somebody(), "at": "2026-11-21T03:00:00Z"});
        let events = (0..count).map(one).map(|one| record(&actor, &one));
        batch(&events.collect::<Vec<_>>())
    };
    function.handle(night(1)).await.unwrap();
    assert_eq!(findings(&stack).await, [""; 0]);
    function.handle(night(1)).await.unwrap();
    let found = format!("many-patients#2026-11-21T03:00:00Z#{actor}");
    assert_eq!(findings(&stack).await, [found]);
    let exports = records(&actor, 2, &json!({"operation": "export-audit"}));
    function.handle(batch(&exports)).await.unwrap();
    // Midnight in Tokyo.
    let found = findings(&stack).await;
    let day = format!("many-exports#2026-11-18T15:00:00Z#{actor}");
    assert!(found.contains(&day), "{found:?}");
}

/// What template.yaml gives is what the code takes, and what a practice has that says nothing.
#[test]
fn thresholds_are_parameters() {
    let template = xtask::template::read(&root().join("template.yaml")).unwrap();
    let default = |parameter: &str| {
        let parameter = &template["Parameters"][parameter];
        assert_eq!(parameter["MinValue"].as_u64().unwrap_or(1), 1);
        let default = &parameter["Default"];
        default.as_str().map_or(default.to_string(), str::to_owned)
    };
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    let join = variables["WATCH_THRESHOLDS"]["Fn::Join"]
        .as_array()
        .unwrap();
    assert_eq!(join[0], " ");
    let given = join[1].as_array().unwrap().iter().map(|one| {
        let (rule, parameter) = one["Fn::Sub"].as_str().unwrap().split_once("=${").unwrap();
        format!("{rule}={}", default(parameter.trim_end_matches('}')))
    });
    let given: Vec<_> = given.collect();
    let hours = variables["WORKING_HOURS"]["Fn::Sub"].as_str().unwrap();
    assert_eq!(
        hours,
        "${WorkingDays} ${WorkingHoursFrom}-${WorkingHoursTo}"
    );
    let from = &template["Parameters"]["WorkingHoursFrom"]["Default"];
    let hours = format!(
        "{} {from}-{}",
        default("WorkingDays"),
        default("WorkingHoursTo")
    );
    let watch = Watch::parse(&hours, &given.join(" ")).unwrap();
    assert_eq!(watch, Watch::default());
}

/// The lists of work that do not count leave a record with every patient on them, and are all that do.
#[test]
fn lists_that_do_not_count_are_those_of_patients() {
    let mut lists = crate::audit_coverage::LISTS_OF_PATIENTS;
    lists.sort_unstable();
    assert_eq!(lists, WORK_LISTS);
}

/// Counters are taken back by nobody, and the watch is the second of the stream's two readers.
#[test]
fn the_watch_stands_on_what_the_template_says() {
    let read = |file: &str| xtask::template::read(&root().join(file)).unwrap();
    let audit = read("infra/audit.yaml");
    let table = &audit["Resources"]["WatchTable"]["Properties"];
    assert_eq!(
        table["TimeToLiveSpecification"]["AttributeName"],
        "expires_at"
    );
    let statement = &table["ResourcePolicy"]["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Deny");
    let denied = statement["Action"].as_array().unwrap();
    for action in [
        "DeleteItem",
        "PutItem",
        "BatchWriteItem",
        "PartiQLDelete",
        "DeleteTable",
    ] {
        assert!(
            denied.contains(&json!(format!("dynamodb:{action}"))),
            "{action}"
        );
    }
    let template = read("template.yaml");
    let functions = template["Resources"].as_object().unwrap().iter();
    let readers = functions.filter(|(_, function)| {
        let events = function["Properties"]["Events"].as_object().into_iter();
        let mut events = events.flat_map(|events| events.values());
        events.any(|event| event.to_string().contains("AuditStreamArn"))
    });
    let readers: Vec<_> = readers.map(|(name, _)| name.as_str()).collect();
    assert_eq!(readers, ["ArchiveAudit", "WatchAccess"]);
    let event = &template["Resources"]["WatchAccess"]["Properties"]["Events"]["Records"];
    let event = &event["Properties"];
    assert_eq!(
        event["FunctionResponseTypes"],
        json!(["ReportBatchItemFailures"])
    );
    assert_eq!(event["BisectBatchOnFunctionError"], true);
    // One function alone puts messages under the alarms' key, and through SNS alone.
    let keys = read("infra/keys.yaml");
    let policy = &keys["Resources"]["AlarmKey"]["Properties"]["KeyPolicy"];
    let mut statements = policy["Statement"].as_array().unwrap().iter();
    let condition = &statements
        .find(|one| one["Sid"] == "UseForFindings")
        .unwrap()["Condition"];
    let via = condition["StringEquals"]["kms:ViaService"].to_string();
    assert!(via.contains("\"sns."), "{via}");
    let who = condition["ArnLike"]["aws:PrincipalArn"].to_string();
    assert!(who.contains("role/${Portal}-WatchAccessRole-*"), "{who}");
}
