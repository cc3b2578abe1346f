//! Tickets, connections, and who hears of what: once, in order, by ids alone.

use crate::audit_coverage::the_new_record;
use crate::harness::Whose;
use crate::harness::channels::{batch, change, handshake};
use crate::harness::function::Function;
use crate::harness::mail::mails;
use crate::harness::messages::Paths;
use crate::harness::recorder::{Call, Fate, Recorder};
use crate::harness::request::{With, body, signed_in};
use crate::harness::schedule::free_hour;
use crate::harness::world::World;
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::Request;
use shared::ids::AccountId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;
use uuid::Uuid;

async fn world() -> World {
    let world = World::new().await;
    world.link_accounts().await;
    world
}

fn is_post(call: &Call) -> bool {
    call.actions == ["execute-api:ManageConnections"]
}

/// A delivery to connections that are there.
fn delivery(world: &World) -> Function {
    let recorder = Recorder::fated(|call| {
        if is_post(call) {
            Fate::Taken
        } else {
            Fate::Answered
        }
    });
    Function::recorded(&world.stack, "deliver-events", recorder)
}

/// Delivers a batch; the frames that went out.
async fn frames(world: &World, changes: &[Value]) -> Vec<Value> {
    let function = delivery(world);
    let answer = function.handle(batch(changes)).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let posts = function.recorder.calls().into_iter().filter(is_post);
    posts
        .filter(|call| !call.body.is_empty())
        .map(|call| serde_json::from_str(&call.body).unwrap())
        .collect()
}

/// What an account missed after a sequence.
async fn missed(world: &World, by: Request, after: u64) -> Value {
    let request = by.query("after", &after.to_string());
    let response = world.ask("list-events", request).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    body(&response)
}

