//! Messages: who may take part, whose keys are whose, and an order and counts that hold whoever writes
//! at the same time.

use crate::harness::Whose;
use crate::harness::function::Function;
use crate::harness::messages::{Paths, base64url, envelope, envelope_of, pair, wrapped};
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{World, call, specs};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use shared::access::Role;
use shared::api::Category;
use shared::api::bytes::Digest;
use shared::api::message_keys::{Party, Protection, PublicKey, key_id};
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::practice::Practice;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;
use uuid::Uuid;

async fn done(world: &World, id: &str, request: Request) -> Value {
    let response = world.ask(id, request).await;
    let answer = body(&response);
    assert!(response.status.is_success(), "{id}: {answer}");
    answer
}

/// A refusal: its status and type.
async fn refused(world: &World, id: &str, request: Request) -> (u16, String) {
    let response = world.ask(id, request).await;
    assert!(!response.status.is_success(), "{id}: {}", body(&response));
    let kind = body(&response)["type"].as_str().unwrap().to_owned();
    (
        response.status.as_u16(),
        kind["/problems/".len()..].to_owned(),
    )
}

fn conflict(kind: &str) -> (u16, String) {
    (409, kind.to_owned())
}

fn not_found() -> (u16, String) {
    (404, "not-found".to_owned())
}

#[tokio::test]
async fn a_key_goes_back_to_its_owner_alone() {
    let world = World::new().await;
    let (public, private) = pair();
    let new = json!({"public_key": public, "private_key": private});
    let register = || world.by_patient().owner("account").json(&new);
    let key = done(&world, "register-message-key", register()).await;
    // The answer got lost: nothing is registered twice.
    assert_eq!(done(&world, "register-message-key", register()).await, key);
    let unlock = |by: Request, owner: &str| by.owner(owner).json(&json!({"key_id": key["key_id"]}));
    let unlocked = unlock(world.by_patient(), "account");
    let unlocked = done(&world, "unlock-message-key", unlocked).await;
    assert_eq!(unlocked["private_key"], private);

    // Another patient, a provider, an administrator, by any name of the owner.
    let other = world.stack.account(Role::Patient, Whose::Nobody).await;
    let other = || signed_in(other, Role::Patient);
    let forbidden = (403, "forbidden".to_owned());
    for (by, owner, refusal) in [
        (other(), "account", not_found()),
        (other(), "providers", forbidden.clone()),
        (world.by_patient(), "providers", forbidden.clone()),
        (world.by_provider(), "account", forbidden.clone()),
        (world.by_provider(), "providers", not_found()),
        (world.by_admin(), "providers", forbidden.clone()),
        (world.by_officer(), "providers", forbidden),
    ] {
        let request = unlock(by, owner);
        assert_eq!(
            refused(&world, "unlock-message-key", request).await,
            refusal
        );
    }
    // What is kept tells nothing without KMS.
    let rows = world.stack.items(Resource::MessagesTable).await;
    assert!(
        !serde_json::to_string(&rows)
            .unwrap()
            .contains(&private[60..])
    );
    // Every unlocking is in the audit log, by the key's id.
    let records = world.stack.audit().await.into_iter();
    let mut records = records.filter(|record| {
        record["operation"] == "unlock-message-key" && record["outcome"] == "success"
    });
    assert_eq!(records.next().unwrap()["resource"], key["key_id"]);
    assert!(records.next().is_none());
}

#[tokio::test]
async fn a_key_is_unlocked_thirty_times_in_ten_minutes() {
    let world = World::new().await;
    let key = world.key(world.by_patient(), "account").await;
    let function = Function::new(&world.stack, "unlock-message-key");
    let mut unlocked = 0;
    // Two windows, if the first one ends meanwhile.
    for _ in 0..61 {
        let request = world.by_patient().owner("account");
        let response = function
            .respond(request.json(&json!({"key_id": key})))
            .await;
        if response.status == 429 {
            assert!(response.retry_after.is_some());
            assert!(!String::from_utf8_lossy(&response.body).contains("private_key"));
            break;
        }
        unlocked += 1;
    }
    assert!((30..=60).contains(&unlocked), "{unlocked}");
}

#[tokio::test]
async fn a_private_key_belongs_to_its_public_one() {
    let world = World::new().await;
    let ((public, _), (_, private)) = (pair(), pair());
    let request = world.by_patient().owner("account");
    let request = request.json(&json!({"public_key": public, "private_key": private}));
    let response = world.ask("register-message-key", request).await;
    assert_eq!(response.status, 400);
    assert_eq!(body(&response)["errors"][0]["pointer"], "/private_key");
}

