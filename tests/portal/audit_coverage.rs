//! Every operation leaves exactly one audit record, whether it is allowed, denied or fails, and
//! discloses nothing when the record cannot be written.

use crate::access_matrix::permits;
use crate::attempts;
use crate::harness::Whose;
use crate::harness::function::{Function, trigger};
use crate::harness::recorder::{Call, Recorder};
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{World, call, http_specs, is_about_a_patient, specs, token_specs};
use serde_json::{Value, json};
use shared::access::{Claims, Role};
use shared::aws::Resource;
use shared::ids::{AccountId, PatientId, PractitionerId};
use std::collections::HashSet;
use uuid::Uuid;

#[test]
fn every_operation_has_a_service_and_the_other_way_round() {
    let mut declared: Vec<_> = specs().iter().map(|spec| spec.id).collect();
    let mut served: Vec<_> = bootstrap::SERVICES.iter().map(|(id, _)| *id).collect();
    declared.sort_unstable();
    served.sort_unstable();
    assert_eq!(declared, served);
}

#[tokio::test]
async fn allowed() {
    let world = World::new().await;
    for spec in token_specs() {
        world.stack.forget_audit().await;
        let request = world.allowed(spec).await;
        let before = world.stack.audit().await;
        let caller = request.claims.clone().unwrap();
        let response = call(&world.stack.aws(&Recorder::default()), spec, request).await;
        assert!(
            response.status.is_success(),
            "{}: {}",
            spec.id,
            body(&response)
        );
        let records = new_records(&before, &world.stack.audit().await, spec.id);
        for record in &records {
            assert_eq!(record["outcome"], "success", "{}", spec.id);
            assert_eq!(record["action"], spec.audit);
            assert_eq!(record["actor"], caller.account.to_string());
            assert_eq!(record["role"], role(&caller).as_str());
            assert!(record["via"].is_string());
            assert_eq!(record["source_ip"], "198.51.100.7");
        }
        let with_patient = |record: &&Value| {
            record["patient"] == world.patient.to_string()
                && record["pk"] == format!("PATIENT#{}", world.patient)
        };
        let with_patient = records.iter().filter(with_patient).count();
        if is_about_a_patient(spec) {
            assert_eq!((records.len(), with_patient), (1, 1), "{}", spec.id);
        } else if LISTS_OF_PATIENTS.contains(&spec.id) {
            assert_eq!((records.len(), with_patient), (2, 1), "{}", spec.id);
        } else {
            assert_eq!(records.len(), 1, "{}", spec.id);
        }
    }
}

/// The work lists that leave a record with every patient whom they show, besides their own.
pub const LISTS_OF_PATIENTS: [&str; 4] = [
    "list-open-refills",
    "list-open-amendments",
    "list-schedule",
    "list-waiting-patients",
];

fn role(claims: &Claims) -> Role {
    let mut roles = Role::ALL.into_iter();
    roles
        .find(|role| claims.groups.iter().any(|group| group == role.group()))
        .unwrap()
}

/// What is for other roles than the caller's.
#[tokio::test]
async fn denied_to_other_roles() {
    let world = World::new().await;
    let everybody = [
        (world.account, Role::Patient),
        (world.provider, Role::Provider),
        (world.admin, Role::Admin),
        (world.officer, Role::PrivacyOfficer),
    ];
    for spec in token_specs() {
        if is_about_a_patient(spec) {
            continue;
        }
        for (who, role) in everybody {
            if permits(spec, role) {
                continue;
            }
            world.stack.forget_audit().await;
            let mut request = world.allowed(spec).await;
            request.claims = signed_in(who, role).claims;
            let before = world.stack.audit().await;
            let response = call(&world.stack.aws(&Recorder::default()), spec, request).await;
            assert_eq!(response.status, 403, "{} by {role:?}", spec.id);
            assert_eq!(body(&response)["type"], "/problems/forbidden");
            let record = the_new_record(&before, &world.stack.audit().await, spec.id);
            assert_eq!(record["outcome"], "denied", "{} by {role:?}", spec.id);
            assert_eq!(record["actor"], who.to_string());
        }
    }
}

