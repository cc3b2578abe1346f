//! Accounts: activation with the practice's letter, guesses at it, signing out, and what Cognito
//! asks of us while somebody signs in.

use crate::harness::function::{Function, trigger};
use crate::harness::letter::{Letter, activation_row};
use crate::harness::recorder::Recorder;
use crate::harness::request::{SIGNED_IN, With, anonymous, body, signed_in};
use crate::harness::world::{World, call, specs, token_specs};
use crate::harness::{Stack, Whose};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::access::{Claims, Role};
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::AccountId;
use shared::practice::Practice;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use uuid::Uuid;

const ACTIVATE: &str = "activate-account";

async fn activate(world: &World, request: Request) -> Response {
    Function::new(&world.stack, ACTIVATE).respond(request).await
}

/// An activation while Cognito, or a part of it, fails.
async fn activate_without(world: &World, action: &'static str, request: Request) -> Response {
    let recorder = Recorder::failing(move |call| call.actions[0].starts_with(action));
    Function::recorded(&world.stack, ACTIVATE, recorder)
        .respond(request)
        .await
}

fn right(letter: &Letter) -> Request {
    letter.request("ann@example.org", "key-of-the-first-try")
}

/// Letters with one thing wrong each.
fn wrong(letter: &Letter) -> [Letter; 4] {
    let code = |code: &str| Letter {
        code: code.to_owned(),
        ..letter.clone()
    };
    [
        Letter {
            mrn: "no such number".to_owned(),
            ..letter.clone()
        },
        Letter {
            birth_date: "1901-01-01".to_owned(),
            ..letter.clone()
        },
        code("ZZZZZZZZZZZZZZZZ"),
        code("0000000000000000"),
    ]
}

/// The body without what differs from request to request.
fn same(response: &Response) -> (u16, Value) {
    let mut problem = body(response);
    problem.as_object_mut().unwrap().remove("instance");
    (response.status.as_u16(), problem)
}

async fn account_rows(stack: &Stack) -> Vec<Value> {
    let mut rows = stack.items(Resource::AccountsTable).await;
    rows.retain(|row| row["pk"].as_str().unwrap().starts_with("ACCOUNT#"));
    rows
}

/// The accounts of the patient's that activation made.
async fn linked(world: &World) -> Vec<String> {
    let rows = world.stack.items(Resource::PatientsTable).await.into_iter();
    rows.filter(|row| row["pk"].as_str().unwrap().starts_with("ACCOUNT-OF#"))
        .map(|row| row["account"].as_str().unwrap().to_owned())
        .collect()
}

/// The users of the pool that the portal made, which say by what.
async fn pool_users(stack: &Stack) -> Vec<Value> {
    let pool = json!({"UserPoolId": stack.names[&Resource::UserPool]});
    let answer = stack.cognito("ListUsers", &pool).await;
    let mut users = answer["Users"].as_array().unwrap().clone();
    users.retain(|user| {
        let attributes = user["Attributes"].as_array().unwrap();
        attributes
            .iter()
            .any(|attribute| attribute["Name"] == "custom:origin")
    });
    users
}