#[tokio::test]
async fn a_log_shows_every_key_in_its_order() {
    let world = World::new().await;
    for _ in 0..3 {
        let request = world.registration(world.by_patient(), "account").await;
        done(&world, "register-message-key", request).await;
    }
    // Two browsers at once: the second has to see the first one's key.
    let late = world.registration(world.by_patient(), "account").await;
    let early = world.registration(world.by_patient(), "account").await;
    done(&world, "register-message-key", early).await;
    let conflicted = refused(&world, "register-message-key", late).await;
    assert_eq!(conflicted, conflict("key-log-moved"));

    world.key(world.by_provider(), "providers").await;
    let keys = done(&world, "get-message-keys", world.about_patient()).await;
    let parties = keys["parties"].as_array().unwrap();
    assert_eq!(parties.len(), 2);
    assert_eq!(parties[0]["relationship"], "patient");
    assert_eq!(parties[0]["party"], world.account.to_string());
    assert_eq!(parties[1]["party"], "providers");
    let log = parties[0]["keys"].as_array().unwrap();
    assert_eq!(log.len(), 4);
    let mut previous: Option<Digest> = None;
    for (at, key) in log.iter().enumerate() {
        let public: PublicKey = serde_json::from_value(key["public_key"].clone()).unwrap();
        let number = u32::try_from(at + 1).unwrap();
        let owner = Party::Account(world.account);
        let id = key_id(
            owner,
            number,
            &public,
            previous.as_ref(),
            Protection::Portal,
        );
        assert_eq!(key["key_id"], json!(id));
        assert_eq!(key["previous"], json!(previous));
        previous = id;
    }
}

#[tokio::test]
async fn a_conversation_is_counted_by_party() {
    let world = World::new().await;
    let thread = world.thread().await;
    done(&world, "send-message", world.message(thread, 2).await).await;
    done(&world, "send-message", world.answer(thread, 1).await).await;
    let unread = async |by: Request| {
        let listed = done(&world, "list-threads", by).await;
        listed["threads"][0]["unread"].as_u64().unwrap()
    };
    let patient = || world.about_patient();
    let provider = || world.by_provider_about_patient();
    assert_eq!(unread(patient()).await, 1);
    assert_eq!(unread(provider()).await, 2);
    let read = async |by: Request, through: u64| {
        let request = by.thread(thread).json(&json!({"through": through}));
        done(&world, "mark-thread-read", request).await["unread"].clone()
    };
    assert_eq!(read(provider(), 1).await, 1);
    assert_eq!(read(provider(), 2).await, 0);
    done(&world, "send-message", world.message(thread, 3).await).await;
    done(&world, "send-message", world.answer(thread, 2).await).await;
    assert_eq!(unread(provider()).await, 1);
    // Who reads back has not unread anything.
    assert_eq!(read(provider(), 1).await, 1);
    assert_eq!(read(patient(), 5).await, 0);
    assert_eq!(unread(patient()).await, 0);
    let answer = done(&world, "read-thread", patient().thread(thread)).await;
    let receipts = answer["thread"]["receipts"].as_array().unwrap();
    let through: BTreeSet<_> = receipts
        .iter()
        .map(|receipt| {
            (
                receipt["party"].as_str().unwrap(),
                receipt["through"].as_u64(),
            )
        })
        .collect();
    let account = world.account.to_string();
    assert_eq!(
        through,
        [("providers", Some(2)), (&account, Some(5))].into()
    );
    // The inbox has it, with the practice's counts.
    let inbox = done(&world, "list-inbox", world.by_provider()).await;
    assert_eq!(inbox["threads"][0]["id"], thread.to_string());
    assert_eq!(inbox["threads"][0]["unread"], 1);
    assert_eq!(inbox["threads"][0]["keys"][0]["party"], "providers");
}

#[tokio::test]
async fn what_was_read_is_what_there_is() {
    let world = World::new().await;
    let thread = world.thread().await;
    let request = world
        .about_patient()
        .thread(thread)
        .json(&json!({"through": 2}));
    let response = world.ask("mark-thread-read", request).await;
    assert_eq!(response.status, 400);
    assert_eq!(body(&response)["errors"][0]["pointer"], "/through");
}

/// Both sides at once, 25 messages each: all there, one order, no counter twice, unread exact.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once() {
    let world = World::new().await;
    let thread = world.thread().await;
    let [function, reader] =
        ["send-message", "mark-thread-read"].map(|id| Arc::new(Function::new(&world.stack, id)));
    let mut set = JoinSet::new();
    for counter in 1..=25 {
        for request in [
            world.message(thread, counter + 1).await,
            world.answer(thread, counter).await,
        ] {
            let function = Arc::clone(&function);
            set.spawn(async move {
                // As a browser does: again, with the same key, while somebody else is faster.
                loop {
                    let mut again = request
                        .claims
                        .clone()
                        .map(|claims| Request {
                            claims: Some(claims),
                            ..Request::default()
                        })
                        .unwrap();
                    again.path.clone_from(&request.path);
                    again.headers.clone_from(&request.headers);
                    again.body.clone_from(&request.body);
                    let response = function.respond(again).await;
                    match response.status.as_u16() {
                        201 => return body(&response)["sequence"].as_u64().unwrap(),
                        409 | 412 | 503 => {}
                        status => panic!("{status}: {}", body(&response)),
                    }
                }
            });
        }
    }
    // And the practice reads meanwhile.
    let read = world.by_provider_about_patient().thread(thread);
    let read = read.json(&json!({"through": 1}));
    set.spawn(async move {
        assert_eq!(reader.respond(read).await.status, 200);
        1
    });
    let mut sequences = set.join_all().await;
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=51).collect::<Vec<_>>());

    let read = async |by: Request| {
        let mut messages = Vec::new();
        loop {
            let after = messages.len().to_string();
            let mut request = signed_in(by.claims.as_ref().unwrap().account, Role::Patient);
            request.claims.clone_from(&by.claims);
            let request = request.patient(world.patient).thread(thread);
            let page = done(&world, "read-thread", request.query("after", &after)).await;
            messages.extend(page["messages"].as_array().unwrap().iter().cloned());
            if page["more"] == false {
                return (messages, page["thread"].clone());
            }
        }
    };
    let (patients, of_patient) = read(world.by_patient()).await;
    let (practices, of_practice) = read(world.by_provider()).await;
    assert_eq!(patients, practices);
    assert_eq!(patients.len(), 51);
    for (at, message) in patients.iter().enumerate() {
        assert_eq!(message["sequence"], at + 1);
    }
    assert_eq!(of_patient["unread"], 25);
    assert_eq!(of_practice["unread"], 25);
    assert_eq!(of_patient["counter"], 26);
    assert_eq!(of_practice["counter"], 25);
}

