//! A person's own sessions: which there are, what happened to the sign-in, and signing out of one.

use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{World, token_specs};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn ask(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

async fn listed(world: &World, origin: &str) -> Value {
    let request = world.by_patient_at(origin);
    let response = ask(world, "list-sessions", request).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    body(&response)
}

async fn end(world: &World, mut request: Request, session: &str) -> u16 {
    request
        .path
        .push(("session".to_owned(), session.to_owned()));
    ask(world, "end-session", request).await.status.as_u16()
}

async fn row(world: &World) -> Value {
    let rows = world.stack.scan(Resource::AccountsTable).await.into_iter();
    let key = format!("ACCOUNT#{}", world.account);
    let mut rows = rows.filter(|row| row["pk"]["S"] == key.as_str());
    rows.next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sign_in_that_was_seen_is_listed() {
    let world = World::new().await;
    let laptop = world.session("laptop").await;
    let phone = world.session("phone").await;
    assert_ne!(laptop, phone);
    // Seen once, however often it asks, and however often its token was refreshed.
    assert_eq!(world.session("laptop").await, laptop);
    let list = listed(&world, "laptop").await;
    let sessions = list["sessions"].as_array().unwrap();
    let told: Vec<_> = sessions
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["current"] == true))
        .collect();
    assert_eq!(told, [(&*phone, false), (&*laptop, true)]);
    assert_eq!(sessions[0]["source_ip"], "198.51.100.7");
    assert_eq!(sessions[0]["user_agent"], "tests");
    assert_eq!(sessions[0]["signed_in_at"], "2025-10-09T08:53:20Z");
    // The id leads back to no token, and nothing of the token is kept.
    assert!(!row(&world).await.to_string().contains("laptop"));
    // Others have sessions of their own.
    let admins = ask(&world, "list-sessions", signed_in(world.admin, Role::Admin)).await;
    assert_eq!(body(&admins)["sessions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_refused_from_the_next_request_on() {
    let world = World::new().await;
    let phone = world.session("phone").await;
    let laptop = world.session("laptop").await;
    let read = Function::new(&world.stack, "get-profile");
    let at = |origin: &str| world.by_patient_at(origin).patient(world.patient);
    assert_eq!(read.respond(at("phone")).await.status, 200);
    assert_eq!(
        end(&world, world.by_patient_at("laptop"), &phone).await,
        200
    );
    let records = world.stack.audit().await;
    let record = records
        .iter()
        .rfind(|one| one["operation"] == "end-session");
    assert_eq!(record.unwrap()["resource"], phone);

    for spec in token_specs() {
        let mut request = world.allowed(spec).await;
        if request.claims.as_ref().unwrap().account != world.account {
            continue;
        }
        request.claims.as_mut().unwrap().origin = "phone".to_owned();
        let response = ask(&world, spec.id, request).await;
        assert_eq!(response.status, 401, "{}", spec.id);
    }
    assert_eq!(read.respond(at("phone")).await.status, 401);
    assert_eq!(read.respond(at("laptop")).await.status, 200);
    assert_eq!(
        end(&world, world.by_patient_at("laptop"), &phone).await,
        404
    );
    let list = listed(&world, "laptop").await;
    let ids = list["sessions"].as_array().unwrap().iter();
    assert!(ids.map(|one| &one["id"]).all(|id| *id != *phone));
    // Of the session that asks as well.
    assert_eq!(
        end(&world, world.by_patient_at("laptop"), &laptop).await,
        200
    );
    assert_eq!(read.respond(at("laptop")).await.status, 401);
    // A new sign-in is a new session.
    assert_eq!(read.respond(at("another")).await.status, 200);
}

/// The first request of the phone's session, and what happens at its end, just before it is kept.
async fn overtaken<F>(
    meanwhile: impl Fn(Arc<World>) -> F + Send + Sync + 'static,
) -> (Arc<World>, Response)
where
    F: Future<Output = ()>,
{
    let world = Arc::new(World::new().await);
    let there = Arc::clone(&world);
    let once = AtomicBool::new(true);
    let recorder = Recorder::failing(move |call| {
        let commits = call.actions.contains(&"dynamodb:UpdateItem".to_owned());
        if commits && once.swap(false, Ordering::Relaxed) {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(meanwhile(Arc::clone(&there)));
            });
        }
        false
    });
    let slow = Function::recorded(&world.stack, "get-account", recorder);
    let response = slow.respond(world.by_patient_at("phone")).await;
    (world, response)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_requests_at_once_are_both_answered() {
    let (world, slower) = overtaken(|world| async move {
        world.session("phone").await;
    })
    .await;
    assert_eq!(slower.status, 200, "{}", body(&slower));
    let list = listed(&world, "phone").await;
    assert_eq!(list["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(list["sessions"][0]["id"], body(&slower)["session"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_stays_ended_whatever_comes_late() {
    let (world, slower) = overtaken(|world| async move {
        let phone = world.session("phone").await;
        let request = world.by_patient_at("laptop");
        assert_eq!(end(&world, request, &phone).await, 200);
    })
    .await;
    assert_eq!(slower.status, 401);
    let ended = ask(&world, "get-account", world.by_patient_at("phone")).await;
    assert_eq!(ended.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_another_persons_session() {
    let world = World::new().await;
    let phone = world.session("phone").await;
    let admin = || signed_in(world.admin, Role::Admin);
    assert_eq!(end(&world, admin(), &phone).await, 404);
    for wrong in ["", "phone", "00000000-0000-0000-0000-00000000000G"] {
        assert_eq!(end(&world, admin(), wrong).await, 400, "{wrong}");
    }
    let request = world.by_patient_at("phone");
    assert_eq!(ask(&world, "list-sessions", request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_keeps_twenty_and_those_that_were_ended() {
    let world = World::new().await;
    let ended = world.session("ended").await;
    assert_eq!(end(&world, world.by_patient_at("one"), &ended).await, 200);
    for number in 0..22 {
        world.session(&format!("session {number}")).await;
    }
    let list = listed(&world, "session 21").await;
    assert_eq!(list["sessions"].as_array().unwrap().len(), 20);
    let request = world.by_patient_at("ended");
    assert_eq!(ask(&world, "get-account", request).await.status, 401);
    // One that fell out of the list still works, and comes back with its next request.
    world.session("session 0").await;
    let list = listed(&world, "session 0").await;
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 20);
    assert!(sessions.iter().any(|one| one["current"] == true));

    // After twelve hours and a bit they are over, and the next session clears them away.
    let mut old = row(&world).await;
    let long_ago = Timestamp::now() - 13.hours();
    for (name, value) in old.as_object_mut().unwrap() {
        if name.starts_with("session#") {
            value["M"]["first_seen"]["S"] = long_ago.to_string().into();
        }
    }
    world.stack.put(Resource::AccountsTable, old).await;
    let list = listed(&world, "session 0").await;
    assert_eq!(list["sessions"], json!([]));
    world.session("new").await;
    let row = row(&world).await;
    let kept = row.as_object().unwrap().keys();
    assert_eq!(kept.filter(|name| name.starts_with("session#")).count(), 1);
}

/// What Cognito tells of attempts, the failed ones too.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_has_every_attempt() {
    let world = World::new().await;
    let pool = &world.stack.names[&Resource::UserPool];
    let client = json!({"UserPoolId": pool, "ClientName": "tests",
        "ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]});
    let client = world.stack.cognito("CreateUserPoolClient", &client).await;
    let password = json!({"UserPoolId": pool, "Username": world.account.to_string(),
        "Password": "Correct-Horse-1-Staple", "Permanent": true});
    world.stack.cognito("AdminSetUserPassword", &password).await;
    for password in ["Wrong-Horse-1-Staple", "Correct-Horse-1-Staple"] {
        let sign_in = json!({
            "UserPoolId": pool, "ClientId": client["UserPoolClient"]["ClientId"],
            "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
            "AuthParameters": {"USERNAME": world.account.to_string(), "PASSWORD": password},
        });
        let _ = world
            .stack
            .root
            .cognito("AdminInitiateAuth", &sign_in)
            .await;
    }
    let list = listed(&world, "any").await;
    let sign_ins = list["sign_ins"].as_array().unwrap();
    let outcomes: BTreeSet<_> = sign_ins
        .iter()
        .filter(|one| one["kind"] == "sign-in")
        .map(|one| one["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, BTreeSet::from(["failure", "success"]), "{list}");
    assert!(sign_ins[0]["source_ip"].is_string());
    assert!(sign_ins[0]["city"].is_null());
    let others = ask(&world, "list-sessions", signed_in(world.admin, Role::Admin)).await;
    assert_eq!(body(&others)["sign_ins"], json!([]));
}