/// The records of an operation since some were there, oldest first.
async fn new_records(stack: &Stack, before: &[Value], operation: &str) -> Vec<Value> {
    let mut records = stack.records_since(before).await;
    records.retain(|record| record["operation"] == operation);
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_letter_makes_one_account() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let before = world.stack.audit().await;
    let accounts = account_rows(&world.stack).await.len();
    let response = activate(&world, right(&letter)).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let answer = body(&response);
    assert_eq!(answer["username"], "ann@example.org");
    assert!(answer["temporary_password"].as_str().unwrap().len() >= 16);

    let users = pool_users(&world.stack).await;
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["UserStatus"], "FORCE_CHANGE_PASSWORD");
    let account = linked(&world).await.remove(0);
    let row = world.stack.account_row(account.parse().unwrap()).await;
    assert_eq!(row["role"], "patient");
    assert_eq!(row["status"], "active");
    assert_eq!(row["patient"], world.patient.to_string());
    assert_eq!(account_rows(&world.stack).await.len(), accounts + 1);
    let groups = json!({
        "UserPoolId": world.stack.names[&Resource::UserPool],
        "Username": users[0]["Username"],
    });
    let groups = world
        .stack
        .root
        .cognito("AdminListGroupsForUser", &groups)
        .await
        .unwrap();
    let groups = groups.ok().unwrap();
    assert_eq!(groups["Groups"][0]["GroupName"], "patients");

    let records = new_records(&world.stack, &before, ACTIVATE).await;
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["outcome"], "success");
    assert_eq!(records[0]["patient"], world.patient.to_string());
    assert_eq!(records[0]["via"], "activation");
    let row = activation_row(&world).await;
    assert_eq!(
        (&row["account"], &row["attempts"]),
        (&json!(account), &json!("0"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_the_answer_is_the_same() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let before = world.stack.audit().await;
    let mut answers = Vec::new();
    let mut depths = BTreeSet::new();
    for wrong in wrong(&letter) {
        let function = Function::new(&world.stack, ACTIVATE);
        answers.push(same(&function.respond(right(&wrong)).await));
        let calls = function.recorder.calls().into_iter();
        depths.insert(calls.map(|call| call.actions).collect::<Vec<_>>());
    }
    let first = answers[0].clone();
    assert_eq!(first.0, 403);
    assert_eq!(first.1["type"], "/problems/activation-refused");
    assert!(
        answers.iter().all(|answer| *answer == first),
        "{answers:#?}"
    );
    // The same calls, so that time does not tell either.
    assert_eq!(depths.len(), 1, "{depths:#?}");

    let records = new_records(&world.stack, &before, ACTIVATE).await;
    assert_eq!(records.len(), answers.len());
    for record in &records {
        assert_eq!(record["outcome"], "denied");
        assert_eq!(record["reason"], "activation-refused");
    }
    // The wrong number has a counter of its own.
    let rows = world.stack.items(Resource::AccountsTable).await.into_iter();
    let mut attempts: Vec<_> = rows
        .filter_map(|row| row["attempts"].as_str().map(str::to_owned))
        .collect();
    attempts.sort();
    assert_eq!(attempts, ["1", "3"]);
    assert!(pool_users(&world.stack).await.is_empty());
    assert_eq!(activate(&world, right(&letter)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_failures_end_a_code_and_a_new_letter_helps() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let [_, _, wrong, _] = wrong(&letter);
    let mut refusals = Vec::new();
    for _ in 0..5 {
        refusals.push(same(&activate(&world, right(&wrong)).await));
    }
    refusals.push(same(&activate(&world, right(&letter)).await));
    assert!(
        refusals.iter().all(|refusal| *refusal == refusals[0]),
        "{refusals:#?}"
    );
    assert_eq!(refusals[0].0, 403);
    assert!(pool_users(&world.stack).await.is_empty());
    let second = Letter::to_the_patient(&world).await;
    assert_eq!(activate(&world, right(&letter)).await.status, 403);
    assert_eq!(activate(&world, right(&second)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_code_and_a_used_code_are_wrong_codes() {
    let world = World::new().await;
    let now = Timestamp::now().as_second();
    let old = Letter::until(&world, now).await;
    let refused = same(&activate(&world, right(&old)).await);
    assert_eq!(refused.0, 403);
    assert_eq!(activation_row(&world).await["attempts"], "1");

    let letter = Letter::to_the_patient(&world).await;
    assert_eq!(activate(&world, right(&letter)).await.status, 201);
    let again = letter.request("someone-else@example.org", "key-of-another-try");
    assert_eq!(same(&activate(&world, again).await), refused);
    let again = letter.request("ann@example.org", "key-of-another-try");
    assert_eq!(same(&activate(&world, again).await), refused);
    assert_eq!(pool_users(&world.stack).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_not_get_the_answer_asks_again_with_the_same_key() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let first = activate(&world, right(&letter)).await;
    let second = activate(&world, right(&letter)).await;
    assert_eq!(
        (first.status, second.status),
        (201.try_into().unwrap(), 201.try_into().unwrap())
    );
    assert_eq!(body(&first)["username"], body(&second)["username"]);
    assert_eq!(linked(&world).await.len(), 1);
    assert_eq!(pool_users(&world.stack).await.len(), 1);
    // With the key, but for another address: the account is made.
    let request = letter.request("other@example.org", "key-of-the-first-try");
    let response = activate(&world, request).await;
    assert!(!response.status.is_success(), "{}", response.status);
    assert!(!response.status.is_server_error(), "{}", response.status);
    assert_eq!(linked(&world).await.len(), 1);
}

/// Whoever let the first password run out gets another letter, and another password with it.
#[tokio::test(flavor = "multi_thread")]
async fn another_letter_goes_on_with_a_user_who_never_signed_in() {
    let world = World::new().await;
    let first = Letter::to_the_patient(&world).await;
    assert_eq!(activate(&world, right(&first)).await.status, 201);
    let accounts = account_rows(&world.stack).await;
    let second = Letter::to_the_patient(&world).await;
    let again = second.request("ann@example.org", "key-of-another-letter");
    let response = activate(&world, again).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    assert_eq!(account_rows(&world.stack).await, accounts);
    assert_eq!(linked(&world).await.len(), 1);
    let users = pool_users(&world.stack).await;
    assert_eq!(users.len(), 1);

    // Another patient's letter does not, nor one of the patient's once they have chosen a password.
    let patient = world.stack.sample("Noel_Reynolds").await;
    let whose = Whose::Patient(patient);
    let account = world.stack.account(Role::Patient, whose).await;
    let theirs = Letter::of(&world.stack, patient, account).await;
    assert_eq!(activate(&world, right(&theirs)).await.status, 409);
    let password = json!({
        "UserPoolId": world.stack.names[&Resource::UserPool],
        "Username": users[0]["Username"], "Password": "Correct-Horse-1-Staple", "Permanent": true,
    });
    world.stack.cognito("AdminSetUserPassword", &password).await;
    let third = Letter::to_the_patient(&world).await;
    let again = third.request("ann@example.org", "key-of-a-third-letter");
    assert_eq!(activate(&world, again).await.status, 409);
}

/// 45 CFR 164.502(g)(3): until they may consent to something alone, children's parents act for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_gets_no_account() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let of_thirteen = || Practice::new("America/New_York", 13, 18).unwrap();
    let ask = async |id: &str, request: Request| {
        let aws = world.stack.aws_of(&Recorder::default(), of_thirteen());
        let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
        call(&aws, spec, request).await
    };
    let before = world.stack.audit().await;
    let issue = signed_in(world.admin, Role::Admin).json(&json!({"mrn": world.mrn}));
    let grant = world.grant("somebody@example.org", &["profile"]);
    for (id, request) in [
        (ACTIVATE, right(&letter)),
        ("issue-activation", issue),
        ("grant-proxy", grant),
    ] {
        let response = ask(id, request).await;
        assert_eq!(response.status, 409, "{id}: {}", body(&response));
        assert_eq!(body(&response)["type"], "/problems/for-parents", "{id}");
        let records = new_records(&world.stack, &before, id).await;
        assert_eq!(records.len(), 1, "{id}");
        assert_eq!(records[0]["outcome"], "denied", "{id}");
        assert_eq!(records[0]["patient"], world.patient.to_string(), "{id}");
    }
    assert!(pool_users(&world.stack).await.is_empty());
    // Only who proves to be the patient hears of it.
    let [_, born, ..] = wrong(&letter);
    assert_eq!(ask(ACTIVATE, right(&born)).await.status, 403);
    assert_eq!(activate(&world, right(&letter)).await.status, 201);
}

/// Whoever has an account and a good code is told so, and not with which address it was made.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_an_account_is_told_to_sign_in() {
    let world = World::new().await;
    let first = Letter::to_the_patient(&world).await;
    assert_eq!(activate(&world, right(&first)).await.status, 201);
    let second = Letter::to_the_patient(&world).await;
    let accounts = account_rows(&world.stack).await;
    let again = second.request("another@example.org", "key-of-another-letter");
    let response = activate(&world, again).await;
    let answer = body(&response);
    assert_eq!(response.status, 409, "{answer}");
    assert_eq!(answer["type"], "/problems/account-exists");
    assert!(!answer.to_string().contains("ann@"), "{answer}");
    assert_eq!(account_rows(&world.stack).await, accounts);
    // Whoever does not know the code hears nothing of it.
    let [_, _, wrong, _] = wrong(&second);
    let wrong = activate(&world, right(&wrong)).await;
    assert_eq!(wrong.status, 403);
    assert_eq!(body(&wrong)["type"], "/problems/activation-refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_make_one_account() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let accounts = account_rows(&world.stack).await.len();
    let (one, other) = tokio::join!(
        activate(&world, letter.request("ann@example.org", "key-of-one-tab")),
        activate(
            &world,
            letter.request("bob@example.org", "key-of-another-tab")
        ),
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert_eq!(statuses[1], 403, "{statuses:?}");
    assert_eq!(account_rows(&world.stack).await.len(), accounts + 1);
    assert_eq!(linked(&world).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_guesses_at_once_are_at_most_five() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let [_, _, wrong, _] = wrong(&letter);
    let before = world.stack.audit().await;
    let mut guesses = JoinSet::new();
    for _ in 0..20 {
        let function = Function::new(&world.stack, ACTIVATE);
        let request = right(&wrong);
        guesses.spawn(async move { function.respond(request).await.status.as_u16() });
    }
    let statuses = guesses.join_all().await;
    assert!(statuses.iter().all(|status| *status == 403), "{statuses:?}");
    assert_eq!(activation_row(&world).await["attempts"], "5");
    assert_eq!(new_records(&world.stack, &before, ACTIVATE).await.len(), 20);
    assert_eq!(activate(&world, right(&letter)).await.status, 403);
    assert!(pool_users(&world.stack).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_does_not_use_the_code_up() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    // A patient of the same portal, with another letter, was first.
    let patient = world.stack.sample("Noel_Reynolds").await;
    let account = world
        .stack
        .account(Role::Patient, Whose::Patient(patient))
        .await;
    let theirs = Letter::of(&world.stack, patient, account).await;
    assert_eq!(activate(&world, right(&theirs)).await.status, 201);
    let before = world.stack.audit().await;
    let response = activate(&world, letter.request("ann@example.org", "another-key")).await;
    assert_eq!(response.status, 409);
    assert_eq!(body(&response)["type"], "/problems/address-taken");
    let records = new_records(&world.stack, &before, ACTIVATE).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["outcome"], "denied");
    assert_eq!(records[0]["reason"], "address-taken");
    let response = activate(&world, letter.request("bob@example.org", "another-key")).await;
    assert_eq!(response.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_half_made_when_cognito_fails() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    for (at, part) in [
        "cognito-idp:",
        "cognito-idp:AdminCreateUser",
        "cognito-idp:AdminAddUserToGroup",
    ]
    .into_iter()
    .enumerate()
    {
        let before = world.stack.audit().await;
        let accounts = account_rows(&world.stack).await;
        let response = activate_without(&world, part, right(&letter)).await;
        assert_eq!(response.status, 503, "{part}");
        let records = new_records(&world.stack, &before, ACTIVATE).await;
        assert_eq!(records.len(), 1, "{part}");
        assert_eq!(records[0]["outcome"], "failure");
        assert_eq!(account_rows(&world.stack).await, accounts, "{part}");
        assert!(linked(&world).await.is_empty());
        // Only the last of them leaves a user behind, and nobody who could sign in as it.
        assert_eq!(
            pool_users(&world.stack).await.len(),
            usize::from(at == 2),
            "{part}"
        );
    }
    let row = activation_row(&world).await;
    assert!(row["account"].is_null());
    let response = activate(&world, right(&letter)).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    assert_eq!(pool_users(&world.stack).await.len(), 1);
    assert_eq!(linked(&world).await.len(), 1);
}

/// The transaction fails after Cognito has made the user: the next try takes it over.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_an_account_is_adopted() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let before = world.stack.audit().await;
    let recorder = Recorder::failing(|call| call.actions.len() > 1);
    let function = Function::recorded(&world.stack, ACTIVATE, recorder);
    assert_eq!(function.respond(right(&letter)).await.status, 503);
    let records = new_records(&world.stack, &before, ACTIVATE).await;
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["outcome"], "failure");
    let users = pool_users(&world.stack).await;
    assert_eq!(users.len(), 1);
    assert!(linked(&world).await.is_empty());

    // Not by anybody else, whose own letter is right.
    let other = world.stack.sample("Noel_Reynolds").await;
    let account = world
        .stack
        .account(Role::Patient, Whose::Patient(other))
        .await;
    let theirs = Letter::of(&world.stack, other, account).await;
    assert_eq!(activate(&world, right(&theirs)).await.status, 409);
    assert!(linked(&world).await.is_empty());

    let response = activate(&world, right(&letter)).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    assert_eq!(pool_users(&world.stack).await.len(), 1);
    let account = linked(&world).await.remove(0);
    let attributes = users[0]["Attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!({"Name": "sub", "Value": account})));
}

/// A request of an account that signed in at some second.
fn signed_in_at(account: AccountId, second: i64) -> Request {
    let claims = json!({
        "sub": account,
        "token_use": "access",
        "cognito:groups": "patients",
        "auth_time": second,
        "origin_jti": "a session",
    });
    Request {
        claims: Claims::from_authorizer(&claims),
        ..anonymous()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_ends_what_was_and_nothing_else() {
    let world = World::new().await;
    let whose = Whose::Patient(world.patient);
    let account = world.stack.account(Role::Patient, whose).await;
    let get = Function::new(&world.stack, "get-account");
    assert_eq!(
        get.respond(signed_in_at(account, SIGNED_IN)).await.status,
        200
    );
    let out = Function::new(&world.stack, "sign-out-everywhere");
    let response = out.respond(signed_in_at(account, SIGNED_IN)).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    let at: Timestamp = body(&response)["signed_out_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();

    for refused in [SIGNED_IN, at.as_second() - 1, at.as_second()] {
        let before = world.stack.audit().await;
        let response = get.respond(signed_in_at(account, refused)).await;
        assert_eq!(response.status, 401, "{refused}");
        let records = new_records(&world.stack, &before, "get-account").await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["outcome"], "denied");
        assert_eq!(records[0]["actor"], account.to_string());
    }
    let later = signed_in_at(account, at.as_second() + 1);
    assert_eq!(get.respond(later).await.status, 200);
    // Nobody else is signed out.
    let other = signed_in_at(world.account, SIGNED_IN);
    assert_eq!(get.respond(other).await.status, 200);
    // Signing out with a token that is out already does nothing.
    let again = out.respond(signed_in_at(account, SIGNED_IN)).await;
    assert_eq!(again.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_fails_whole() {
    let world = World::new().await;
    let whose = Whose::Patient(world.patient);
    let account = world.stack.account(Role::Patient, whose).await;
    let row = world.stack.account_row(account).await;
    for part in ["cognito-idp:", "dynamodb:UpdateItem"] {
        let recorder = Recorder::failing(move |call| call.actions[0].starts_with(part));
        let out = Function::recorded(&world.stack, "sign-out-everywhere", recorder);
        let before = world.stack.audit().await;
        let response = out.respond(signed_in_at(account, SIGNED_IN)).await;
        assert_eq!(response.status, 503, "{part}");
        let records = new_records(&world.stack, &before, "sign-out-everywhere").await;
        assert_eq!(records.len(), 1, "{part}: {records:#?}");
        assert_eq!(records[0]["outcome"], "failure");
        assert_eq!(world.stack.account_row(account).await, row, "{part}");
    }
}

/// Writes an account row as an administrator would.
async fn set(stack: &Stack, account: AccountId, role: &str, status: &str, patient: Value) {
    let item = json!({
        "pk": {"S": format!("ACCOUNT#{account}")},
        "role": {"S": role},
        "status": {"S": status},
        "patient": {"S": patient},
    });
    stack.put(Resource::AccountsTable, item).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_and_a_changed_role_are_out_at_once() {
    let world = World::new().await;
    for spec in token_specs() {
        let request = world.allowed(spec).await;
        let claims = request.claims.unwrap();
        let key = format!("ACCOUNT#{}", claims.account);
        let mut rows = world.stack.scan(Resource::AccountsTable).await.into_iter();
        let row = rows.find(|row| row["pk"]["S"] == key.as_str()).unwrap();
        let role = row["role"]["S"].as_str().unwrap();
        let others = Role::ALL.into_iter().map(Role::as_str);
        let changes = ["disabled", "suspended"]
            .map(|status| (role, status))
            .into_iter()
            .chain(
                others
                    .filter(|other| *other != role)
                    .map(|other| (other, "active")),
            );
        for (role, status) in changes {
            let mut changed = row.clone();
            changed["role"]["S"] = role.into();
            changed["status"]["S"] = status.into();
            // The request is made as long as whoever makes it may.
            world.stack.put(Resource::AccountsTable, row.clone()).await;
            let mut request = world.allowed(spec).await;
            world.stack.put(Resource::AccountsTable, changed).await;
            world.stack.forget_audit().await;
            let function = Function::new(&world.stack, spec.id);
            let before = world.stack.audit().await;
            request.claims = Some(claims.clone());
            let response = function.respond(request).await;
            assert_eq!(response.status, 401, "{} of {role} {status}", spec.id);
            let records = new_records(&world.stack, &before, spec.id).await;
            assert_eq!(records.len(), 1, "{}", spec.id);
            assert_eq!(records[0]["outcome"], "denied");
            assert_eq!(records[0]["reason"], "unauthenticated");
            assert_eq!(records[0]["actor"], claims.account.to_string());
        }
        world.stack.put(Resource::AccountsTable, row).await;
        let function = Function::new(&world.stack, spec.id);
        let request = world.allowed(spec).await;
        assert!(
            function.respond(request).await.status.is_success(),
            "{}",
            spec.id
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_claims_nobody_is_signed_in() {
    let world = World::new().await;
    for spec in token_specs() {
        let mut request = world.allowed(spec).await;
        request.claims = None;
        let before = world.stack.audit().await;
        let function = Function::new(&world.stack, spec.id);
        assert_eq!(function.respond(request).await.status, 401, "{}", spec.id);
        let records = new_records(&world.stack, &before, spec.id).await;
        assert_eq!(records.len(), 1, "{}", spec.id);
        assert_eq!(records[0]["outcome"], "denied", "{}", spec.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_patients_say_which_patient() {
    let world = World::new().await;
    let function = Function::new(&world.stack, "add-token-claims");
    let event = trigger("add-token-claims", world.account);
    let answer = function.handle(event.clone()).await.unwrap();
    let path =
        "/response/claimsAndScopeOverrideDetails/accessTokenGeneration/claimsToAddOrOverride";
    let claims = json!({"patient_id": world.patient});
    assert_eq!(answer.pointer(path), Some(&claims));
    // Cognito gets back all that it sent.
    assert_eq!(answer["request"], event["request"]);
    // Who is no patient gets a token without.
    let event = trigger("add-token-claims", world.provider);
    let answer = function.handle(event.clone()).await.unwrap();
    assert_eq!(answer, event);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_use_the_account_gets_no_token() {
    let world = World::new().await;
    let disabled = AccountId::new(Uuid::new_v4());
    let patient = json!(world.patient.to_string());
    set(&world.stack, disabled, "patient", "disabled", patient).await;
    let unknown = AccountId::new(Uuid::new_v4());
    for id in ["add-token-claims", "record-sign-in"] {
        let function = Function::new(&world.stack, id);
        for account in [disabled, unknown] {
            let before = world.stack.audit().await;
            let accounts = world.stack.items(Resource::AccountsTable).await;
            function.handle(trigger(id, account)).await.unwrap_err();
            let records = new_records(&world.stack, &before, id).await;
            assert_eq!(records.len(), 1, "{id}");
            assert_eq!(records[0]["outcome"], "denied");
            assert_eq!(records[0]["reason"], "account-not-active");
            assert_eq!(records[0]["actor"], account.to_string());
            assert_eq!(
                world.stack.items(Resource::AccountsTable).await,
                accounts,
                "{id}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_no_token() {
    let world = World::new().await;
    let audit = &world.stack.names[&Resource::AuditTable];
    for id in ["add-token-claims", "record-sign-in"] {
        let accounts = world.stack.items(Resource::AccountsTable).await;
        let before = world.stack.audit().await;
        let audit = audit.clone();
        let recorder = Recorder::failing(move |call| call.resources.contains(&audit));
        let function = Function::recorded(&world.stack, id, recorder);
        function
            .handle(trigger(id, world.account))
            .await
            .unwrap_err();
        assert_eq!(
            world.stack.items(Resource::AccountsTable).await,
            accounts,
            "{id}"
        );
        assert_eq!(world.stack.audit().await, before, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_moves_the_one_before() {
    let world = World::new().await;
    let account = world
        .stack
        .account(Role::Patient, Whose::Patient(world.patient))
        .await;
    let function = Function::new(&world.stack, "record-sign-in");
    let event = trigger("record-sign-in", account);
    assert_eq!(function.handle(event.clone()).await.unwrap(), event);
    let first = world.stack.account_row(account).await;
    assert!(first["last_sign_in"].is_string());
    assert!(first["previous_sign_in"].is_null());
    function.handle(event).await.unwrap();
    let second = world.stack.account_row(account).await;
    assert_eq!(second["previous_sign_in"], first["last_sign_in"]);
    assert!(second["last_sign_in"].as_str() > first["last_sign_in"].as_str());
    let get = Function::new(&world.stack, "get-account");
    let answer = body(&get.respond(signed_in(account, Role::Patient)).await);
    assert_eq!(answer["last_sign_in"], second["last_sign_in"]);
    assert_eq!(answer["previous_sign_in"], second["previous_sign_in"]);
}

/// An event that is none of Cognito's: nobody's token, and a record of the failure.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_nobody_are_refused() {
    let stack = Stack::new().await;
    for id in ["add-token-claims", "record-sign-in"] {
        for event in [
            json!({}),
            json!(null),
            json!([1, 2]),
            json!({"request": {"userAttributes": {"sub": "someone"}}}),
            json!({"request": {"userAttributes": {"sub": 7}}}),
        ] {
            let before = stack.audit().await;
            let function = Function::new(&stack, id);
            function.handle(event).await.unwrap_err();
            assert_eq!(new_records(&stack, &before, id).await.len(), 1, "{id}");
        }
    }
}
