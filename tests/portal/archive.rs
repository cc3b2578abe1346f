//! The audit's archive: nothing is lost or doubled on the way into it, and whatever is done to a record
//! there, in the log group or in the table is found and named.

use crate::harness::Stack;
use crate::harness::archive::{batch, told};
use crate::harness::function::Function;
use crate::harness::lines;
use crate::harness::recorder::{Call, Fate, Recorder};
use crate::harness::root;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::api::audit_archive::ARCHIVE_AUDIT;
use shared::api::users::RECONCILE_ACCOUNTS;
use shared::audit::chain::{CHAINS, Line, hash};
use shared::audit::checkpoint::{PublicKey, Signed};
use shared::audit::{Audit, Outcome, Record};
use shared::aws::Resource;
use shared::ids::AccountId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

/// Somebody's access, in a partition of its own.
async fn access(stack: &Stack) -> Uuid {
    let mut record = Record::begin(&RECONCILE_ACCOUNTS);
    record.actor = Some(AccountId::new(Uuid::new_v4()));
    record.outcome = Outcome::Success;
    let audit = Audit::new(&stack.aws(&Recorder::default())).unwrap();
    audit.write(&record).await.unwrap();
    record.id
}

async fn accesses(stack: &Stack, count: usize) {
    for _ in 0..count {
        access(stack).await;
    }
}

/// Forty records in two checkpoints, every chain among them.
async fn sealed() -> Stack {
    let stack = Stack::new().await;
    accesses(&stack, 24).await;
    let first = stack.told().await;
    let (one, other) = first.split_at(10);
    stack.archive(one).await;
    stack.archive(other).await;
    stack.seal().await;
    accesses(&stack, 16).await;
    let rest = stack.told().await.split_off(25);
    assert_eq!(rest.len(), 16);
    stack.archive(&rest).await;
    stack.seal().await;
    assert_eq!(stack.findings().await, [""; 0]);
    stack
}

/// The lines of a chain in the archive.
async fn lines_of(stack: &Stack, chain: u8) -> Vec<Line> {
    let objects = stack.archived().await.into_iter();
    let objects = objects.filter(|(key, _)| key.starts_with(&format!("chains/{chain}/")));
    objects
        .flat_map(|(_, text)| text.lines().map(Line::read).collect::<Vec<_>>())
        .collect()
}

/// Every line of every chain.
async fn all_lines(stack: &Stack) -> Vec<Line> {
    let mut all = Vec::new();
    for chain in 0..CHAINS {
        all.extend(lines_of(stack, chain).await);
    }
    all
}

/// The archive has every event once, and every chain is one.
pub async fn is_whole(stack: &Stack, events: usize) -> Vec<Vec<Line>> {
    let objects = stack.archived().await;
    let mut chains = Vec::new();
    for chain in 0..CHAINS {
        let of_chain = format!("chains/{chain}/");
        let objects = objects.iter().filter(|(key, _)| key.starts_with(&of_chain));
        let lines: Vec<_> = objects
            .flat_map(|(_, text)| text.lines().map(Line::read).collect::<Vec<_>>())
            .collect();
        let mut previous = "0".repeat(64);
        for (at, line) in lines.iter().enumerate() {
            let body = line.body.as_ref().unwrap();
            assert_eq!(body.sequence, at as u64 + 1);
            assert_eq!(body.previous, previous);
            previous = hash(line.text.as_bytes());
        }
        chains.push(lines);
    }
    let lines = chains.iter().flatten();
    let ids: Vec<_> = lines.map(|line| line.record().unwrap()).collect();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (events, events));
    chains
}

/// The same, and the log group has each once as well.
async fn is_exact(stack: &Stack, events: usize) {
    for (chain, lines) in (0..CHAINS).zip(is_whole(stack, events).await) {
        if !lines.is_empty() {
            let logged = stack.logged(chain).await;
            let logged: Vec<_> = logged.iter().map(|(_, text)| text.as_str()).collect();
            let lines: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(logged, lines, "chain {chain}");
        }
    }
}