#[tokio::test]
async fn denied() {
    let world = World::new().await;
    let other = world.stack.sample("Noel_Reynolds").await;
    let stranger = world
        .stack
        .account(
            Role::Provider,
            Whose::Practitioner(PractitionerId::new(Uuid::new_v4())),
        )
        .await;
    let admin = world.stack.account(Role::Admin, Whose::Nobody).await;
    for spec in token_specs()
        .into_iter()
        .filter(|spec| is_about_a_patient(spec))
    {
        let nobody = PatientId::new(Uuid::new_v4());
        for (who, role, whose) in [
            (world.account, Role::Patient, other),
            (world.account, Role::Patient, nobody),
            (stranger, Role::Provider, world.patient),
            (admin, Role::Admin, world.patient),
        ] {
            // In an emergency every provider may.
            if spec.id == "break-glass" && who == stranger {
                continue;
            }
            world.stack.forget_audit().await;
            let mut request = world.allowed(spec).await;
            let before = world.stack.audit().await;
            request.claims = signed_in(who, role).claims;
            request.path.retain(|(name, _)| name != "patient");
            let request = request.patient(whose);
            let response = call(&world.stack.aws(&Recorder::default()), spec, request).await;
            assert_eq!(response.status, 404, "{}", spec.id);
            assert_eq!(body(&response)["type"], "/problems/not-found");
            let record = the_new_record(&before, &world.stack.audit().await, spec.id);
            assert_eq!(record["outcome"], "denied", "{}", spec.id);
            assert_eq!(record["actor"], who.to_string());
            assert_eq!(record["patient"], whose.to_string());
        }
    }
}

#[tokio::test]
async fn failed() {
    let world = World::new().await;
    for spec in token_specs() {
        // Whatever the operation reads or changes is refused; the audit table is not.
        let audit = world.stack.names[&Resource::AuditTable].clone();
        let recorder = Recorder::refusing(move |call| !call.body.contains(&audit));
        world.stack.forget_audit().await;
        let request = world.allowed(spec).await;
        let before = world.stack.audit().await;
        let response = call(&world.stack.aws(&recorder), spec, request).await;
        assert_eq!(response.status, 503, "{}", spec.id);
        let record = the_new_record(&before, &world.stack.audit().await, spec.id);
        assert_eq!(record["outcome"], "failure", "{}", spec.id);
    }
}

#[tokio::test]
async fn no_record_no_disclosure() {
    let world = World::new().await;
    for spec in http_specs() {
        let audit = world.stack.names[&Resource::AuditTable].clone();
        let recorder = Recorder::refusing(move |call| call.body.contains(&audit));
        world.stack.forget_audit().await;
        let request = world.allowed(spec).await;
        let before = world.stack.audit().await.len();
        let patients = world.stack.items(Resource::PatientsTable).await;
        let schedule = world.stack.items(Resource::ScheduleTable).await;
        let accounts = accounts_but_counters(&world).await;
        let response = call(&world.stack.aws(&recorder), spec, request).await;
        if spec.id == "activate-account" {
            assert!(
                response.status == 400 || response.status == 503,
                "{}",
                response.status
            );
        } else {
            assert_eq!(response.status, 503, "{}", spec.id);
        }
        let text = String::from_utf8(response.body).unwrap();
        assert!(!text.contains("Wiegand"), "{}", spec.id);
        assert_eq!(world.stack.audit().await.len(), before);
        let id = spec.id;
        assert_eq!(
            world.stack.items(Resource::PatientsTable).await,
            patients,
            "{id}"
        );
        assert_eq!(
            world.stack.items(Resource::ScheduleTable).await,
            schedule,
            "{id}"
        );
        assert_eq!(accounts_but_counters(&world).await, accounts, "{id}");
    }
}

/// A request counts before anything else is done, and also when nothing else is.
async fn accounts_but_counters(world: &World) -> Vec<Value> {
    let mut accounts = world.stack.items(Resource::AccountsTable).await;
    accounts.retain(|row| !row["pk"].as_str().unwrap().starts_with("RATE#"));
    for row in &mut accounts {
        if row["pk"].as_str().unwrap().starts_with("EMAIL-CHANGE#") {
            row.as_object_mut().unwrap().remove("attempts");
        }
    }
    accounts
}

/// The log said that the record was disclosed when the key could not be unwrapped: a second record
/// says that it was not.
#[tokio::test]
async fn a_key_that_fails_after_the_record() {
    let world = World::new().await;
    let spec = specs()
        .into_iter()
        .find(|spec| spec.id == "get-profile")
        .unwrap();
    let recorder = Recorder::failing(|call| call.actions == ["kms:Decrypt"]);
    let request = world.allowed(spec).await;
    let before = world.stack.audit().await;
    let response = call(&world.stack.aws(&recorder), spec, request).await;
    assert_eq!(response.status, 503);
    let after = world.stack.audit().await;
    let new: Vec<_> = after
        .iter()
        .filter(|record| !before.contains(record))
        .collect();
    assert_eq!(new.len(), 2);
    assert_eq!(new[0]["request_id"], new[1]["request_id"]);
    let mut outcomes: Vec<_> = new
        .iter()
        .map(|record| record["outcome"].as_str())
        .collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [Some("failure"), Some("success")]);
}