#[tokio::test]
async fn a_message_is_taken_once_and_in_its_order() {
    let world = World::new().await;
    let thread = world.thread().await;
    let [own, practice] = world.both_keys().await;
    let send = |message: &str, key: &str| {
        let request = world.about_patient().thread(thread);
        let request = request.header("idempotency-key", key);
        request.json(&json!({"message": message}))
    };
    let second = envelope(thread, world.account, 2, &own);
    let sent = done(&world, "send-message", send(&second, "the-second")).await;
    assert_eq!(sent["sequence"], 2);
    // The answer got lost.
    let again = done(&world, "send-message", send(&second, "the-second")).await;
    assert_eq!(again, sent);
    // Another message by the same key, a counter twice, a counter too far, somebody else's name.
    let another = envelope(thread, world.account, 3, &own);
    let reused = refused(&world, "send-message", send(&another, "the-second")).await;
    assert_eq!(reused, (422, "key-used-before".to_owned()));
    let replay = send(&second, "another-key");
    assert_eq!(
        refused(&world, "send-message", replay).await,
        conflict("counter-used")
    );
    let ahead = envelope(thread, world.account, 4, &own);
    let ahead = refused(&world, "send-message", send(&ahead, "too-far-ahead")).await;
    assert_eq!(ahead, conflict("counter-ahead"));
    for (forged, what) in [
        (envelope(thread, world.provider, 3, &own), "another sender"),
        (
            envelope(Uuid::new_v4(), world.account, 3, &own),
            "another thread",
        ),
    ] {
        let response = world.ask("send-message", send(&forged, "a-forgery")).await;
        assert_eq!(response.status, 400, "{what}");
        assert_eq!(
            body(&response)["errors"][0]["pointer"],
            "/message",
            "{what}"
        );
    }
    let by_practice = envelope(thread, world.account, 3, &practice);
    let by_practice = refused(&world, "send-message", send(&by_practice, "their-key")).await;
    assert_eq!(by_practice, conflict("wrong-parties"));
    let listed = done(&world, "list-threads", world.about_patient()).await;
    assert_eq!(listed["threads"][0]["last"], 2);
}

#[tokio::test]
async fn a_message_has_64_kib() {
    let world = World::new().await;
    let thread = world.thread().await;
    let [own, _] = world.both_keys().await;
    let header = 105;
    let most = 64 * 1024 - header;
    for (counter, length, status) in [(2, most, 201), (3, most + 1, 400)] {
        let message = envelope_of(thread, world.account, counter, &own, length);
        let request = world.about_patient().thread(thread).idempotent();
        let request = request.json(&json!({"message": message}));
        let response = world.ask("send-message", request).await;
        assert_eq!(response.status, status, "{}", body(&response));
    }
}

#[tokio::test]
async fn a_thread_is_found_under_its_own_patient_alone() {
    let world = World::new().await;
    let thread = world.thread().await;
    let other = world.stack.sample("Noel_Reynolds").await;
    let account = world
        .stack
        .account(Role::Patient, Whose::Patient(other))
        .await;
    let by_other = || {
        signed_in(account, Role::Patient)
            .patient(other)
            .thread(thread)
    };
    for id in ["read-thread", "close-thread"] {
        assert_eq!(refused(&world, id, by_other()).await, not_found(), "{id}");
    }
    let body = json!({"through": 1});
    let read = refused(&world, "mark-thread-read", by_other().json(&body)).await;
    assert_eq!(read, not_found());
    let listed = signed_in(account, Role::Patient).patient(other);
    let listed = done(&world, "list-threads", listed).await;
    assert_eq!(listed["threads"], json!([]));
}