fn types(events: &Value) -> Vec<&str> {
    let events = events["events"].as_array().unwrap().iter();
    events
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_ticket_opens_one_connection() {
    let world = world().await;
    let ticket = world.ticket(world.by_patient()).await;
    // What is kept of it opens nothing.
    let rows = world.stack.channel_rows("TICKET#").await;
    assert_eq!(rows.len(), 1);
    assert!(!json!(rows).to_string().contains(&ticket));
    let before = world.stack.audit().await;
    assert_eq!(world.connect(&ticket, "first=").await.status, 200);
    let record = the_new_record(&before, &world.stack.audit().await, "connect-channel");
    assert_eq!(record["outcome"], "success");
    assert_eq!(record["actor"], world.account.to_string());
    assert_eq!(record["pk"], format!("ACCOUNT#{}", world.account));
    assert_eq!(record["resource"], "first=");
    assert_eq!(record["via"], "own-account");
    assert!(world.stack.channel_rows("TICKET#").await.is_empty());
    let before = world.stack.audit().await;
    assert_eq!(world.connect(&ticket, "second=").await.status, 401);
    let record = the_new_record(&before, &world.stack.audit().await, "connect-channel");
    assert_eq!(record["outcome"], "denied");
    assert!(!json!(record).to_string().contains(&ticket));
    assert_eq!(world.stack.channel_rows("CONNECTION#").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_come_with_one_ticket_one_gets_in() {
    let world = world().await;
    let ticket = world.ticket(world.by_patient()).await;
    let mut set = JoinSet::new();
    for number in 0..12 {
        let function = Function::new(&world.stack, "connect-channel");
        let request = handshake(&ticket, &format!("{number}="));
        set.spawn(async move { function.respond(request).await.status.as_u16() });
    }
    let mut statuses = set.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    // The others are refused, or told to try again with another.
    assert!(
        statuses[1..].iter().all(|status| *status >= 401),
        "{statuses:?}"
    );
    assert_eq!(world.stack.channel_rows("CONNECTION#").await.len(), 1);
}

#[tokio::test]
async fn a_ticket_is_worth_what_its_sign_in_is() {
    let world = world().await;
    let nobody = AccountId::new(Uuid::new_v4());
    for wrong in ["", "short", &"A".repeat(64)] {
        let status = world.connect(wrong, "x=").await.status;
        assert!(status == 400 || status == 401, "{status}");
    }
    // Of somebody else's account.
    let ticket = world.ticket(world.by_patient()).await;
    let other = {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let mut bytes = URL_SAFE_NO_PAD.decode(&ticket).unwrap();
        bytes[..16].copy_from_slice(nobody.uuid().as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    };
    assert_eq!(world.connect(&other, "x=").await.status, 401);
    // One that is over, though DynamoDB has not forgotten it.
    for mut row in world.stack.scan(Resource::ChannelsTable).await {
        row["expires_at"] = json!({"N": "1700000000"});
        world.stack.put(Resource::ChannelsTable, row).await;
    }
    assert_eq!(world.connect(&ticket, "x=").await.status, 401);
    // One of a session that was ended, and one of an account that signed out everywhere.
    let session = world.session("another browser").await;
    let ticket = world.ticket(world.by_patient_at("another browser")).await;
    let mut end = world.by_patient();
    end.path.push(("session".to_owned(), session));
    assert_eq!(world.ask("end-session", end).await.status, 200);
    assert_eq!(world.connect(&ticket, "x=").await.status, 401);
    let ticket = world.ticket(world.by_patient()).await;
    let out = world.ask("sign-out-everywhere", world.by_patient()).await;
    assert_eq!(out.status, 200);
    assert_eq!(world.connect(&ticket, "x=").await.status, 401);
    assert!(world.stack.channel_rows("CONNECTION#").await.is_empty());
}

#[tokio::test]
async fn who_hears_of_a_message() {
    let world = world().await;
    let thread = Uuid::new_v4();
    let (proxy, grant) = world.granted("proxy@example.org", &["messages"]).await;
    let (labs, _) = world.granted("labs@example.org", &["lab-results"]).await;
    world.connected(world.by_patient(), "patient=").await;
    world.connected(world.by_provider(), "provider=").await;
    for (account, connection) in [(proxy, "proxy="), (labs, "labs=")] {
        world
            .connected(signed_in(account, Role::Patient), connection)
            .await;
    }
    let event = json!({
        "sequence": 1, "type": "message.new", "patient": world.patient, "thread": thread,
    });
    assert_eq!(frames(&world, &[world.wrote(thread)]).await, vec![event; 3]);
    let rows = world.stack.channel_rows("EVENT#").await;
    let mut told: Vec<_> = rows.iter().map(|row| row["pk"].as_str().unwrap()).collect();
    told.sort_unstable();
    let mut entitled = [world.account, world.provider, proxy].map(|one| format!("ACCOUNT#{one}"));
    entitled.sort_unstable();
    assert_eq!(told, entitled);
    // Whose grant ends hears of nothing more, over whatever is open.
    let read = change(
        "MODIFY",
        &format!("THREAD#{}#{thread}", world.patient),
        "READ#providers",
    );
    let revoke = world.about_patient().proxy(grant);
    assert_eq!(world.ask("revoke-proxy", revoke).await.status, 200);
    let told = frames(&world, &[read]).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["type"], "message.read");
    assert_eq!(told[0]["party"], "providers");
}

/// One record of the batch; none of what it said, and none of whom it said it to.
#[tokio::test]
async fn a_delivery_is_recorded() {
    let world = world().await;
    let before = world.stack.audit().await;
    frames(&world, &[world.wrote(Uuid::new_v4())]).await;
    let record = the_new_record(&before, &world.stack.audit().await, "deliver-events");
    assert_eq!(record["outcome"], "success");
    assert_eq!(record["via"], "service");
    assert!(record["patient"].is_null());
}

#[tokio::test]
async fn a_connection_ends_with_its_sign_in() {
    let world = world().await;
    let session = world.session("another browser").await;
    world.connected(world.by_patient(), "stays=").await;
    world
        .connected(world.by_patient_at("another browser"), "ends=")
        .await;
    assert_eq!(
        frames(&world, &[world.wrote(Uuid::new_v4())]).await.len(),
        2
    );
    let mut end = world.by_patient();
    end.path.push(("session".to_owned(), session));
    assert_eq!(world.ask("end-session", end).await.status, 200);
    assert_eq!(
        frames(&world, &[world.wrote(Uuid::new_v4())]).await.len(),
        1
    );
    let rows = world.stack.channel_rows("CONNECTION#").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["sk"], "CONNECTION#stays=");
    // A disabled account hears nothing at all.
    let key = json!({"pk": {"S": format!("ACCOUNT#{}", world.account)}});
    let disable = json!({
        "TableName": world.stack.names[&Resource::AccountsTable],
        "Key": key,
        "UpdateExpression": "SET #status = :disabled",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":disabled": {"S": "disabled"}},
    });
    world.stack.dynamodb("UpdateItem", disable).await;
    assert!(
        frames(&world, &[world.wrote(Uuid::new_v4())])
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_connection_that_is_gone_is_forgotten() {
    let world = world().await;
    world.connected(world.by_patient(), "gone=").await;
    // The emulator knows no such connection.
    let function = Function::new(&world.stack, "deliver-events");
    let wrote = world.wrote(Uuid::new_v4());
    function.handle(batch(&[wrote])).await.unwrap();
    assert!(world.stack.channel_rows("CONNECTION#").await.is_empty());
    assert!(world.stack.channel_rows("ACCOUNT").await.is_empty());
    let told = missed(&world, world.by_patient(), 0).await;
    assert_eq!(types(&told), ["message.new"]);
    // So is one that says good-bye; and one of which nobody knows.
    world.connected(world.by_patient(), "ends=").await;
    let function = Function::new(&world.stack, "disconnect-channel");
    for connection in ["ends=", "ends="] {
        let event = json!({"requestContext": {"connectionId": connection}});
        let answer = function.handle(event).await.unwrap();
        assert_eq!(answer["statusCode"], 200);
    }
    assert!(world.stack.channel_rows("CONNECTION#").await.is_empty());
    assert!(world.stack.channel_rows("ACCOUNT").await.is_empty());
}

/// A batch comes again when its answer got lost, and what could not be told comes again alone.
#[tokio::test]
async fn what_comes_twice_is_told_once() {
    let world = world().await;
    let changes = [(); 3].map(|()| world.wrote(Uuid::new_v4()));
    frames(&world, &changes).await;
    frames(&world, &changes).await;
    let told = missed(&world, world.by_patient(), 0).await;
    assert_eq!(told["events"].as_array().unwrap().len(), 3);
    // The second of three fails: the first is done, and Lambda is to go on with the second.
    let changes = [(); 3].map(|()| world.wrote(Uuid::new_v4()));
    let failing = changes[1]["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap();
    let thread = failing.rsplit('#').next().unwrap().to_owned();
    let recorder =
        Recorder::failing(move |call| call.actions.len() > 1 && call.body.contains(&thread));
    let function = Function::recorded(&world.stack, "deliver-events", recorder);
    let answer = function.handle(batch(&changes)).await.unwrap();
    let position = &changes[1]["dynamodb"]["SequenceNumber"];
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": position}]})
    );
    let told = missed(&world, world.by_patient(), 3).await;
    assert_eq!(told["events"].as_array().unwrap().len(), 1);
    frames(&world, &changes[1..]).await;
    let told = missed(&world, world.by_patient(), 3).await;
    let threads: Vec<_> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            format!(
                "THREAD#{}#{}",
                world.patient,
                event["thread"].as_str().unwrap()
            )
        })
        .collect();
    let expected: Vec<_> = changes
        .iter()
        .map(|one| {
            one["dynamodb"]["Keys"]["pk"]["S"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(threads, expected);
    // If nothing of it could be told, it is all to come again.
    let recorder = Recorder::failing(|call| call.actions.len() > 1);
    let function = Function::recorded(&world.stack, "deliver-events", recorder);
    let wrote = world.wrote(Uuid::new_v4());
    function.handle(batch(&[wrote])).await.unwrap_err();
}

/// Several streams tell of changes at the same time while a browser catches up again and again: it
/// gets every event, once, in the one order that there is.
#[tokio::test(flavor = "multi_thread")]
async fn who_catches_up_misses_and_repeats_nothing() {
    const WRITERS: usize = 6;
    const EACH: usize = 6;
    let world = Arc::new(world().await);
    let done = Arc::new(AtomicBool::new(false));
    let reading = {
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        tokio::spawn(async move {
            let mut heard = Vec::new();
            let mut after = 0;
            loop {
                let last_time = done.load(Ordering::SeqCst);
                let told = missed(&world, world.by_patient(), after).await;
                assert_eq!(told["gap"], false);
                heard.extend(told["events"].as_array().unwrap().clone());
                after = told["last"].as_u64().unwrap();
                if last_time && told["more"] == false {
                    return heard;
                }
            }
        })
    };
    let mut writing = JoinSet::new();
    for _ in 0..WRITERS {
        let world = Arc::clone(&world);
        writing.spawn(async move {
            let function = delivery(&world);
            for _ in 0..EACH {
                let wrote = world.wrote(Uuid::new_v4());
                function.handle(batch(&[wrote])).await.unwrap();
            }
        });
    }
    writing.join_all().await;
    done.store(true, Ordering::SeqCst);
    let heard = reading.await.unwrap();
    let sequences: Vec<_> = heard
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    let all: Vec<_> = (1..=u64::try_from(WRITERS * EACH).unwrap()).collect();
    assert_eq!(sequences, all);
    let mut threads: Vec<_> = heard
        .iter()
        .map(|event| event["thread"].to_string())
        .collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), WRITERS * EACH);
}

#[tokio::test]
async fn who_was_away_too_long_is_told_so() {
    let world = world().await;
    let at_first = world.ask("list-events", world.by_patient()).await;
    let nothing = json!({"events": [], "last": 0, "more": false, "gap": false});
    assert_eq!(body(&at_first), nothing);
    let changes: Vec<_> = (0..4).map(|_| world.wrote(Uuid::new_v4())).collect();
    frames(&world, &changes).await;
    let position = world.ask("list-events", world.by_patient()).await;
    assert_eq!(
        body(&position),
        json!({"events": [], "last": 4, "more": false, "gap": false})
    );
    let forget = async |sequence: u64| {
        let key = json!({
            "pk": {"S": format!("ACCOUNT#{}", world.account)},
            "sk": {"S": format!("EVENT#{sequence:020}")},
        });
        let table = &world.stack.names[&Resource::ChannelsTable];
        world
            .stack
            .dynamodb("DeleteItem", json!({"TableName": table, "Key": key}))
            .await;
    };
    let gap = json!({"events": [], "last": 4, "more": false, "gap": true});
    // DynamoDB forgets in no order.
    forget(2).await;
    assert_eq!(missed(&world, world.by_patient(), 0).await, gap);
    assert_eq!(missed(&world, world.by_patient(), 1).await, gap);
    let rest = missed(&world, world.by_patient(), 2).await;
    assert_eq!((rest["last"].as_u64(), types(&rest).len()), (Some(4), 2));
    for sequence in [3, 4] {
        forget(sequence).await;
    }
    assert_eq!(missed(&world, world.by_patient(), 2).await, gap);
    assert_eq!(missed(&world, world.by_patient(), 9).await, gap);
    assert_eq!(missed(&world, world.by_patient(), 4).await["gap"], false);
    let wrong = world.by_patient().query("after", "+1");
    assert_eq!(world.ask("list-events", wrong).await.status, 400);
}

#[tokio::test]
async fn results_and_appointments() {
    let world = world().await;
    let (proxy, _) = world.granted("labs@example.org", &["lab-results"]).await;
    let visit = world.booked(free_hour()).await;
    let pk = format!("PATIENT#{}", world.patient);
    let appointment = change("MODIFY", &pk, &format!("APPOINTMENT#{visit}"));
    let result = |id: &str| change("INSERT", &pk, &format!("LAB#2024-01-02T00:00:00.000Z#{id}"));
    let ids = [(); 2].map(|()| Uuid::new_v4().to_string());
    let mut changes: Vec<_> = ids.iter().map(|id| result(id)).collect();
    changes.push(appointment);
    frames(&world, &changes).await;
    let told = missed(&world, world.by_patient(), 0).await;
    assert_eq!(types(&told), ["result.new", "appointment.changed"]);
    assert_eq!(told["events"][1]["appointment"], visit);
    let told = missed(&world, signed_in(proxy, Role::Patient), 0).await;
    assert_eq!(types(&told), ["result.new"]);
    // Whom it is with; results they sent themselves.
    let told = missed(&world, world.by_provider(), 0).await;
    assert_eq!(types(&told), ["appointment.changed"]);
}

/// Of a result that is held, nobody hears.
#[tokio::test]
async fn a_held_result_is_told_to_nobody() {
    let world = world().await;
    let spec = crate::harness::world::specs();
    let hold = spec
        .into_iter()
        .find(|spec| spec.id == "hold-lab-result")
        .unwrap();
    let request = world.allowed(hold).await;
    let held = request
        .path
        .iter()
        .find(|(name, _)| name == "result")
        .unwrap()
        .1
        .clone();
    assert!(
        world
            .ask("hold-lab-result", request)
            .await
            .status
            .is_success()
    );
    let pk = format!("PATIENT#{}", world.patient);
    let result = |id: &str| change("INSERT", &pk, &format!("LAB#2024-01-02T00:00:00.000Z#{id}"));
    frames(&world, &[result(&held)]).await;
    assert!(world.stack.channel_rows("EVENT#").await.is_empty());
    frames(
        &world,
        &[result(&held), result(&Uuid::new_v4().to_string())],
    )
    .await;
    assert_eq!(
        types(&missed(&world, world.by_patient(), 0).await),
        ["result.new"]
    );
}

/// Marking a thread read leaves a key in the stream, and sending a message another; nothing else of
/// either is told.
#[tokio::test]
async fn the_rows_that_streams_tell_of_are_there() {
    let world = world().await;
    let thread = world.thread().await;
    let request = world.by_provider_about_patient().thread(thread);
    let request = request.json(&json!({"through": 1}));
    assert_eq!(world.ask("mark-thread-read", request).await.status, 200);
    let pk = format!("THREAD#{}#{thread}", world.patient);
    let mut rows = world.stack.items(Resource::MessagesTable).await;
    rows.retain(|row| row["pk"] == pk.as_str());
    let changes: Vec<_> = rows
        .iter()
        .map(|row| change("INSERT", &pk, row["sk"].as_str().unwrap()))
        .collect();
    assert_eq!(changes.len(), 3);
    frames(&world, &changes).await;
    let told = missed(&world, world.by_patient(), 0).await;
    let mut types = types(&told);
    types.sort_unstable();
    assert_eq!(types, ["message.new", "message.read"]);
}

/// Administrators and privacy officers hear of nothing, so they have no channel.
#[tokio::test]
async fn whom_nothing_is_told_has_no_channel() {
    let world = world().await;
    for by in [world.by_admin(), world.by_officer()] {
        assert_eq!(world.ask("open-channel", by).await.status, 403);
    }
    let whose = Whose::Nobody;
    let account = world.stack.account(Role::Patient, whose).await;
    world
        .connected(signed_in(account, Role::Patient), "x=")
        .await;
}

/// What send-notices mailed to an account in this test.
async fn mailed(world: &World, account: AccountId) -> Vec<(String, String)> {
    let users = world.stack.users(&format!("sub = \"{account}\"")).await;
    let attributes = users[0]["Attributes"].as_array().unwrap();
    let email = attributes
        .iter()
        .find(|one| one["Name"] == "email")
        .unwrap();
    mails(&world.stack, email["Value"].as_str().unwrap()).await
}

async fn send_notices(world: &World) -> Value {
    let function = Function::new(&world.stack, "send-notices");
    function.handle(json!({})).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mail_an_hour_says_that_there_is_a_message() {
    let world = Arc::new(world().await);
    let (proxy, _) = world.granted("proxy@example.org", &["messages"]).await;
    let thread = Uuid::new_v4();
    frames(&world, &[world.answered(thread), world.answered(thread)]).await;
    assert_eq!(send_notices(&world).await["sent"], 0, "it may be read yet");
    world.pass(300).await;
    let before = world.stack.audit().await;
    // Several runs at once send one mail to each.
    let mut runs = JoinSet::new();
    for _ in 0..6 {
        let world = Arc::clone(&world);
        runs.spawn(async move { send_notices(&world).await["sent"].as_u64().unwrap() });
    }
    assert_eq!(runs.join_all().await.iter().sum::<u64>(), 2);
    let text = "You have a new message. Sign in to read it.\n".to_owned();
    let mail = ("You have a new message".to_owned(), text);
    for account in [world.account, proxy] {
        assert_eq!(mailed(&world, account).await, std::slice::from_ref(&mail));
    }
    assert!(mailed(&world, world.provider).await.is_empty());
    let mut told = world.stack.records_since(&before).await;
    told.retain(|record| record["patient"] == world.patient.to_string());
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|one| one["outcome"] == "success" && one["via"] == "service")
    );
    // Within the hour no other, after it one, if there is a newer message by then.
    frames(&world, &[world.answered(thread)]).await;
    world.pass(3000).await;
    assert_eq!(send_notices(&world).await["sent"], 0);
    world.pass(600).await;
    assert_eq!(send_notices(&world).await["sent"], 2);
    world.pass(7200).await;
    assert_eq!(send_notices(&world).await["sent"], 0);
    assert_eq!(mailed(&world, world.account).await.len(), 2);
    // Another thread is another matter.
    frames(&world, &[world.answered(Uuid::new_v4())]).await;
    world.pass(300).await;
    assert_eq!(send_notices(&world).await["sent"], 2);
}

#[tokio::test]
async fn who_has_read_it_or_wrote_it_gets_no_mail() {
    let world = world().await;
    let thread = Uuid::new_v4();
    let read = |party: &str| {
        change(
            "MODIFY",
            &format!("THREAD#{}#{thread}", world.patient),
            &format!("READ#{party}"),
        )
    };
    frames(&world, &[world.wrote(thread)]).await;
    frames(
        &world,
        &[world.answered(thread), read(&world.account.to_string())],
    )
    .await;
    world.pass(300).await;
    assert_eq!(
        send_notices(&world).await,
        json!({"sent": 0, "not_sent": 0})
    );
    // That the practice reads is no matter of the patient's.
    frames(&world, &[world.answered(thread), read("providers")]).await;
    world.pass(300).await;
    assert_eq!(send_notices(&world).await["sent"], 1);
    // What a stream tells twice is not mailed of twice.
    let answered = world.answered(thread);
    frames(&world, std::slice::from_ref(&answered)).await;
    world.pass(3600).await;
    assert_eq!(send_notices(&world).await["sent"], 1);
    frames(&world, &[answered]).await;
    world.pass(7200).await;
    assert_eq!(send_notices(&world).await["sent"], 0);
}

#[tokio::test]
async fn who_does_not_want_mail_or_may_not_read_gets_none() {
    let world = world().await;
    let (proxy, grant) = world.granted("proxy@example.org", &["messages"]).await;
    for (version, choice, sent) in [(0, "none", 0), (1, "email", 1)] {
        let change = world
            .about_patient()
            .header("if-match", &format!("\"{version}\""))
            .json(&json!({"notifications": {"messages": choice}}));
        assert_eq!(world.ask("update-profile", change).await.status, 200);
        frames(&world, &[world.answered(Uuid::new_v4())]).await;
        if version == 0 {
            let revoke = world.about_patient().proxy(grant);
            assert_eq!(world.ask("revoke-proxy", revoke).await.status, 200);
        }
        world.pass(300).await;
        assert_eq!(send_notices(&world).await["sent"], sent, "{choice}");
    }
    assert!(mailed(&world, proxy).await.is_empty());
}

/// A mail that could not be sent is recorded as that, and not tried again within the hour.
#[tokio::test]
async fn a_mail_that_fails() {
    let world = world().await;
    frames(&world, &[world.answered(Uuid::new_v4())]).await;
    world.pass(300).await;
    let before = world.stack.audit().await;
    let recorder = Recorder::failing(|call| call.actions == ["ses:SendEmail"]);
    let function = Function::recorded(&world.stack, "send-notices", recorder);
    let answer = function.handle(json!({})).await.unwrap();
    assert_eq!(answer, json!({"sent": 0, "not_sent": 1}));
    let records = world.stack.records_since(&before).await;
    let about = records
        .iter()
        .filter(|one| one["patient"] == world.patient.to_string());
    let mut outcomes: Vec<_> = about.map(|one| one["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["failure", "success"]);
    assert_eq!(send_notices(&world).await["sent"], 0);
}