/// The record goes with the change or not at all; if not, one of its own says that it failed.
#[tokio::test]
async fn a_transaction_that_fails() {
    let world = World::new().await;
    let before = world.stack.audit().await;
    let patients = world.stack.items(Resource::PatientsTable).await;
    let recorder = Recorder::failing(|call| call.actions.len() > 1);
    let function = Function::recorded(&world.stack, "update-profile", recorder);
    let spec = specs().into_iter().find(|spec| spec.id == "update-profile");
    let response = function.respond(world.allowed(spec.unwrap()).await).await;
    assert_eq!(response.status, 503);
    let record = the_new_record(&before, &world.stack.audit().await, "update-profile");
    assert_eq!(record["outcome"], "failure");
    assert_eq!(record["patient"], world.patient.to_string());
    assert_eq!(world.stack.items(Resource::PatientsTable).await, patients);
}

/// What Cognito invokes: done, not allowed, failed.
#[tokio::test]
async fn sign_ins() {
    let world = World::new().await;
    let nobody = AccountId::new(Uuid::new_v4());
    for spec in specs() {
        if !["add-token-claims", "record-sign-in"].contains(&spec.id) {
            continue;
        }
        let reading = |call: &Call| call.actions == ["dynamodb:GetItem"];
        for (account, recorder, outcome) in [
            (world.account, Recorder::default(), "success"),
            (nobody, Recorder::default(), "denied"),
            (world.account, Recorder::failing(reading), "failure"),
        ] {
            let before = world.stack.audit().await;
            let function = Function::recorded(&world.stack, spec.id, recorder);
            let answer = function.handle(trigger(spec.id, account)).await;
            assert_eq!(answer.is_ok(), outcome == "success", "{}", spec.id);
            let record = the_new_record(&before, &world.stack.audit().await, spec.id);
            assert_eq!(record["outcome"], outcome, "{}", spec.id);
            assert_eq!(record["action"], spec.audit);
            assert_eq!(record["actor"], account.to_string());
            assert_eq!(record["pk"], format!("ACCOUNT#{account}"));
            assert_eq!(record["via"], "service");
        }
    }
}

/// An attempt is a record as Cognito tells it; the delivery leaves none of its own.
#[tokio::test]
async fn attempts_to_sign_in() {
    let world = World::new().await;
    for (told, outcome, reason) in [
        (json!({"eventResponse": "Pass"}), "success", Value::Null),
        (
            json!({"eventResponse": "InProgress"}),
            "success",
            json!("continued"),
        ),
        (
            json!({"eventResponse": "Fail"}),
            "denied",
            json!("wrong-password"),
        ),
        (
            json!({"eventResponse": "?"}),
            "invalid",
            json!("unreadable"),
        ),
    ] {
        let before = world.stack.audit().await;
        let function = Function::new(&world.stack, attempts::RECORD);
        let line = attempts::attempt(Some(world.account), &told);
        function.handle(attempts::delivered(&[line])).await.unwrap();
        let record = the_new_record(&before, &world.stack.audit().await, attempts::RECORD);
        assert_eq!(
            (&record["outcome"], &record["reason"]),
            (&json!(outcome), &reason)
        );
        assert_eq!(record["action"], "account.attempt");
        let readable = outcome != "invalid";
        let by = readable.then(|| world.account.to_string());
        assert_eq!(record["actor"], json!(by), "{told}");
    }
}

/// The change of a sign-in is committed with its record: if that fails, a record says so.
#[tokio::test]
async fn a_sign_in_that_could_not_be_noted() {
    let world = World::new().await;
    let accounts = world.stack.items(Resource::AccountsTable).await;
    let before = world.stack.audit().await;
    let recorder = Recorder::failing(|call| call.actions.len() > 1);
    let function = Function::recorded(&world.stack, "record-sign-in", recorder);
    let event = trigger("record-sign-in", world.account);
    function.handle(event).await.unwrap_err();
    let record = the_new_record(&before, &world.stack.audit().await, "record-sign-in");
    assert_eq!(record["outcome"], "failure");
    assert_eq!(world.stack.items(Resource::AccountsTable).await, accounts);
}

/// The one record that came in between.
pub fn the_new_record(before: &[Value], after: &[Value], operation: &str) -> Value {
    let mut new = new_records(before, after, operation);
    assert_eq!(new.len(), 1, "{operation}: {new:#?}");
    new.remove(0)
}

/// Those that came in between, all of them the operation's.
fn new_records(before: &[Value], after: &[Value], operation: &str) -> Vec<Value> {
    let before: HashSet<_> = before.iter().collect();
    let new = after.iter().filter(|record| !before.contains(record));
    let new: Vec<_> = new.cloned().collect();
    for record in &new {
        assert_eq!(record["operation"], operation);
    }
    new
}