#[tokio::test]
async fn the_inbox_has_the_patients_whom_one_treats() {
    let world = World::new().await;
    let thread = world.thread().await;
    let whose = Whose::Practitioner(world.colleague);
    let colleague = world.stack.account(Role::Provider, whose).await;
    let inbox = async |by: Request| {
        let listed = done(&world, "list-inbox", by).await;
        listed["threads"].as_array().unwrap().len()
    };
    assert_eq!(inbox(world.by_provider()).await, 1);
    assert_eq!(inbox(signed_in(colleague, Role::Provider)).await, 0);
    // Closed, it waits with nobody, and nobody writes.
    let request = || world.about_patient().thread(thread);
    let closed = done(&world, "close-thread", request()).await;
    assert_eq!(closed["state"], "closed");
    assert_eq!(done(&world, "close-thread", request()).await, closed);
    assert_eq!(inbox(world.by_provider()).await, 0);
    let late = refused(&world, "send-message", world.message(thread, 2).await).await;
    assert_eq!(late, conflict("thread-closed"));
    assert_eq!(world.ask("read-thread", request()).await.status, 200);
}

#[tokio::test]
async fn a_thread_is_assigned_within_the_care_team() {
    let world = World::new().await;
    let thread = world.thread().await;
    let assign = |practitioner: Value| {
        let request = world.by_provider_about_patient().thread(thread);
        request.json(&json!({"practitioner": practitioner}))
    };
    let stranger = refused(&world, "assign-thread", assign(json!(world.colleague))).await;
    assert_eq!(stranger, conflict("not-on-care-team"));
    let assigned = done(&world, "assign-thread", assign(json!(world.practitioner))).await;
    assert_eq!(assigned["assigned"], json!(world.practitioner));
    let nobody = done(&world, "assign-thread", assign(Value::Null)).await;
    assert_eq!(nobody.get("assigned"), None);
    // Patients do not assign.
    let request = world.about_patient().thread(thread);
    let request = request.json(&json!({"practitioner": world.practitioner}));
    assert_eq!(refused(&world, "assign-thread", request).await, not_found());
}

/// A proxy for messages gets threads from the patient's browser, and nothing after the revocation.
#[tokio::test]
async fn a_proxy_reads_what_is_shared_and_as_long_as_granted() {
    let world = World::new().await;
    let thread = world.thread().await;
    let share = |account: &str, key: &str| {
        let request = world.about_patient().thread(thread);
        request.json(&json!({"keys": [wrapped(account, key)]}))
    };
    let (labs, _) = world.granted("labs@example.org", &["lab-results"]).await;
    let key = world.key(signed_in(labs, Role::Patient), "account").await;
    let request = share(&labs.to_string(), &key);
    let refusal = refused(&world, "share-thread", request).await;
    assert_eq!(refusal, conflict("wrong-parties"));

    let (proxy, grant) = world.granted("proxy@example.org", &["messages"]).await;
    let key = world.key(signed_in(proxy, Role::Patient), "account").await;
    let keys = done(&world, "get-message-keys", world.about_patient()).await;
    let parties = keys["parties"].as_array().unwrap();
    assert_eq!(parties[1]["relationship"], "proxy");
    assert_eq!(parties[1]["keys"][0]["key_id"], key);
    let read = || world.by_account(proxy).thread(thread);
    let before = done(&world, "read-thread", read()).await;
    assert_eq!(before["thread"]["keys"], json!([]));
    // A proxy lets nobody in.
    let request = world.by_account(proxy).thread(thread);
    let request = request.json(&json!({"keys": [wrapped(&proxy.to_string(), &key)]}));
    assert_eq!(refused(&world, "share-thread", request).await, not_found());
    let shared = done(&world, "share-thread", share(&proxy.to_string(), &key)).await;
    assert_eq!(shared["parties"].as_array().unwrap().len(), 3);
    let read_now = done(&world, "read-thread", read()).await;
    assert_eq!(read_now["thread"]["keys"][0]["key_id"], key);
    assert_eq!(read_now["thread"]["unread"], 1);
    // What is wrapped stays as it is.
    let nonsense = json!({"party": proxy, "key_id": key, "wrapped": base64url(&[4; 113])});
    let request = world.about_patient().thread(thread);
    done(
        &world,
        "share-thread",
        request.json(&json!({"keys": [nonsense]})),
    )
    .await;
    let message = json!({"message": envelope(thread, proxy, 1, &key)});
    let request = world
        .by_account(proxy)
        .thread(thread)
        .idempotent()
        .json(&message);
    assert_eq!(done(&world, "send-message", request).await["sequence"], 2);

    let revoke = world.about_patient().proxy(grant);
    done(&world, "revoke-proxy", revoke).await;
    assert_eq!(refused(&world, "read-thread", read()).await, not_found());
    let another = world.thread().await;
    let request = world.about_patient().thread(another);
    let request = request.json(&json!({"keys": [wrapped(&proxy.to_string(), &key)]}));
    let refusal = refused(&world, "share-thread", request).await;
    assert_eq!(refusal, conflict("wrong-parties"));
}

