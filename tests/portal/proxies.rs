//! Proxies: what a grant opens and for how long, who may make and end it, what it tells about whom,
//! and the parents of minors.

use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{World, call, specs};
use crate::harness::{Stack, Whose};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId, ProxyId};
use shared::practice::Practice;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use uuid::Uuid;

const GRANT: &str = "grant-proxy";

/// Where it is a day or two later than at [`WEST`], whatever the time.
const EAST: &str = "Pacific/Kiritimati";
const WEST: &str = "Etc/GMT+12";

async fn ask(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

/// The same in a practice of another place.
async fn ask_in(world: &World, zone: &str, id: &str, request: Request) -> Response {
    ask_of(world, Practice::new(zone, 13, 18).unwrap(), id, request).await
}

async fn ask_of(world: &World, practice: Practice, id: &str, request: Request) -> Response {
    let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
    let aws = world.stack.aws_of(&Recorder::default(), practice);
    call(&aws, spec, request).await
}

fn by(account: AccountId, patient: PatientId) -> Request {
    signed_in(account, Role::Patient).patient(patient)
}

/// What an account gets to see of the patient: profile, laboratory results, dashboard.
async fn sees(world: &World, account: AccountId) -> [u16; 3] {
    let mut seen = [0; 3];
    for (at, id) in ["get-profile", "list-lab-results", "get-dashboard"]
        .into_iter()
        .enumerate()
    {
        let response = ask(world, id, by(account, world.patient)).await;
        seen[at] = response.status.as_u16();
    }
    seen
}

async fn listed(world: &World) -> Vec<Value> {
    let request = world.by_patient().patient(world.patient);
    let response = ask(world, "list-proxies", request).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    body(&response)["proxies"].as_array().unwrap().clone()
}

/// For whom an account acts.
async fn patients_of(world: &World, account: AccountId) -> Vec<Value> {
    let request = signed_in(account, Role::Patient);
    let response = ask(world, "list-proxied-patients", request).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    body(&response)["patients"].as_array().unwrap().clone()
}

async fn revoke(world: &World, request: Request, proxy: ProxyId) -> u16 {
    let response = ask(world, "revoke-proxy", request.proxy(proxy)).await;
    response.status.as_u16()
}

/// The rows that grants left, by the beginning of a key.
async fn rows(world: &World, name: &str, start: &str) -> Vec<Value> {
    let mut rows = world.stack.items(Resource::PatientsTable).await;
    rows.retain(|row| row[name].as_str().unwrap().starts_with(start));
    rows
}

/// Sets an attribute of a grant, as time or a defect would.
async fn set(stack: &Stack, grant: ProxyId, name: &str, value: &str) {
    let (mut row, _) = stack.proxy_row(&grant.to_string()).await;
    row[name] = json!({"S": value});
    stack.put(Resource::PatientsTable, row).await;
}

async fn last_record(world: &World, operation: &str) -> Value {
    let mut records = world.stack.audit().await;
    records.retain(|record| record["operation"] == operation);
    records.pop().unwrap()
}

/// A response without what differs from grant to grant.
fn same(response: &Response) -> (u16, Value) {
    let mut answer = body(response);
    for name in ["instance", "id", "granted_at", "email"] {
        answer.as_object_mut().unwrap().remove(name);
    }
    (response.status.as_u16(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_opens_its_categories_and_nothing_else() {
    let world = World::new().await;
    let email = "proxy@example.org";
    for (categories, expected) in [
        (&["profile"][..], [200, 404, 404]),
        (&["lab-results"], [404, 200, 404]),
        (&["prescriptions"], [404, 404, 404]),
        (&["appointments", "messages"], [404, 404, 404]),
        (&["profile", "lab-results"], [200, 200, 404]),
        (
            &["profile", "lab-results", "prescriptions"],
            [200, 200, 200],
        ),
    ] {
        let (account, grant) = world.granted(email, categories).await;
        assert_eq!(sees(&world, account).await, expected, "{categories:?}");
        for (id, status) in ["get-profile", "list-lab-results"].iter().zip(expected) {
            let record = last_record(&world, id).await;
            assert_eq!(record["actor"], account.to_string());
            assert_eq!(record["patient"], world.patient.to_string());
            if status == 200 {
                assert_eq!(record["via"], "proxy");
                assert_eq!(record["grant"], grant.to_string());
                assert_eq!(record["acting_for"], world.patient.to_string());
                assert_eq!(record["purpose"], "FAMRQT");
            } else {
                assert_eq!(record["outcome"], "denied");
                assert!(record["grant"].is_null());
            }
        }
        // Whatever was granted, it is for reading.
        let change = by(account, world.patient)
            .header("if-match", "\"0\"")
            .json(&json!({"phone": "555-010-0199"}));
        assert_eq!(ask(&world, "update-profile", change).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_granted_something_can_sign_in_and_sees_for_whom() {
    let world = World::new().await;
    let response = ask(&world, GRANT, world.grant("new@example.org", &["profile"])).await;
    let answer = body(&response);
    assert_eq!(response.status, 201, "{answer}");
    assert_eq!(answer["name"], "Somebody Else");
    assert_eq!(answer["email"], "new@example.org");
    assert_eq!(answer["relationship"], "friend");
    assert_eq!(
        (&answer["basis"], &answer["state"], &answer["in_effect"]),
        (&json!("granted"), &json!("active"), &json!(["profile"]))
    );
    let grant = answer["id"].as_str().unwrap();
    let (_, account) = world.stack.proxy_row(grant).await;
    let record = last_record(&world, GRANT).await;
    assert_eq!(
        (&record["via"], &record["resource"]),
        (&json!("self"), &json!(grant))
    );

    let pool = &world.stack.names[&Resource::UserPool];
    let user = json!({"UserPoolId": pool, "Username": "new@example.org"});
    let found = world.stack.cognito("AdminGetUser", &user).await;
    assert_eq!(found["UserStatus"], "FORCE_CHANGE_PASSWORD");
    let groups = world.stack.cognito("AdminListGroupsForUser", &user).await;
    assert_eq!(groups["Groups"][0]["GroupName"], "patients");
    let accounts = world.stack.items(Resource::AccountsTable).await;
    let mut accounts = accounts.iter();
    let row = accounts.find(|row| row["pk"] == format!("ACCOUNT#{account}").as_str());
    let row = row.unwrap();
    assert_eq!(
        (&row["role"], &row["status"]),
        (&json!("patient"), &json!("active"))
    );
    assert!(row["patient"].is_null());

    let mut profile = body(
        &ask(
            &world,
            "get-profile",
            world.by_patient().patient(world.patient),
        )
        .await,
    );
    let patients = patients_of(&world, account).await;
    assert_eq!(
        patients,
        [json!({
            "id": world.patient, "proxy": grant, "name": profile["name"].take(),
            "basis": "granted", "categories": ["profile"], "until": answer["until"],
        })]
    );
    let record = last_record(&world, "list-proxied-patients").await;
    assert_eq!(record["pk"], format!("ACCOUNT#{account}"));
    assert_eq!(record["resource"], grant);
    assert_eq!(listed(&world).await, [answer]);
}

#[tokio::test(flavor = "multi_thread")]
async fn granting_again_replaces() {
    let world = World::new().await;
    let email = "proxy@example.org";
    let (account, first) = world.granted(email, &["profile"]).await;
    let (same, second) = world.granted(email, &["lab-results"]).await;
    assert_eq!(account, same);
    assert_ne!(first, second);
    assert_eq!(sees(&world, account).await, [404, 200, 404]);
    let list = listed(&world).await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["id"], second.to_string());
    let history = rows(&world, "sk", "HISTORY#PROXY#").await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["grant"], first.to_string());
    assert_eq!(history[0]["categories"], "profile");
    assert_eq!(history[0]["ended_by"], world.account.to_string());
    assert_eq!(patients_of(&world, account).await.len(), 1);
    let own = || world.by_patient().patient(world.patient);
    assert_eq!(revoke(&world, own(), first).await, 404);
    assert_eq!(revoke(&world, own(), second).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_ends_with_the_next_request() {
    let world = World::new().await;
    let (account, grant) = world.granted("one@example.org", &["profile"]).await;
    let (other, others) = world.granted("other@example.org", &["profile"]).await;
    let read = Function::new(&world.stack, "get-profile");
    // The same function and the same sign-in, before and after.
    let request = || by(account, world.patient);
    assert_eq!(read.respond(request()).await.status, 200);

    // Nobody who acts for the patient ends another's grant, or learns that there is one.
    assert_eq!(revoke(&world, by(other, world.patient), grant).await, 404);
    assert_eq!(
        last_record(&world, "revoke-proxy").await["outcome"],
        "denied"
    );
    let nothing = ProxyId::new(Uuid::new_v4());
    assert_eq!(revoke(&world, by(other, world.patient), nothing).await, 404);
    let own = || world.by_patient().patient(world.patient);
    assert_eq!(revoke(&world, own(), nothing).await, 404);
    assert_eq!(read.respond(request()).await.status, 200);

    assert_eq!(revoke(&world, own(), grant).await, 200);
    let record = last_record(&world, "revoke-proxy").await;
    assert_eq!(record["resource"], grant.to_string());
    assert_eq!(read.respond(request()).await.status, 404);
    assert_eq!(
        last_record(&world, "get-profile").await["outcome"],
        "denied"
    );
    assert!(patients_of(&world, account).await.is_empty());
    assert_eq!(revoke(&world, own(), grant).await, 404);
    assert_eq!(rows(&world, "pk", "PROXY-OF#").await.len(), 1);
    let history = rows(&world, "sk", "HISTORY#PROXY#").await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["grant"], grant.to_string());
    assert!(history[0]["sealed"].is_string());

    // The other gives up what they have.
    assert_eq!(sees(&world, other).await[0], 200);
    assert_eq!(revoke(&world, by(other, world.patient), others).await, 200);
    let record = last_record(&world, "revoke-proxy").await;
    assert_eq!(
        (&record["via"], &record["acting_for"]),
        (&json!("proxy"), &json!(world.patient))
    );
    assert_eq!(sees(&world, other).await[0], 404);
    assert!(listed(&world).await.is_empty());
    // And may be asked again.
    let (again, _) = world.granted("other@example.org", &["profile"]).await;
    assert_eq!(again, other);
    assert_eq!(sees(&world, other).await[0], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_ends_with_its_last_day() {
    let world = World::new().await;
    let (account, grant) = world.granted("proxy@example.org", &["profile"]).await;
    let now = Timestamp::now();
    let soon = now + 1.hour();
    set(&world.stack, grant, "until", &soon.to_string()).await;
    assert_eq!(sees(&world, account).await[0], 200);
    set(&world.stack, grant, "until", &now.to_string()).await;
    assert_eq!(sees(&world, account).await[0], 404);
    assert!(patients_of(&world, account).await.is_empty());
    let list = listed(&world).await;
    assert_eq!(
        (&list[0]["state"], &list[0]["in_effect"]),
        (&json!("expired"), &json!([]))
    );
    assert_eq!(revoke(&world, by(account, world.patient), grant).await, 404);

    // Today is a day to grant something for, and so is the day five years from now, to its end.
    let practice = Practice::new("America/New_York", 13, 18).unwrap();
    let today = practice.today(Timestamp::now());
    for day in [today, today.saturating_add(5.years())] {
        let request = world.grant("proxy@example.org", &["profile"]);
        let mut grant: Value = serde_json::from_slice(&request.body).unwrap();
        grant["until"] = day.to_string().into();
        let response = ask(&world, GRANT, request.json(&grant)).await;
        assert_eq!(response.status, 201, "{}", body(&response));
        assert_eq!(body(&response)["until"], day.to_string());
        let row = rows(&world, "sk", "CONTEXT#PROXY#").await.remove(0);
        let end = practice.end_of(day).unwrap();
        assert_eq!(row["until"], end.to_string());
        assert_eq!(sees(&world, account).await[0], 200);
    }
}

/// What today is, the practice's calendar decides.
#[tokio::test(flavor = "multi_thread")]
async fn days_are_the_practices() {
    let world = World::new().await;
    let [east, west] = [EAST, WEST].map(|zone| Practice::new(zone, 5, 18).unwrap());
    let today = west.today(Timestamp::now());
    let request = || {
        let request = world.grant("proxy@example.org", &["profile"]);
        let mut grant: Value = serde_json::from_slice(&request.body).unwrap();
        grant["until"] = today.to_string().into();
        request.json(&grant)
    };
    assert_eq!(ask_of(&world, east, GRANT, request()).await.status, 400);
    assert_eq!(ask_of(&world, west, GRANT, request()).await.status, 201);
}

/// Whether there was an account, a patient's or a proxy's, and whether it may be used, is not told.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_does_not_tell_who_has_an_account() {
    let world = World::new().await;
    let stack = &world.stack;
    let neighbour = stack.sample("Noel_Reynolds").await;
    let patient = Whose::Patient(neighbour);
    stack
        .account_at("patient@example.org", Role::Patient, patient)
        .await;
    stack
        .account_at("proxy@example.org", Role::Patient, Whose::Nobody)
        .await;
    let disabled = stack
        .account_at("disabled@example.org", Role::Patient, Whose::Nobody)
        .await;
    stack
        .put(
            Resource::AccountsTable,
            json!({"pk": {"S": format!("ACCOUNT#{disabled}")}, "role": {"S": "patient"},
                "status": {"S": "disabled"}}),
        )
        .await;
    let mut answers = Vec::new();
    for email in [
        "new@example.org",
        "patient@example.org",
        "proxy@example.org",
        "disabled@example.org",
    ] {
        answers.push(same(
            &ask(&world, GRANT, world.grant(email, &["profile"])).await,
        ));
    }
    assert_eq!(answers[0].0, 201, "{answers:#?}");
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:#?}"
    );
    // A patient of the practice acts for another beside their own record.
    let request =
        json!({"UserPoolId": stack.names[&Resource::UserPool], "Username": "patient@example.org"});
    let user = stack.cognito("AdminGetUser", &request).await;
    let attributes = user["UserAttributes"].as_array().unwrap().iter();
    let mut subs = attributes.filter(|attribute| attribute["Name"] == "sub");
    let account: AccountId = subs.next().unwrap()["Value"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(sees(&world, account).await, [200, 404, 404]);
    let own = ask(&world, "get-profile", by(account, neighbour)).await;
    assert_eq!(own.status, 200);
    assert_eq!(last_record(&world, "get-profile").await["via"], "self");
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_the_patient_and_half_made_users_are_refused_in_the_same_words() {
    let world = World::new().await;
    let stack = &world.stack;
    let own = Whose::Patient(world.patient);
    stack
        .account_at("own@example.org", Role::Patient, own)
        .await;
    for role in [Role::Provider, Role::Admin, Role::PrivacyOfficer] {
        let address = format!("{}@example.org", role.as_str());
        stack.account_at(&address, role, Whose::Nobody).await;
    }
    // A user whom somebody else is about to make: an activation, or an invitation of staff.
    let half = json!({
        "UserPoolId": stack.names[&Resource::UserPool], "Username": "half@example.org",
        "MessageAction": "SUPPRESS",
        "UserAttributes": [{"Name": "custom:origin", "Value": "another"}],
    });
    stack.cognito("AdminCreateUser", &half).await;
    let before = stack.items(Resource::AccountsTable).await;
    let mut answers = Vec::new();
    for name in ["own", "provider", "admin", "privacy-officer", "half"] {
        let request = world.grant(&format!("{name}@example.org"), &["profile"]);
        answers.push(same(&ask(&world, GRANT, request).await));
        let record = last_record(&world, GRANT).await;
        assert_eq!(record["outcome"], "denied", "{name}");
        assert_eq!(record["reason"], "address-not-usable", "{name}");
    }
    assert_eq!(answers[0].0, 409, "{answers:#?}");
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:#?}"
    );
    assert!(listed(&world).await.is_empty());
    assert_eq!(stack.items(Resource::AccountsTable).await, before);
}
/// How many accounts there are.
async fn accounts(world: &World) -> usize {
    let rows = world.stack.items(Resource::AccountsTable).await;
    let is_account = |row: &&Value| row["pk"].as_str().unwrap().starts_with("ACCOUNT#");
    rows.iter().filter(is_account).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_fails_half_way_is_gone_on_with() {
    let world = World::new().await;
    let accounts = accounts(&world).await;
    let request = || {
        let mut request = world.grant("proxy@example.org", &["profile"]);
        let key = "key-of-the-first-try".parse().unwrap();
        request.headers.insert("idempotency-key", key);
        request
    };
    for part in [
        "cognito-idp:AdminGetUser",
        "cognito-idp:AdminCreateUser",
        "cognito-idp:AdminAddUserToGroup",
        "dynamodb:PutItem",
    ] {
        let recorder = Recorder::failing(move |call| {
            call.actions[0] == part && (call.actions.len() > 1 || part.starts_with("cognito"))
        });
        let function = Function::recorded(&world.stack, GRANT, recorder);
        assert_eq!(function.respond(request()).await.status, 503, "{part}");
        assert_eq!(
            last_record(&world, GRANT).await["outcome"],
            "failure",
            "{part}"
        );
        assert!(listed(&world).await.is_empty(), "{part}");
        assert_eq!(self::accounts(&world).await, accounts, "{part}");
    }
    let response = ask(&world, GRANT, request()).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    assert_eq!(listed(&world).await.len(), 1);
    assert_eq!(self::accounts(&world).await, accounts + 1);
    let users = world.stack.users("email = \"proxy@example.org\"").await;
    assert_eq!(users.len(), 1);

    // The answer got lost: the same request is the same grant.
    let grant = body(&response);
    let again = ask(&world, GRANT, request()).await;
    assert_eq!((again.status.as_u16(), &body(&again)), (201, &grant));
    assert!(rows(&world, "sk", "HISTORY#PROXY#").await.is_empty());
    // Its key is good for nothing else.
    let mut other: Value = serde_json::from_slice(&request().body).unwrap();
    other["categories"] = json!(["profile", "messages"]);
    let response = ask(&world, GRANT, request().json(&other)).await;
    assert_eq!(response.status, 422);
    assert_eq!(body(&response)["type"], "/problems/key-used-before");
    assert_eq!(listed(&world).await, [grant]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_people_at_most_even_at_once() {
    let world = World::new().await;
    for number in 0..9 {
        let email = format!("proxy{number}@example.org");
        world.granted(&email, &["profile"]).await;
    }
    let (one, other) = tokio::join!(
        ask(&world, GRANT, world.grant("one@example.org", &["profile"])),
        ask(
            &world,
            GRANT,
            world.grant("other@example.org", &["profile"])
        ),
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert!([409, 412].contains(&statuses[1]), "{statuses:?}");
    assert_eq!(listed(&world).await.len(), 10);

    let request = world.grant("eleventh@example.org", &["profile"]);
    let response = ask(&world, GRANT, request).await;
    assert_eq!(response.status, 409);
    assert_eq!(body(&response)["type"], "/problems/too-many-proxies");
    // Nobody was invited in vain.
    let users = world.stack.users("email = \"eleventh@example.org\"").await;
    assert!(users.is_empty());
    // One who is there already may be granted something else, and a place may be made.
    let (_, grant) = world.granted("proxy3@example.org", &["messages"]).await;
    let own = world.by_patient().patient(world.patient);
    assert_eq!(revoke(&world, own, grant).await, 200);
    world.granted("eleventh@example.org", &["profile"]).await;
}

/// Who let the first password run out gets another with the next grant.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_who_never_signed_in_is_invited_again() {
    let world = World::new().await;
    let email = "waiting@example.org";
    let invitations = async || {
        let function = Function::new(&world.stack, GRANT);
        let response = function.respond(world.grant(email, &["profile"])).await;
        assert_eq!(response.status, 201, "{}", body(&response));
        let calls = function.recorder.calls().into_iter();
        let calls = calls.filter(|call| call.actions == ["cognito-idp:AdminCreateUser"]);
        calls
            .map(|call| call.body.contains("RESEND"))
            .collect::<Vec<_>>()
    };
    assert_eq!(invitations().await, [false]);
    assert_eq!(invitations().await, [true]);
    let grants = rows(&world, "sk", "CONTEXT#PROXY#").await;
    assert_eq!(grants.len(), 1);
    let grant = grants[0]["grant"].as_str().unwrap();
    let (_, account) = world.stack.proxy_row(grant).await;
    // Once they have chosen a password there is nothing to send.
    let password = json!({
        "UserPoolId": world.stack.names[&Resource::UserPool], "Username": account,
        "Password": "Correct-Horse-1-Staple", "Permanent": true,
    });
    world.stack.cognito("AdminSetUserPassword", &password).await;
    assert!(invitations().await.is_empty());
}

/// An invitation is mail to whomever the patient names: there is an end to it. Whether somebody would
/// get any is not told.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_people_in_half_a_day() {
    let world = World::new().await;
    let known = "known@example.org";
    world
        .stack
        .account_at(known, Role::Patient, Whose::Nobody)
        .await;
    // At once, which makes conflicts of most of them; each counts all the same.
    let mut grants = JoinSet::new();
    for number in 0..24 {
        let function = Function::new(&world.stack, GRANT);
        let request = world.grant(&format!("proxy{number}@example.org"), &["profile"]);
        grants.spawn(async move { function.respond(request).await.status });
    }
    let statuses = grants.join_all().await;
    let waiting = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!(waiting, 4, "{statuses:?}");
    let users = world.stack.users("email ^= \"proxy\"").await;
    assert_eq!(users.len(), 20);
    for email in ["proxy20@example.org", known] {
        let response = ask(&world, GRANT, world.grant(email, &["profile"])).await;
        assert!([409, 429].contains(&response.status.as_u16()), "{email}");
    }
}

/// An address that somebody merely named at activation is nobody's until they show that they read
/// mail there: what is granted to its owner must not go to them.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_nobody_verified_is_nobodys() {
    let world = World::new().await;
    let email = "claimed@example.org";
    let account = world
        .stack
        .account_at(email, Role::Patient, Whose::Nobody)
        .await;
    let verified = |value: &str| {
        json!({
            "UserPoolId": world.stack.names[&Resource::UserPool],
            "Username": account.to_string(),
            "UserAttributes": [{"Name": "email_verified", "Value": value}],
        })
    };
    let change = "AdminUpdateUserAttributes";
    world.stack.cognito(change, &verified("false")).await;
    let response = ask(&world, GRANT, world.grant(email, &["profile"])).await;
    assert_eq!(response.status, 409);
    assert_eq!(body(&response)["type"], "/problems/address-not-usable");
    world.stack.cognito(change, &verified("true")).await;
    world.granted(email, &["profile"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_grants_to_one_person_at_once_are_one() {
    let world = World::new().await;
    let email = "proxy@example.org";
    for again in [false, true] {
        let (one, other) = tokio::join!(
            ask(&world, GRANT, world.grant(email, &["profile"])),
            ask(&world, GRANT, world.grant(email, &["lab-results"])),
        );
        let statuses = BTreeSet::from([one.status.as_u16(), other.status.as_u16()]);
        assert!(statuses.contains(&201), "{statuses:?}");
        // One after the other they both succeed, and the second replaces.
        assert!(
            statuses.is_subset(&[201, 409, 412].into()),
            "{again}: {statuses:?}"
        );
        assert_eq!(listed(&world).await.len(), 1);
        assert_eq!(rows(&world, "pk", "PROXY-OF#").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_neither_grants_nor_sees_other_proxies() {
    let world = World::new().await;
    let all = [
        "profile",
        "lab-results",
        "prescriptions",
        "health-record",
        "documents",
        "appointments",
        "messages",
    ];
    let (account, _) = world.granted("proxy@example.org", &all).await;
    let mut grant = world.grant("friend@example.org", &["profile"]);
    grant.claims = signed_in(account, Role::Patient).claims;
    assert_eq!(ask(&world, GRANT, grant).await.status, 404);
    let response = ask(&world, "list-proxies", by(account, world.patient)).await;
    assert_eq!(response.status, 404);
    assert_eq!(
        last_record(&world, "list-proxies").await["outcome"],
        "denied"
    );
    assert_eq!(listed(&world).await.len(), 1);
}

/// The names of people who act for a patient open in the patient's row alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_moved_does_not_open() {
    let world = World::new().await;
    let (_, grant) = world.granted("proxy@example.org", &["profile"]).await;
    let (mut row, account) = world.stack.proxy_row(&grant.to_string()).await;
    let other = AccountId::new(Uuid::new_v4());
    let sk = row["sk"]["S"].as_str().unwrap();
    row["sk"]["S"] = sk.replace(&account.to_string(), &other.to_string()).into();
    world.stack.put(Resource::PatientsTable, row).await;
    let request = world.by_patient().patient(world.patient);
    assert_eq!(ask(&world, "list-proxies", request).await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_proxy_acts_for_several_patients() {
    let world = World::new().await;
    let email = "proxy@example.org";
    let (account, _) = world.granted(email, &["profile"]).await;
    let mut names = BTreeSet::new();
    for sample in ["Noel_Reynolds", "Hassan_Jacobi"] {
        let patient = world.stack.sample(sample).await;
        let own = world
            .stack
            .account(Role::Patient, Whose::Patient(patient))
            .await;
        let mut request = world.grant(email, &["lab-results"]);
        request.path.clear();
        request.claims = signed_in(own, Role::Patient).claims;
        let response = ask(&world, GRANT, request.patient(patient)).await;
        assert_eq!(response.status, 201, "{}", body(&response));
        let profile = body(&ask(&world, "get-profile", by(own, patient)).await);
        names.insert(profile["name"].as_str().unwrap().to_owned());
    }
    let list = Function::new(&world.stack, "list-proxied-patients");
    let mut cursor: Option<String> = None;
    let mut found = Vec::new();
    loop {
        let mut request = signed_in(account, Role::Patient).query("limit", "2");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let answer = body(&list.respond(request).await);
        found.extend(answer["patients"].as_array().unwrap().clone());
        cursor = answer["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 3);
    let found: BTreeSet<_> = found
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(names.iter().all(|name| found.contains(name.as_str())));
    // The rows of all at once: it takes no longer than for one.
    for limit in ["1", "3"] {
        let request = signed_in(account, Role::Patient).query("limit", limit);
        assert_eq!(shortest(&list, &request).await, 4);
    }
    // Nobody else's list has them.
    assert!(patients_of(&world, world.account).await.is_empty());
}

/// The longest chain of calls of a request. Where one of those beside each other is late, what comes after
/// it counts as if it had waited for the others, too: the shortest of some tries is what it is.
async fn shortest(function: &Function, request: &Request) -> usize {
    let mut shortest = usize::MAX;
    for _ in 0..5 {
        function.recorder.reset();
        let response = function.respond(request.again()).await;
        assert_eq!(response.status, 200, "{}", body(&response));
        shortest = shortest.min(function.recorder.depth());
    }
    shortest
}

/// A patient whose birthday is today in the east, and in the west not before tomorrow: there they
/// are still as old as they were.
async fn born(years: i16) -> World {
    let stack = Stack::new().await;
    let today = Practice::new(EAST, 13, 18).unwrap().today(Timestamp::now());
    let born = today.saturating_sub(i64::from(years).years());
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "id": "minor", "birthDate": born.to_string(),
            "name": [{"family": "Minor", "given": ["A"]}],
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:clinic", "value": "m-1"}]}},
        {"resource": {"resourceType": "Practitioner", "id": "doctor", "name": [{"family": "Grey"}],
            "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]}},
        {"resource": {"resourceType": "Encounter", "id": "visit", "status": "finished",
            "subject": {"reference": "Patient/minor"}, "period": {"start": Timestamp::now().to_string()},
            "participant": [{"individual": {"reference": "Practitioner/doctor"}}]}},
    ]});
    let report = stack
        .import("minor.json", serde_json::to_vec(&bundle).unwrap())
        .await;
    assert_eq!(report["state"], "complete", "{report}");
    let patient = stack.patients().await.remove(0);
    World::around(stack, patient).await
}

/// A grant of the practice's to a parent.
fn parental(world: &World, email: &str) -> Request {
    let mut request = world.grant(email, &["profile", "lab-results", "prescriptions"]);
    request.claims = signed_in(world.provider, Role::Provider).claims;
    let mut grant: Value = serde_json::from_slice(&request.body).unwrap();
    grant["relationship"] = "parent".into();
    grant.as_object_mut().unwrap().remove("until");
    request.json(&grant)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parents_access_ends_at_midnight_of_the_practices_birthday() {
    let world = born(13).await;
    let request = parental(&world, "parent@example.org");
    let response = ask_in(&world, WEST, GRANT, request).await;
    let answer = body(&response);
    assert_eq!(response.status, 201, "{answer}");
    assert_eq!(
        (&answer["basis"], &answer["state"]),
        (&json!("parental"), &json!("active"))
    );
    assert!(answer["until"].is_null());
    let record = last_record(&world, GRANT).await;
    assert_eq!(
        (&record["via"], &record["role"]),
        (&json!("care-team"), &json!("provider"))
    );

    // The same sign-in before and after midnight.
    let grant: ProxyId = answer["id"].as_str().unwrap().parse().unwrap();
    let (_, parent) = world.stack.proxy_row(&grant.to_string()).await;
    let reads = ["get-profile", "list-lab-results", "get-dashboard"];
    let own = || world.by_patient().patient(world.patient);
    for (zone, status, listed, state) in [(WEST, 200, 1, "active"), (EAST, 404, 0, "expired")] {
        for id in reads {
            let response = ask_in(&world, zone, id, by(parent, world.patient)).await;
            assert_eq!(response.status, status, "{id} in {zone}");
        }
        let request = signed_in(parent, Role::Patient);
        let patients = body(&ask_in(&world, zone, "list-proxied-patients", request).await);
        assert_eq!(
            patients["patients"].as_array().unwrap().len(),
            listed,
            "{zone}"
        );
        let proxies = body(&ask_in(&world, zone, "list-proxies", own()).await);
        let in_effect = proxies["proxies"][0]["in_effect"].as_array().unwrap();
        assert_eq!(proxies["proxies"][0]["state"], state, "{zone}");
        assert_eq!(in_effect.len(), 3 * listed, "{zone}");
    }
    let record = last_record(&world, "get-profile").await;
    assert_eq!(record["outcome"], "denied");

    // While the patient is a child, the grant is the practice's to end, and not the child's.
    let response = ask_in(&world, WEST, "revoke-proxy", own().proxy(grant)).await;
    assert_eq!(response.status, 409);
    assert_eq!(body(&response)["type"], "/problems/granted-by-another");
    let replacing = world.grant("parent@example.org", &["messages"]);
    assert_eq!(ask_in(&world, WEST, GRANT, replacing).await.status, 409);
    let by_provider = signed_in(world.provider, Role::Provider).patient(world.patient);
    let response = ask_in(&world, WEST, "revoke-proxy", by_provider.proxy(grant)).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    let response = ask_in(&world, WEST, "get-profile", by(parent, world.patient)).await;
    assert_eq!(response.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adolescent_says_who_acts_for_them() {
    let world = born(13).await;
    let request = parental(&world, "parent@example.org");
    let response = ask_in(&world, EAST, GRANT, request).await;
    let answer = body(&response);
    // A parent to whom the appointments were not granted is known, and sees nothing.
    assert_eq!(response.status, 201, "{answer}");
    assert_eq!(
        (&answer["state"], &answer["in_effect"]),
        (&json!("expired"), &json!([]))
    );
    let replacing = world.grant("parent@example.org", &["profile"]);
    let response = ask_in(&world, EAST, GRANT, replacing).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let id = body(&response)["id"].as_str().unwrap().to_owned();
    let (_, parent) = world.stack.proxy_row(&id).await;
    let seen = ask_in(&world, EAST, "get-profile", by(parent, world.patient)).await;
    assert_eq!(seen.status, 200);
    // What the patient granted is not the practice's to take or to replace; it sees it.
    let by_provider = || signed_in(world.provider, Role::Provider).patient(world.patient);
    let proxies = body(&ask_in(&world, EAST, "list-proxies", by_provider()).await);
    assert_eq!(proxies["proxies"][0]["id"], id);
    let request = by_provider().proxy(id.parse().unwrap());
    let response = ask_in(&world, EAST, "revoke-proxy", request).await;
    assert_eq!(body(&response)["type"], "/problems/granted-by-another");
    let request = parental(&world, "parent@example.org");
    assert_eq!(ask_in(&world, EAST, GRANT, request).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_practice_grants_for_minors_alone() {
    let world = born(18).await;
    for (zone, status) in [(WEST, 201), (EAST, 409)] {
        let request = parental(&world, "parent@example.org");
        let response = ask_in(&world, zone, GRANT, request).await;
        assert_eq!(response.status, status, "{zone}: {}", body(&response));
    }
    assert_eq!(last_record(&world, GRANT).await["reason"], "not-a-minor");
    // A parent's grant has no end but the patient's age, and a patient's has one.
    let mut until = parental(&world, "other@example.org");
    let mut grant: Value = serde_json::from_slice(&until.body).unwrap();
    grant["until"] = json!("2030-01-01");
    until = until.json(&grant);
    let response = ask_in(&world, WEST, GRANT, until).await;
    assert_eq!(response.status, 400);
    assert_eq!(body(&response)["errors"][0]["pointer"], "/until");
    // An adult may put their parent's grant in order.
    let row = rows(&world, "sk", "CONTEXT#PROXY#").await.remove(0);
    let grant: ProxyId = row["grant"].as_str().unwrap().parse().unwrap();
    let own = world.by_patient().patient(world.patient);
    let response = ask_in(&world, EAST, "revoke-proxy", own.proxy(grant)).await;
    assert_eq!(response.status, 200);
}