/// A chain that has at least four lines behind the first checkpoint's end, and one of its objects that
/// has at least three.
async fn an_object(stack: &Stack) -> (u8, String, Vec<Line>) {
    let objects = stack.archived().await;
    let mut objects = objects.iter().filter(|(key, _)| key.starts_with("chains/"));
    let (key, text) = objects.find(|(_, text)| text.lines().count() >= 3).unwrap();
    let chain = key.split('/').nth(1).unwrap().parse().unwrap();
    (chain, key.clone(), text.lines().map(Line::read).collect())
}

fn object(lines: &[&Line]) -> String {
    lines
        .iter()
        .map(|line| format!("{}\n", line.text))
        .collect()
}

/// As a finding names a line.
fn named(line: &Line) -> String {
    let body = line.body.as_ref().unwrap();
    let record = line.record().unwrap();
    format!(
        "record {record} (chain {}, line {})",
        body.chain, body.sequence
    )
}

/// The archive as an auditor downloads it.
async fn downloaded(stack: &Stack) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (key, text) in stack.archived().await {
        let file = folder.path().join(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

async fn public_key(stack: &Stack) -> Vec<u8> {
    let asked = json!({"KeyId": stack.names[&Resource::SigningKey]});
    let target = "TrentService.GetPublicKey";
    let answer = stack.root.call("kms", target, &asked).await.unwrap();
    let key = answer.ok().unwrap()["PublicKey"]
        .as_str()
        .unwrap()
        .to_owned();
    BASE64_STANDARD.decode(key).unwrap()
}

/// What an auditor finds with the public key alone.
async fn offline(stack: &Stack, key: Vec<u8>) -> Vec<String> {
    let folder = downloaded(stack).await;
    let file = folder.path().join("key.pem");
    let pem = BASE64_STANDARD.encode(key);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n");
    std::fs::write(&file, pem).unwrap();
    let key = xtask::verify_audit::public_key(&file).unwrap();
    let walked = xtask::verify_audit::offline(folder.path(), &key).await;
    let findings = walked.unwrap().findings;
    findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_is_written_is_archived_once_and_found_whole() {
    let stack = sealed().await;
    // Sealing leaves a record of its own, which waits for the next round.
    is_exact(&stack, 40).await;
    let key = public_key(&stack).await;
    assert_eq!(offline(&stack, key).await, [""; 0]);
    let chains: BTreeSet<_> = all_lines(&stack)
        .await
        .iter()
        .map(|line| line.body.as_ref().unwrap().chain)
        .collect();
    assert_eq!(chains.len(), usize::from(CHAINS));
    // What it stands in holds whatever is tried without the bucket's policy: versions stay.
    let (_, key, _) = an_object(&stack).await;
    let bucket = &stack.names[&Resource::AuditArchive];
    let versions = stack.root.request(
        "s3",
        xtask::aws::Method::GET,
        &format!("/{bucket}?versions&prefix={key}"),
    );
    let xml = versions.send().await.unwrap().text().await.unwrap();
    let (_, rest) = xml.split_once("<VersionId>").unwrap();
    let (version, _) = rest.split_once("</VersionId>").unwrap();
    let path = format!("/{bucket}/{key}?versionId={version}");
    let delete = stack.root.request("s3", xtask::aws::Method::DELETE, &path);
    assert_eq!(delete.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn batches_that_come_again_or_in_another_order_change_nothing() {
    let stack = Stack::new().await;
    accesses(&stack, 12).await;
    let mut events = stack.told().await;
    stack.archive(&events[4..8]).await;
    stack.archive(&events[6..]).await;
    stack.archive(&events[..5]).await;
    is_exact(&stack, 12).await;
    let before = stack.archived().await;
    events.reverse();
    stack.archive(&events).await;
    // The same event twice in one batch.
    stack.archive(&[&events[..], &events[..2]].concat()).await;
    assert_eq!(stack.archived().await, before);
    is_exact(&stack, 12).await;
    stack.seal().await;
    assert_eq!(stack.findings().await, [""; 0]);
}

/// Whatever call it is from which on everything fails: Lambda brings the batch again, and then all is
/// there once.
#[tokio::test]
async fn a_fault_anywhere_loses_nothing_and_doubles_nothing() {
    let stack = Stack::new().await;
    let function = Function::new(&stack, "archive-audit");
    access(&stack).await;
    let events = stack.told().await;
    let answer = function.handle(batch(&events)).await.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]));
    let calls = function.recorder.calls().len();
    assert!(calls >= 5, "{calls}");
    // The log stream is there by now; every other call is made again.
    for from in 0..calls {
        access(&stack).await;
        let events = stack.told().await;
        let count = Arc::new(AtomicUsize::new(0));
        let recorder = Recorder::failing(move |_| count.fetch_add(1, Ordering::SeqCst) >= from);
        let failing = Function::recorded(&stack, "archive-audit", recorder);
        let answer = failing.handle(batch(&events[events.len() - 1..])).await;
        let failures = answer.unwrap()["batchItemFailures"].clone();
        let all_done = failing.recorder.calls().len() <= from;
        assert_eq!(failures.as_array().unwrap().is_empty(), all_done, "{from}");
        stack.archive(&events).await;
        is_exact(&stack, events.len()).await;
    }
    stack.seal().await;
    assert_eq!(stack.findings().await, [""; 0]);
}

/// It arrived, and nobody heard of it.
#[tokio::test]
async fn an_answer_that_is_lost_doubles_nothing() {
    let stack = Stack::new().await;
    accesses(&stack, 3).await;
    let events = stack.told().await;
    for action in ["s3:PutObject", "logs:PutLogEvents"] {
        let lost = Arc::new(AtomicUsize::new(0));
        let recorder = Recorder::fated(move |call: &Call| {
            let first = call.actions == [action] && lost.fetch_add(1, Ordering::SeqCst) == 0;
            if first {
                Fate::Unanswered
            } else {
                Fate::Answered
            }
        });
        let function = Function::recorded(&stack, "archive-audit", recorder);
        function.handle(batch(&events)).await.unwrap();
        accesses(&stack, 1).await;
    }
    stack.archive(&stack.told().await).await;
    let lines = all_lines(&stack).await;
    assert_eq!(lines.len(), 5);
    stack.seal().await;
    assert_eq!(stack.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_at_the_same_time_share_the_chains() {
    let stack = Stack::new().await;
    accesses(&stack, 30).await;
    let events = stack.told().await;
    let functions: Vec<_> = (0..4)
        .map(|_| Function::new(&stack, "archive-audit"))
        .collect();
    // Each has what another one has as well.
    let runs = functions.iter().enumerate().map(|(at, function)| {
        let part = &events[at * 5..at * 5 + 15];
        function.handle(batch(part))
    });
    for answer in futures_util::future::join_all(runs).await {
        assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
    }
    let lines = all_lines(&stack).await;
    let ids: BTreeSet<_> = lines.iter().map(|line| line.record().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (30, 30));
    stack.seal().await;
    assert_eq!(stack.findings().await, [""; 0]);
}

#[tokio::test]
async fn tampering_with_the_table_is_named() {
    let stack = sealed().await;
    let rows = stack.scan(Resource::AuditTable).await;
    let mut rows = rows.into_iter().filter(|row| row.get("actor").is_some());
    let (altered, removed) = (rows.next().unwrap(), rows.next().unwrap());
    let table = &stack.names[&Resource::AuditTable];
    let mut forged = altered.clone();
    forged["outcome"] = json!({"S": "denied"});
    stack.put(Resource::AuditTable, forged).await;
    let key = json!({"pk": removed["pk"], "sk": removed["sk"]});
    let delete = json!({"TableName": table, "Key": key});
    stack.dynamodb("DeleteItem", delete).await;
    let mut inserted = rows.next().unwrap();
    let id = Uuid::new_v4().to_string();
    let before = Timestamp::now() - SignedDuration::from_hours(48);
    inserted["sk"] = json!({"S": format!("{}#{id}", shared::store::sortable(before))});
    inserted["at"] = json!({"S": before.to_string()});
    inserted["id"] = json!({"S": id});
    stack.put(Resource::AuditTable, inserted).await;

    let lines = all_lines(&stack).await;
    let name = |row: &Value| {
        let mut lines = lines.iter();
        named(
            lines
                .find(|line| line.record() == row["id"]["S"].as_str())
                .unwrap(),
        )
    };
    let expected = [
        format!("{} was altered in the table", name(&altered)),
        format!("{} is missing from the table", name(&removed)),
        format!("record {id} is in the table and not in the archive"),
    ];
    let findings: BTreeSet<_> = stack.findings().await.into_iter().collect();
    assert_eq!(findings, expected.iter().cloned().collect());
    // The function finds what it has the keys of, once; and says so.
    let told = lines::kept().matches("AuditNotWhole").count();
    let function = verification(&stack, later);
    let before = stack.audit().await;
    let answer = function.handle(json!({})).await.unwrap();
    let mut named = [expected[0].clone(), expected[1].clone()];
    named.sort();
    let mut found: Vec<String> = serde_json::from_value(answer["findings"].clone()).unwrap();
    found.sort();
    assert_eq!(found, named);
    assert_eq!(
        (&answer["checkpoint"], &answer["records"]),
        (&json!(2), &json!(40))
    );
    assert!(lines::kept().matches("AuditNotWhole").count() > told);
    let records = stack.records_since(&before).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["operation"], "verify-audit");
    assert_eq!(records[0]["reason"], "not-whole");
    let again = function.handle(json!({})).await.unwrap();
    assert_eq!(
        again,
        json!({"checkpoint": 2, "records": 0, "findings": []})
    );
}

fn later() -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(5)
}

fn verification(stack: &Stack, now: fn() -> Timestamp) -> Function {
    let recorder = Recorder::default();
    let service = verify_audit::service_at(&stack.aws(&recorder), now).unwrap();
    Function::of(recorder, service)
}

/// CloudWatch shows what it was given a moment later: what is not settled is left for the next run.
#[tokio::test]
async fn verification_goes_on_from_where_it_was_and_leaves_what_is_fresh() {
    let stack = sealed().await;
    let fresh = verification(&stack, Timestamp::now);
    let answer = fresh.handle(json!({})).await.unwrap();
    assert_eq!(
        answer,
        json!({"checkpoint": 0, "records": 0, "findings": []})
    );
    let function = verification(&stack, later);
    let answer = function.handle(json!({})).await.unwrap();
    assert_eq!(
        answer,
        json!({"checkpoint": 2, "records": 40, "findings": []})
    );
    let events = stack.told().await;
    stack.archive(&events).await;
    stack.seal().await;
    let answer = function.handle(json!({})).await.unwrap();
    let new = events.len() - 40;
    assert_eq!(
        answer,
        json!({"checkpoint": 3, "records": new, "findings": []})
    );
}

#[tokio::test]
async fn tampering_with_objects_is_named_online_and_offline() {
    let stack = sealed().await;
    let key = public_key(&stack).await;
    let (_, name, lines) = an_object(&stack).await;
    let all: Vec<&Line> = lines.iter().collect();
    let middle = all[1];
    let altered = Line::read(
        &middle
            .text
            .replace("\"outcome\":\"success\"", "\"outcome\":\"denied\""),
    );
    assert_ne!(altered.text, middle.text);
    let unreadable = Line::read("?");
    let mut doubled = all.clone();
    doubled.insert(2, middle);
    let mut inserted = all.clone();
    inserted.insert(2, &altered);
    let mut swapped = all.clone();
    swapped.swap(1, 2);
    let replaced = |line| {
        let mut lines = all.clone();
        lines[1] = line;
        lines
    };
    let mut without = all.clone();
    without.remove(1);
    let cut = &all[..all.len() - 1];
    let last = all[all.len() - 1];
    let is = |line: &Line, what: &str| format!("{} {what} the archive", named(line));
    // What an auditor's own program would write of it: names in order, and nothing in between.
    for line in &lines {
        let value: Value = serde_json::from_str(&line.text).unwrap();
        let names =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        for names in [names(&value), names(&value["record"])] {
            assert!(names.is_sorted(), "{names:?}");
        }
    }
    for (how, forged, expected) in [
        ("altered", replaced(&altered), is(middle, "was altered in")),
        (
            "unreadable",
            replaced(&unreadable),
            is(middle, "was altered in"),
        ),
        ("removed", without, is(middle, "is missing from")),
        ("cut", cut.to_vec(), is(last, "is missing from")),
        ("doubled", doubled, is(middle, "was inserted into")),
        ("inserted", inserted, is(middle, "was inserted into")),
        ("swapped", swapped, is(middle, "was moved in")),
    ] {
        stack.forge(&name, Some(&object(&forged))).await;
        assert_eq!(stack.findings().await, [expected.as_str()], "{how}");
        let alone = offline(&stack, key.clone()).await;
        assert_eq!(alone.len(), 1, "{how}: {alone:?}");
        // Without the log group nobody knows what a line that is gone was about.
        let body = middle.body.as_ref().unwrap();
        let line = if how == "cut" { last } else { middle };
        let sequence = line.body.as_ref().unwrap().sequence;
        let place = format!("(chain {}, line {sequence})", body.chain);
        assert!(alone[0].contains(&place), "{how}: {alone:?}");
        if !["removed", "cut", "unreadable"].contains(&how) {
            assert_eq!(alone, [expected], "{how}");
        }
    }
    // A whole object that is gone.
    stack.forge(&name, None).await;
    let expected: Vec<_> = all.iter().map(|line| is(line, "is missing from")).collect();
    assert_eq!(stack.findings().await, expected);
    assert_eq!(offline(&stack, key.clone()).await.len(), expected.len());
    // And one too many, which no chain leads to.
    stack.forge(&name, Some(&object(&all))).await;
    let extra = name.replace(".jsonl", "x.jsonl");
    stack.forge(&extra, Some(&object(&[middle]))).await;
    assert_eq!(stack.findings().await, [""; 0], "no key of the archive's");
    let body = all[0].body.as_ref().unwrap();
    let extra = shared::audit::archive::object_key(body.chain, body.sequence + 1);
    stack.forge(&extra, Some(&object(&[middle]))).await;
    let expected = [is(middle, "was inserted into")];
    assert_eq!(stack.findings().await, expected);
    assert_eq!(offline(&stack, key).await, expected);
}

#[tokio::test]
async fn tampering_with_the_log_group_is_named() {
    type Events = Vec<(i64, String)>;
    let stack = sealed().await;
    let (chain, _, lines) = an_object(&stack).await;
    let logged = stack.logged(chain).await;
    let at = logged
        .iter()
        .position(|(_, text)| *text == lines[1].text)
        .unwrap();
    let line = Line::read(&logged[at].1);
    let is = |what: &str| vec![format!("{} {what} the log group", named(&line))];
    let altered = line
        .text
        .replace("\"outcome\":\"success\"", "\"outcome\":\"denied\"");
    let with = |change: &dyn Fn(&mut Events)| {
        let mut events = logged.clone();
        change(&mut events);
        events
    };
    for (how, events, expected) in [
        (
            "altered",
            with(&|events| events[at].1.clone_from(&altered)),
            is("was altered in"),
        ),
        (
            "removed",
            with(&|events| drop(events.remove(at))),
            is("is missing from"),
        ),
        (
            "inserted",
            with(&|events| events.insert(at, (events[at].0, altered.clone()))),
            is("was inserted into"),
        ),
        // CloudWatch may take a line twice, and nobody can keep it from that.
        (
            "twice",
            with(&|events| events.insert(at, events[at].clone())),
            Vec::new(),
        ),
        (
            "moved",
            with(&|events| events[at].0 -= 1),
            is("was moved in"),
        ),
    ] {
        stack.relog(chain, &events).await;
        let findings = stack.findings().await;
        if how == "moved" {
            // Before the first line of all it is out of everything that is looked at.
            assert!(
                findings == expected || findings == is("is missing from"),
                "{findings:?}"
            );
        } else {
            assert_eq!(findings, expected, "{how}");
        }
    }
}

/// Alike in the archive and in the log group, by somebody who makes the hashes fit as well: what was
/// signed leads to the one, and not to the other.
#[tokio::test]
async fn a_chain_that_is_written_anew_does_not_lead_to_the_checkpoint() {
    let stack = sealed().await;
    let key = public_key(&stack).await;
    let (chain, _, lines) = an_object(&stack).await;
    let all = lines_of(&stack, chain).await;
    let from = lines[1].body.as_ref().unwrap().sequence;
    let mut previous = String::new();
    let mut anew = BTreeMap::new();
    for line in &all {
        let mut body: Value = serde_json::from_str(&line.text).unwrap();
        let sequence = body["sequence"].as_u64().unwrap();
        if sequence == from {
            body["record"]["outcome"] = "denied".into();
        }
        if sequence > from {
            body["previous"] = previous.into();
        }
        let new = Line::read(&body.to_string());
        previous = new.hash.clone();
        anew.insert(line.text.clone(), new.text);
    }
    for (name, text) in stack.archived().await {
        if name.starts_with(&format!("chains/{chain}/")) {
            let text: String = text
                .lines()
                .map(|line| format!("{}\n", anew[line]))
                .collect();
            stack.forge(&name, Some(&text)).await;
        }
    }
    let events = stack.logged(chain).await.into_iter();
    let events: Vec<_> = events.map(|(at, text)| (at, anew[&text].clone())).collect();
    stack.relog(chain, &events).await;
    let findings = stack.findings().await;
    // Of all three the table alone still has what was written, and nothing proves that it is the one.
    let tampered = format!(
        "{} is not, as the archive has it, in the table",
        named(&lines[1])
    );
    assert!(findings.contains(&tampered), "{findings:?}");
    let end = format!(
        "(chain {chain}, line {}) was altered in the archive",
        all.len()
    );
    assert!(
        findings.iter().any(|one| one.ends_with(&end)),
        "{findings:?}"
    );
    assert!(!offline(&stack, key).await.is_empty());
}

#[tokio::test]
async fn checkpoints_are_believed_if_the_key_signed_them() {
    let stack = sealed().await;
    let key = public_key(&stack).await;
    let checkpoint = |number| shared::audit::archive::checkpoint_key(number);
    let objects = stack.archived().await;
    let first = &objects[&checkpoint(1)];
    let second = &objects[&checkpoint(2)];
    // Each can be checked with nothing but a public key and what OpenSSL does.
    let signed = Signed::read(second.as_bytes()).unwrap();
    assert!(signed.is_signed_by(&PublicKey::from_der(key.clone())));
    assert_eq!(
        signed.checkpoint.previous,
        hash(first.lines().next().unwrap().as_bytes())
    );

    // One that says less, under the signature of the real one.
    let forged = first.replacen("\"sequence\":", "\"sequence\":1", 1);
    stack.forge(&checkpoint(1), Some(&forged)).await;
    let expected = ["checkpoint 1 is not signed by the key"];
    assert_eq!(stack.findings().await, expected);
    assert_eq!(offline(&stack, key.clone()).await, expected);
    // One that is gone.
    stack.forge(&checkpoint(1), None).await;
    let expected = ["checkpoint 1 is missing"];
    assert_eq!(stack.findings().await, expected);
    assert_eq!(offline(&stack, key.clone()).await, expected);
    // One that the key did sign, and that stands in another's place.
    stack.forge(&checkpoint(1), Some(second)).await;
    assert_eq!(
        offline(&stack, key.clone()).await,
        ["checkpoint 1 is not signed by the key"]
    );
    stack.forge(&checkpoint(1), Some(first)).await;
    assert_eq!(stack.findings().await, [""; 0]);

    // Another key.
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref());
    let pair = pair.unwrap();
    let text = second.lines().next().unwrap();
    let signature = pair.sign(&random, text.as_bytes()).unwrap();
    let resigned = Signed::write(text, signature.as_ref());
    stack.forge(&checkpoint(2), Some(&resigned)).await;
    let expected = ["checkpoint 2 is not signed by the key"];
    assert_eq!(stack.findings().await, expected);
    let swapped = offline(&stack, pair.public_key().as_ref().to_vec()).await;
    assert_eq!(swapped, ["checkpoint 1 is not signed by the key"]);
}

/// Whoever rewrites what is not sealed yet gets no signature for it.
#[tokio::test]
async fn what_does_not_follow_is_not_sealed() {
    let stack = sealed().await;
    let before = stack.archived().await;
    accesses(&stack, 12).await;
    stack.archive(&stack.told().await).await;
    let objects = stack.archived().await;
    // Of a dozen records in four objects, one object has several; its last line's hash is nobody's
    // `previous` yet, its first line's is.
    let mut new = objects.iter().filter(|(key, _)| !before.contains_key(*key));
    let (name, text) = new.find(|(_, text)| text.lines().count() > 1).unwrap();
    let forged = text.replacen("\"outcome\":\"success\"", "\"outcome\":\"denied\"", 1);
    assert_ne!(*text, forged);
    stack.forge(name, Some(&forged)).await;
    let function = Function::new(&stack, "seal-audit");
    function.handle(json!({})).await.unwrap_err();
    let checkpoints = stack.archived().await;
    let checkpoints = checkpoints
        .keys()
        .filter(|key| key.starts_with("checkpoints/"));
    assert_eq!(checkpoints.count(), 2);
    stack.forge(name, Some(&objects[name])).await;
    stack.seal().await;
    assert_eq!(stack.findings().await, [""; 0]);
}

/// The answer of the one that was put was lost: the next run takes it for the last.
#[tokio::test]
async fn a_checkpoint_is_made_once() {
    let stack = sealed().await;
    let recorder = Recorder::failing(|call| call.actions == ["dynamodb:UpdateItem"]);
    let failing = Function::recorded(&stack, "seal-audit", recorder);
    failing.handle(json!({})).await.unwrap_err();
    stack.seal().await;
    stack.seal().await;
    let objects = stack.archived().await;
    let numbers: Vec<_> = objects
        .keys()
        .filter(|key| key.starts_with("checkpoints/"))
        .collect();
    assert_eq!(numbers.len(), 4);
    assert_eq!(stack.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_change_of_a_record_is_archived_told_at_once_and_on_record() {
    let stack = sealed().await;
    let rows = stack.scan(Resource::AuditTable).await;
    let mut rows = rows.iter().filter(|row| row.get("actor").is_some());
    let (altered, removed) = (rows.next().unwrap(), rows.next().unwrap());
    let mut now = altered.clone();
    now["outcome"] = json!({"S": "denied"});
    let events = [
        told("MODIFY", &now, Some(altered)),
        told("REMOVE", removed, Some(removed)),
    ];
    let told = lines::kept().matches("RecordsTampered").count();
    let before = stack.audit().await;
    stack.archive(&events).await;
    assert!(lines::kept().matches("RecordsTampered").count() > told);
    stack.archive(&events).await;
    let records = stack.records_since(&before).await;
    assert_eq!(records.len(), 2);
    for row in [altered, removed] {
        let mut records = records.iter();
        let record = records
            .find(|one| one["resource"] == row["id"]["S"])
            .unwrap();
        assert_eq!(record["action"], ARCHIVE_AUDIT.audit);
        assert_eq!(record["outcome"], "failure");
        assert_eq!(record["reason"], "audit-tampered");
    }
    stack.seal().await;
    let findings = stack.findings().await;
    assert_eq!(findings.len(), 2, "{findings:?}");
    for row in [altered, removed] {
        let id = row["id"]["S"].as_str().unwrap();
        let said = format!("record {id} was changed or removed in the table");
        assert!(
            findings.iter().any(|one| one.starts_with(&said)),
            "{findings:?}"
        );
    }
}

/// A run leaves no record of its own, or every record would bring another.
#[tokio::test]
async fn archiving_leaves_no_record() {
    let stack = Stack::new().await;
    access(&stack).await;
    let events = stack.told().await;
    stack.archive(&events).await;
    let failing = Recorder::failing(|call| call.actions == ["s3:PutObject"]);
    let function = Function::recorded(&stack, "archive-audit", failing);
    access(&stack).await;
    let events = stack.told().await;
    function.handle(batch(&events)).await.unwrap();
    function.handle(json!({"Records": [{}]})).await.unwrap_err();
    assert_eq!(stack.audit().await.len(), 2);
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        other => other
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect(),
    }
}

/// 45 CFR 164.312(c)(1): no role may remove or replace anything, and the bucket and the table deny it to
/// everybody else.
#[test]
fn nobody_may_remove_anything() {
    let read = |file: &str| xtask::template::read(&root().join(file)).unwrap();
    let audit = read("infra/audit.yaml");
    for (_, (_, statement)) in crate::template::statements() {
        let reach = statement["Resource"].to_string();
        let of_the_audit = [
            "ArchiveBucketName",
            "ChainTableArn",
            "AuditLogGroup",
            "AuditTableArn",
        ];
        if of_the_audit.iter().any(|one| reach.contains(one)) {
            for action in strings(&statement["Action"]) {
                for verb in [
                    "Delete",
                    "Bypass",
                    "Retention",
                    "BatchWrite",
                    "Policy",
                    "Acl",
                ] {
                    assert!(!action.contains(verb), "{action}");
                }
            }
        }
    }
    let bucket = &audit["Resources"]["ArchiveBucket"]["Properties"];
    assert_eq!(bucket["ObjectLockEnabled"], true);
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    let rule = &bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"];
    assert_eq!(rule["Mode"]["Ref"], "ArchiveLockMode");
    assert_eq!(rule["Days"]["Ref"], "ArchiveLockDays");
    let blocked = bucket["PublicAccessBlockConfiguration"]
        .as_object()
        .unwrap();
    assert!(blocked.len() == 4 && blocked.values().all(|on| on == true));
    let rules = bucket["LifecycleConfiguration"]["Rules"].to_string();
    assert!(!rules.contains("Expiration"), "{rules}");
    let template = read("template.yaml");
    let parameters = &template["Parameters"];
    assert_eq!(parameters["AuditLockMode"]["Default"], "COMPLIANCE");
    // Six years, the leap days with them.
    assert!(parameters["AuditLockDays"]["Default"].as_u64().unwrap() >= 6 * 365 + 2);
    let denied = |policy: &Value| -> BTreeSet<String> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let denying = statements.filter(|one| {
            one["Effect"] == "Deny" && one["Principal"] == "*" && one["Condition"].is_null()
        });
        denying
            .flat_map(|one| {
                strings(&one["Action"])
                    .into_iter()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let policy = &audit["Resources"]["ArchiveBucketPolicy"]["Properties"]["PolicyDocument"];
    for action in [
        "BypassGovernanceRetention",
        "DeleteObject",
        "DeleteObjectVersion",
        "DeleteBucket",
    ] {
        assert!(denied(policy).contains(&format!("s3:{action}")), "{action}");
    }
    let replaces = policy["Statement"].as_array().unwrap().iter();
    let mut replaces = replaces.filter(|one| one["Action"] == "s3:PutObject");
    assert!(replaces.any(|one| {
        one["Effect"] == "Deny" && one["Condition"] == json!({"Null": {"s3:if-none-match": "true"}})
    }));
    let table = &audit["Resources"]["ChainTable"]["Properties"]["ResourcePolicy"];
    for action in [
        "DeleteItem",
        "BatchWriteItem",
        "PutItem",
        "DeleteTable",
        "PartiQLDelete",
    ] {
        let denied = denied(&table["PolicyDocument"]);
        assert!(denied.contains(&format!("dynamodb:{action}")), "{action}");
    }
    // And one function alone signs.
    let keys = read("infra/keys.yaml");
    let key = &keys["Resources"]["AuditSigningKey"]["Properties"];
    assert_eq!(
        (&key["KeySpec"], &key["KeyUsage"]),
        (&json!("ECC_NIST_P256"), &json!("SIGN_VERIFY"))
    );
    let statements = key["KeyPolicy"]["Statement"].as_array().unwrap().iter();
    let signs: Vec<_> = statements
        .filter(|one| one["Action"] == "kms:Sign")
        .collect();
    assert_eq!(signs.len(), 1);
    let who = signs[0]["Condition"]["ArnLike"]["aws:PrincipalArn"].to_string();
    assert!(who.contains("role/${Portal}-SealAuditRole-*"), "{who}");
}