/// A child's age is sealed under a key that no message function has; the year of birth, which the grant
/// keeps, says for long enough that the patient is a child.
#[tokio::test]
async fn a_parent_reads_a_childs_messages_until_the_year_of_an_adolescent() {
    let world = World::new().await;
    let thread = world.thread().await;
    let born = born(&world).await;
    let grant = |categories: Value| {
        let request = world.by_provider_about_patient().idempotent();
        request.json(&json!({
            "email": "parent@example.org", "name": "A Parent", "relationship": "parent",
            "categories": categories,
        }))
    };
    let this_year = practice(13).today(Timestamp::now()).year();
    // The year in which the child may become an adolescent has begun, or not yet.
    let [last, over] = [1, 0].map(|years| practice(this_year + years - born));
    let granted = ask_of(
        &world,
        &last,
        "grant-proxy",
        grant(json!(["messages", "profile"])),
    )
    .await;
    let answer = body(&granted);
    assert_eq!(granted.status, 201, "{answer}");
    assert_eq!(answer["in_effect"], json!(["profile", "messages"]));
    let id = answer["id"].as_str().unwrap();
    let (row, parent) = world.stack.proxy_row(id).await;
    assert_eq!(
        row["born"],
        json!({"N": born.to_string()}),
        "the year, and no day"
    );
    let key = world.key(signed_in(parent, Role::Patient), "account").await;
    let share = async |practice: &Practice| {
        let request = world.about_patient().thread(thread);
        let keys = json!({"keys": [wrapped(&parent.to_string(), &key)]});
        ask_of(&world, practice, "share-thread", request.json(&keys)).await
    };
    assert_eq!(share(&over).await.status, 409);
    assert_eq!(share(&last).await.status, 200);
    for (practice, status) in [(&last, 200), (&over, 404)] {
        for id in ["list-threads", "get-message-keys", "read-thread"] {
            let request = world.by_account(parent).thread(thread);
            let response = ask_of(&world, practice, id, request).await;
            assert_eq!(response.status, status, "{id}");
        }
        let message = json!({"message": envelope(thread, parent, 1, &key)});
        let request = world.by_account(parent).thread(thread).idempotent();
        let response = ask_of(&world, practice, "send-message", request.json(&message)).await;
        let expected = if status == 200 { 201 } else { 404 };
        assert_eq!(response.status, expected);
    }
    // What the list of proxies says of it is what holds.
    for (practice, in_effect) in [(&last, true), (&over, false)] {
        let of = ask_of(&world, practice, "list-proxies", world.about_patient()).await;
        let categories = body(&of)["proxies"][0]["in_effect"].clone();
        let has_messages = categories.as_array().unwrap().contains(&json!("messages"));
        assert_eq!(has_messages, in_effect);
    }
    // A grant from before, or one that has nothing to do with messages, opens none.
    let without = ask_of(&world, &last, "grant-proxy", grant(json!(["profile"]))).await;
    assert_eq!(without.status, 201, "{}", body(&without));
    let id = body(&without)["id"].as_str().unwrap().to_owned();
    let (mut row, _) = world.stack.proxy_row(&id).await;
    assert!(row["born"].is_null());
    row["categories"] = json!({"S": "profile messages"});
    world.stack.put(Resource::PatientsTable, row).await;
    let request = world.by_account(parent).thread(thread);
    let response = ask_of(&world, &last, "read-thread", request).await;
    assert_eq!(response.status, 404);
}

/// The year of the patient's birth.
async fn born(world: &World) -> i16 {
    let profile = done(world, "get-profile", world.about_patient()).await;
    let date = profile["birth_date"].as_str().unwrap();
    date[..4].parse().unwrap()
}

fn practice(adolescent_age: i16) -> Practice {
    Practice::new("America/New_York", adolescent_age, 18).unwrap()
}

async fn ask_of(world: &World, practice: &Practice, id: &str, request: Request) -> Response {
    let aws = world.stack.aws_of(&Recorder::default(), practice.clone());
    let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
    call(&aws, spec, request).await
}

/// A child has no account: a parent writes for them, and the practice to the parent.
#[tokio::test]
async fn a_thread_of_a_child_is_for_a_parent() {
    let world = World::new().await;
    let (parent, _) = world.granted("parent@example.org", &["messages"]).await;
    let key = world.key(signed_in(parent, Role::Patient), "account").await;
    let practice = world.key(world.by_provider(), "providers").await;
    let parents = wrapped(&parent.to_string(), &key);
    let practices = wrapped("providers", &practice);
    let start = |by: Request, sender, key: &str, keys: Value| {
        let thread = Uuid::new_v4();
        by.idempotent().json(&json!({
            "thread": thread,
            "category": "other",
            "subject": envelope(thread, sender, 0, key),
            "message": envelope(thread, sender, 1, key),
            "commitment": base64url(&[7; 32]),
            "keys": keys,
        }))
    };
    let by_parent = || world.by_account(parent);
    let by_provider = || world.by_provider_about_patient();
    let begun = start(by_parent(), parent, &key, json!([parents, practices]));
    done(&world, "start-thread", begun).await;
    let begun = start(
        by_provider(),
        world.provider,
        &practice,
        json!([parents, practices]),
    );
    done(&world, "start-thread", begun).await;
    // The practice writes to nobody but itself; the parent does not leave the practice out.
    for alone in [
        start(by_provider(), world.provider, &practice, json!([practices])),
        start(by_parent(), parent, &key, json!([parents])),
    ] {
        let refusal = refused(&world, "start-thread", alone).await;
        assert_eq!(refusal, conflict("wrong-parties"));
    }
    // Once the patient has a key, nothing begins without it.
    world.key(world.by_patient(), "account").await;
    let late = start(by_parent(), parent, &key, json!([parents, practices]));
    assert_eq!(
        refused(&world, "start-thread", late).await,
        conflict("wrong-parties")
    );
}

/// Out of sight until something comes, for whoever hid it and nobody else.
#[tokio::test]
async fn a_thread_is_hidden_until_the_next_message() {
    let world = World::new().await;
    let thread = world.thread().await;
    let hide = |by: Request, through: u64| by.thread(thread).json(&json!({"through": through}));
    let listed = async |by: Request| {
        let listed = done(&world, "list-threads", by).await;
        let threads = listed["threads"].as_array().unwrap().clone();
        let hidden = threads.iter().map(|thread| thread["hidden"].clone());
        hidden.collect::<Vec<_>>()
    };
    let patient = || world.about_patient();
    let all = || patient().query("hidden", "listed");
    let hidden = done(&world, "hide-thread", hide(patient(), 1)).await;
    assert_eq!(hidden["hidden"], true);
    assert_eq!(listed(patient()).await, [] as [Value; 0]);
    assert_eq!(listed(all()).await, [true]);
    assert_eq!(listed(world.by_provider_about_patient()).await, [false]);
    let inbox = done(&world, "list-inbox", world.by_provider()).await;
    assert_eq!(inbox["threads"].as_array().unwrap().len(), 1);
    done(&world, "hide-thread", hide(patient(), 0)).await;
    assert_eq!(listed(patient()).await, [false]);
    // A message that came meanwhile is seen: what is hidden is what there was.
    done(&world, "send-message", world.answer(thread, 1).await).await;
    let late = done(&world, "hide-thread", hide(patient(), 1)).await;
    assert_eq!(late["hidden"], false);
    done(&world, "hide-thread", hide(patient(), 2)).await;
    assert_eq!(listed(patient()).await, [] as [Value; 0]);
    done(&world, "send-message", world.answer(thread, 2).await).await;
    assert_eq!(listed(patient()).await, [false]);
    let response = world.ask("hide-thread", hide(patient(), 4)).await;
    assert_eq!(response.status, 400);
    assert_eq!(body(&response)["errors"][0]["pointer"], "/through");
    // The practice hides nothing.
    let request = hide(world.by_provider_about_patient(), 1);
    assert_eq!(refused(&world, "hide-thread", request).await, not_found());
    // And all of it is there.
    let read = done(&world, "read-thread", patient().thread(thread)).await;
    assert_eq!(read["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_thread_says_until_when_it_is_kept() {
    let world = World::new().await;
    world.thread().await;
    let sent = practice(13).today(Timestamp::now());
    for (practice, years) in [(practice(13), 10), (practice(13).retaining(30), 30)] {
        let response = ask_of(&world, &practice, "list-threads", world.about_patient()).await;
        let until = sent.saturating_add(years.years());
        let kept = &body(&response)["threads"][0]["kept_until"];
        assert_eq!(*kept, until.to_string());
    }
}

/// In strict mode the portal keeps what it cannot open, and says so in the log.
#[tokio::test]
async fn a_locked_key_is_kept_as_it_is() {
    let world = World::new().await;
    let (public, private) = pair();
    let locked = base64url(&[9; 192]);
    let strict = |protection: &str| {
        let owner = world.by_patient().owner("account");
        owner.json(&json!({
            "public_key": public, "locked_key": locked, "protection": protection,
        }))
    };
    let key = done(&world, "register-message-key", strict("passphrase")).await;
    assert_eq!(key["protection"], "passphrase");
    let again = done(&world, "register-message-key", strict("passphrase")).await;
    assert_eq!(again, key);
    // The id commits to it: the same key with another protection is another one.
    let other = refused(&world, "register-message-key", strict("passkey")).await;
    assert_eq!(other, conflict("key-log-moved"));
    let bytes: PublicKey = serde_json::from_value(json!(public)).unwrap();
    let owner = Party::Account(world.account);
    let [as_told, plain] = [Protection::Passphrase, Protection::Portal]
        .map(|protection| json!(key_id(owner, 1, &bytes, None, protection)));
    assert_eq!(key["key_id"], as_told);
    assert_ne!(key["key_id"], plain);

    let unlock = world.by_patient().owner("account");
    let unlock = unlock.json(&json!({"key_id": key["key_id"]}));
    let unlocked = done(&world, "unlock-message-key", unlock).await;
    assert_eq!(unlocked["locked_key"], locked);
    assert_eq!(unlocked["protection"], "passphrase");
    assert!(unlocked["private_key"].is_null());
    let logs = done(&world, "get-message-keys", world.about_patient()).await;
    assert_eq!(logs["parties"][0]["keys"][0]["protection"], "passphrase");
    // KMS sealed it besides: what is in the table is not what the browser sent.
    let rows = world.stack.items(Resource::MessagesTable).await;
    assert!(!serde_json::to_string(&rows).unwrap().contains("CQkJCQkJ"));

    // Out of it again, and what is neither.
    let (next, secret) = pair();
    let leaving = json!({"public_key": next, "private_key": secret, "previous": key["key_id"]});
    let request = world.by_patient().owner("account").json(&leaving);
    let plain = done(&world, "register-message-key", request).await;
    assert_eq!(plain["protection"], "portal");
    for (pointer, wrong) in [
        ("/private_key", json!({"public_key": public})),
        (
            "/private_key",
            json!({"public_key": public, "locked_key": locked}),
        ),
        (
            "/private_key",
            json!({
                "public_key": public, "private_key": private, "locked_key": locked,
            }),
        ),
        (
            "/locked_key",
            json!({"public_key": public, "protection": "passkey"}),
        ),
        (
            "/locked_key",
            json!({
                "public_key": public, "private_key": private, "protection": "passphrase",
            }),
        ),
        (
            "/locked_key",
            json!({
                "public_key": public, "locked_key": base64url(&[9; 117]), "protection": "passphrase",
            }),
        ),
        (
            "/protection",
            json!({
                "public_key": public, "locked_key": locked, "protection": "password",
            }),
        ),
    ] {
        let request = world.by_patient().owner("account").json(&wrong);
        let response = world.ask("register-message-key", request).await;
        assert_eq!(response.status, 400, "{wrong}");
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer, "{wrong}");
    }
}

/// The privacy officer reads for an hour, after saying to whom it goes and why.
#[tokio::test]
async fn messages_are_disclosed_to_whom_is_named_and_for_an_hour() {
    let world = World::new().await;
    let thread = world.thread().await;
    let [_, practice] = world.both_keys().await;
    let officer = || world.by_officer().patient(world.patient);
    let unlock = || {
        let request = world.by_officer().owner("providers");
        request.json(&json!({"key_id": practice}))
    };
    let read = || officer().thread(thread);
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(refused(&world, "read-thread", read()).await, not_found());
    assert_eq!(
        refused(&world, "unlock-message-key", unlock()).await,
        forbidden
    );
    // Somebody else says so, or somebody who signed in long ago.
    let mut others = world.disclosure();
    others.claims = world.by_provider().since(0).claims;
    assert_eq!(
        refused(&world, "disclose-messages", others).await,
        not_found()
    );
    let stale = world.disclosure().since(16 * 60);
    let stale = refused(&world, "disclose-messages", stale).await;
    assert_eq!(stale.1, "sign-in-again");

    let key = "one-disclosure-key";
    let once = || {
        let mut request = world.disclosure();
        request
            .headers
            .insert("idempotency-key", key.parse().unwrap());
        request
    };
    let disclosing = done(&world, "disclose-messages", once()).await;
    // The answer got lost.
    assert_eq!(done(&world, "disclose-messages", once()).await, disclosing);
    let mut other: Value = serde_json::from_slice(&once().body).unwrap();
    other["recipient"] = "Somebody else".into();
    let reused = refused(&world, "disclose-messages", once().json(&other)).await;
    assert_eq!(reused, (422, "key-used-before".to_owned()));

    let listed = done(&world, "list-threads", officer()).await;
    assert_eq!(listed["threads"][0]["keys"][0]["party"], "providers");
    let conversation = done(&world, "read-thread", read()).await;
    assert_eq!(conversation["messages"].as_array().unwrap().len(), 1);
    let unlocked = done(&world, "unlock-message-key", unlock()).await;
    assert!(unlocked["private_key"].is_string());
    done(&world, "get-message-keys", officer()).await;
    // To read, and for nothing else; of this patient, and nobody else; by this officer.
    for (id, request) in [
        ("close-thread", read()),
        ("mark-thread-read", read().json(&json!({"through": 1}))),
        (
            "share-thread",
            read().json(&json!({"keys": [wrapped("providers", &practice)]})),
        ),
        ("get-profile", officer()),
    ] {
        assert_eq!(refused(&world, id, request).await, not_found(), "{id}");
    }
    let register = world.registration(world.by_officer(), "providers").await;
    assert_eq!(
        refused(&world, "register-message-key", register).await,
        forbidden
    );
    let (neighbour, _) = world.another().await;
    let theirs = world.by_officer().patient(neighbour);
    assert_eq!(refused(&world, "list-threads", theirs).await, not_found());
    let colleague = world
        .stack
        .account(Role::PrivacyOfficer, Whose::Nobody)
        .await;
    let by_colleague = || signed_in(colleague, Role::PrivacyOfficer);
    let theirs = by_colleague().patient(world.patient).thread(thread);
    assert_eq!(refused(&world, "read-thread", theirs).await, not_found());
    let body_of_key = json!({"key_id": practice});
    let theirs = by_colleague().owner("providers").json(&body_of_key);
    assert_eq!(
        refused(&world, "unlock-message-key", theirs).await,
        forbidden
    );

    // Every access carries the disclosure.
    let records = world.stack.audit().await;
    let of = |operation: &str| {
        let mut records = records.iter().filter(|record| {
            record["operation"] == operation
                && record["outcome"] == "success"
                && record["actor"] == world.officer.to_string()
        });
        records.next_back().unwrap().clone()
    };
    for id in [
        "disclose-messages",
        "list-threads",
        "read-thread",
        "unlock-message-key",
    ] {
        let record = of(id);
        assert_eq!(record["grant"], disclosing["disclosure"], "{id}");
        assert_eq!(record["via"], "disclosure", "{id}");
        assert_eq!(record["purpose"], "HLEGAL", "{id}");
    }
    assert_eq!(of("read-thread")["resource"], thread.to_string());

    // The patient is told to whom and why; a parent or proxy is not even told that it was.
    let accounting = world.about_patient().query("of", "disclosures");
    let accounting = done(&world, "list-record-access", accounting).await;
    let accesses = accounting["accesses"].as_array().unwrap();
    let begun = accesses
        .iter()
        .find(|one| one["what"]["operation"] == "disclose-messages");
    let why = &begun.unwrap()["why"];
    assert_eq!(why["disclosure"]["purpose"], "judicial-proceeding");
    assert_eq!(why["disclosure"]["recipient"], "CANARY-941 county court");
    assert_eq!(why["disclosure"]["address"], "CANARY-942 Court Street");
    assert_eq!(why["disclosure"]["statement"], "CANARY-940 is a witness");
    assert!(why["text"].is_string());
    let read_by_officer = accesses
        .iter()
        .find(|one| one["what"]["operation"] == "read-thread");
    assert_eq!(
        read_by_officer.unwrap()["why"]["disclosure"],
        why["disclosure"]
    );
    assert!(accesses.iter().all(|one| one["why"]["via"] == "disclosure"));
    let all = Category::ALL.map(Category::as_str);
    let (trusted, _) = world.granted("trusted@example.org", &all).await;
    for of in ["anyone", "disclosures"] {
        let request = world.by_account(trusted).query("of", of);
        let told = done(&world, "list-record-access", request).await;
        assert!(!told.to_string().contains("isclos"), "{told}");
    }

    // After the hour it is over, here and there.
    for table in [Resource::PatientsTable, Resource::MessagesTable] {
        for mut row in world.stack.scan(table).await {
            let key = ["pk", "sk"].map(|name| row[name]["S"].as_str().unwrap().to_owned());
            if key.iter().any(|part| part.contains("DISCLOSURE#")) {
                let past = Timestamp::now() - SignedDuration::from_secs(1);
                row["until"] = json!({"S": past.to_string()});
                world.stack.put(table, row).await;
            }
        }
    }
    assert_eq!(refused(&world, "read-thread", read()).await, not_found());
    assert_eq!(
        refused(&world, "unlock-message-key", unlock()).await,
        forbidden
    );
}

#[tokio::test]
async fn a_thread_begins_with_everybody_who_takes_part() {
    let world = World::new().await;
    let thread = Uuid::new_v4();
    let right = world.new_thread(thread).await;
    let start = |body: &Value| world.about_patient().idempotent().json(body);
    let mut without_practice = right.clone();
    without_practice["keys"].as_array_mut().unwrap().pop();
    let mut with_a_stranger = right.clone();
    let stranger = wrapped(&Uuid::new_v4().to_string(), &base64url(&[9; 32]));
    with_a_stranger["keys"]
        .as_array_mut()
        .unwrap()
        .push(stranger);
    for wrong in [without_practice, with_a_stranger] {
        let refusal = refused(&world, "start-thread", start(&wrong)).await;
        assert_eq!(refusal, conflict("wrong-parties"));
    }
    let request = || {
        world
            .about_patient()
            .header("idempotency-key", "one-thread")
    };
    let started = done(&world, "start-thread", request().json(&right)).await;
    assert_eq!(
        done(&world, "start-thread", request().json(&right)).await,
        started
    );
    let taken = refused(&world, "start-thread", start(&right)).await;
    assert_eq!(taken, conflict("thread-taken"));
}

/// Pages of threads: newest activity first, each once.
#[tokio::test]
async fn threads_come_by_their_last_activity() {
    let world = World::new().await;
    let threads = [
        world.thread().await,
        world.thread().await,
        world.thread().await,
    ];
    done(&world, "send-message", world.message(threads[0], 2).await).await;
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = world.about_patient().query("limit", "1");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let page = done(&world, "list-threads", request).await;
        let ids = page["threads"].as_array().unwrap().iter();
        listed.extend(ids.map(|thread| thread["id"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let expected = [threads[0], threads[2], threads[1]].map(|thread| thread.to_string());
    assert_eq!(listed, expected);
}
