//! Broken glass: who gets in, for how long, what it leaves behind, and what the privacy officer does
//! about it.

use crate::audit_coverage::the_new_record;
use crate::harness::Whose;
use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{EXPLANATION, NOTE, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::{Claims, Role};
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId};
use uuid::Uuid;

/// A provider with a token, who goes on with it.
struct Stranger<'a> {
    world: &'a World,
    claims: Claims,
}

impl<'a> Stranger<'a> {
    async fn new(world: &'a World) -> Self {
        let claims = world.by_stranger().await.claims.unwrap();
        Self { world, claims }
    }

    fn account(&self) -> AccountId {
        self.claims.account
    }

    fn request(&self) -> Request {
        let mut request = signed_in(self.account(), Role::Provider).patient(self.world.patient);
        request.claims = Some(self.claims.clone());
        request
    }

    fn emergency(&self) -> Request {
        self.request().json(&why())
    }

    async fn breaks(&self) -> Response {
        send(self.world, "break-glass", self.emergency()).await
    }

    /// The statuses of reading the profile and the laboratory results.
    async fn reads(&self) -> [u16; 2] {
        let profile = send(self.world, "get-profile", self.request()).await;
        let labs = send(self.world, "list-lab-results", self.request()).await;
        [profile.status.as_u16(), labs.status.as_u16()]
    }

    /// Lets the access end at a moment.
    async fn until(&self, at: Timestamp) {
        let rows = self.world.stack.scan(Resource::PatientsTable).await;
        let sk = format!("CONTEXT#BREAK-GLASS#{}", self.account());
        let mut row = rows.into_iter().find(|row| row["sk"]["S"] == *sk).unwrap();
        row["until"]["S"] = at.to_string().into();
        self.world.stack.put(Resource::PatientsTable, row).await;
    }
}

fn why() -> Value {
    json!({"reason": "covering-colleague", "explanation": EXPLANATION})
}

async fn send(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

async fn rows(world: &World) -> Vec<Value> {
    let mut rows = world.stack.items(Resource::PatientsTable).await;
    rows.sort_by_key(Value::to_string);
    rows
}

async fn list(world: &World, state: &str) -> Vec<Value> {
    let request = world.by_officer().query("state", state);
    let response = send(world, "list-access-concerns", request).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    body(&response)["concerns"].as_array().unwrap().clone()
}

async fn review(world: &World, concern: &str, verdict: &str) -> Response {
    let request = world.by_officer().concern(concern);
    let request = request.json(&json!({"verdict": verdict, "note": NOTE}));
    send(world, "review-break-glass", request).await
}

fn kind(response: &Response) -> String {
    let problem = body(response);
    format!(
        "{} {}",
        response.status.as_u16(),
        problem["type"].as_str().unwrap()
    )
}

fn id(concern: &Value) -> &str {
    concern["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_and_not_a_second_longer() {
    let world = World::new().await;
    let stranger = Stranger::new(&world).await;
    assert_eq!(stranger.reads().await, [404, 404]);

    let before = world.stack.audit().await;
    let began = Timestamp::now();
    let response = stranger.breaks().await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let broken = body(&response);
    let until: Timestamp = broken["until"].as_str().unwrap().parse().unwrap();
    assert!(until <= Timestamp::now() + SignedDuration::from_hours(1));
    assert!(until > began + SignedDuration::from_mins(59));
    let record = the_new_record(&before, &world.stack.audit().await, "break-glass");
    assert_eq!(record["outcome"], "success");
    assert_eq!(record["patient"], world.patient.to_string());
    assert_eq!(record["purpose"], "BTG");
    assert_eq!(record["emergency"], "covering-colleague");
    assert_eq!(record["grant"], broken["grant"]);

    let before = world.stack.audit().await;
    assert_eq!(stranger.reads().await, [200, 200]);
    let after = world.stack.audit().await;
    let used: Vec<_> = after.iter().filter(|one| !before.contains(one)).collect();
    assert_eq!(used.len(), 2);
    for record in used {
        assert_eq!(record["outcome"], "success");
        assert_eq!(record["via"], "break-glass");
        assert_eq!(record["purpose"], "BTG");
        assert_eq!(record["grant"], broken["grant"]);
        assert_eq!(record["actor"], stranger.account().to_string());
    }
    // It says until when, wherever they look; and nothing of it to who treats the patient.
    let summary = send(&world, "get-patient-summary", stranger.request()).await;
    assert_eq!(body(&summary)["emergency_until"], broken["until"]);
    let treating = world.by_provider().patient(world.patient);
    let summary = send(&world, "get-patient-summary", treating).await;
    assert_eq!(summary.status, 200, "{}", body(&summary));
    assert!(body(&summary)["emergency_until"].is_null());
    // What a provider on the care team may not do either, nobody may in an emergency.
    let dashboard = send(&world, "get-dashboard", stranger.request()).await;
    assert_eq!(dashboard.status, 404);
    // It is this patient's record, and nobody else's.
    let other = world.stack.sample("Noel_Reynolds").await;
    let mut request = stranger.request();
    request.path.clear();
    let response = send(&world, "get-profile", request.patient(other)).await;
    assert_eq!(response.status, 404);
    // And this provider's.
    assert_eq!(Stranger::new(&world).await.reads().await, [404, 404]);

    stranger.until(Timestamp::now()).await;
    let before = world.stack.audit().await;
    assert_eq!(stranger.reads().await, [404, 404]);
    let denied = world.stack.audit().await.into_iter();
    let denied: Vec<_> = denied.filter(|one| !before.contains(one)).collect();
    assert!(denied.iter().all(|record| record["outcome"] == "denied"));
    assert!(denied.iter().all(|record| record["grant"].is_null()));

    // Whoever still needs it says so again: that is another grant.
    let before = world.stack.audit().await;
    let again = stranger.breaks().await;
    assert_eq!(again.status, 201, "{}", body(&again));
    let again = body(&again);
    assert_ne!(again["grant"], broken["grant"]);
    let record = the_new_record(&before, &world.stack.audit().await, "break-glass");
    assert_eq!(record["grant"], again["grant"]);
    assert_eq!(stranger.reads().await, [200, 200]);
    let history = rows(&world).await.into_iter();
    let history: Vec<_> = history
        .filter(|row| {
            row["sk"]
                .as_str()
                .unwrap()
                .starts_with("HISTORY#BREAK-GLASS#")
        })
        .collect();
    assert_eq!(history.len(), 2);
    for row in history {
        assert_eq!(row["pk"], format!("PATIENT#{}", world.patient));
        assert_eq!(row["actor"], stranger.account().to_string());
        assert_eq!(row["reason"], "covering-colleague");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_a_recent_sign_in() {
    let world = World::new().await;
    let mut stranger = Stranger::new(&world).await;
    let now = Timestamp::now().as_second();
    stranger.claims.auth_time = now - 15 * 60 - 1;
    let before = world.stack.audit().await;
    let patients = rows(&world).await;
    let response = stranger.breaks().await;
    assert_eq!(kind(&response), "403 /problems/sign-in-again");
    let record = the_new_record(&before, &world.stack.audit().await, "break-glass");
    assert_eq!(record["outcome"], "denied");
    assert_eq!(record["reason"], "sign-in-again");
    assert_eq!(record["patient"], world.patient.to_string());
    assert!(record["grant"].is_null());
    assert_eq!(rows(&world).await, patients);
    // A quarter of an hour, and what the test needs.
    stranger.claims.auth_time = now - 15 * 60 + 30;
    assert_eq!(stranger.breaks().await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not() {
    let world = World::new().await;
    let patients = rows(&world).await;
    let treating = signed_in(world.provider, Role::Provider).since(0);
    let treating = treating.patient(world.patient).json(&why());
    let response = send(&world, "break-glass", treating).await;
    assert_eq!(kind(&response), "409 /problems/already-permitted");

    // Whom the practice does not know as a practitioner, nobody could be asked about.
    let nameless = world.stack.account(Role::Provider, Whose::Nobody).await;
    let admin = (world.admin, Role::Admin);
    let officer = (world.officer, Role::PrivacyOfficer);
    let representative = world.stack.account(Role::Patient, Whose::Nobody).await;
    for (who, role) in [
        (nameless, Role::Provider),
        admin,
        officer,
        (representative, Role::Patient),
        (world.account, Role::Patient),
    ] {
        let request = signed_in(who, role).since(0).patient(world.patient);
        let response = send(&world, "break-glass", request.json(&why())).await;
        assert_eq!(response.status, 404, "{role:?}");
    }
    let stranger = Stranger::new(&world).await;
    let mut nobody = stranger.emergency();
    nobody.path.clear();
    let nobody = nobody.patient(PatientId::new(Uuid::new_v4()));
    assert_eq!(send(&world, "break-glass", nobody).await.status, 404);
    assert_eq!(rows(&world).await, patients);

    // Disabled, an account is out of what it broke into as well.
    assert_eq!(stranger.breaks().await.status, 201);
    assert_eq!(stranger.reads().await, [200, 200]);
    let key = format!("ACCOUNT#{}", stranger.account());
    let accounts = world.stack.scan(Resource::AccountsTable).await;
    let mut row = accounts
        .into_iter()
        .find(|row| row["pk"]["S"] == *key)
        .unwrap();
    row["status"]["S"] = "disabled".into();
    world.stack.put(Resource::AccountsTable, row).await;
    assert_eq!(stranger.reads().await, [401, 401]);
    assert_eq!(stranger.breaks().await.status, 401);
}

/// Who left the care team has glass to break.
#[tokio::test(flavor = "multi_thread")]
async fn a_former_member_of_the_care_team_may() {
    let world = World::new().await;
    let accounts = world.stack.items(Resource::AccountsTable).await;
    let key = format!("ACCOUNT#{}", world.provider);
    let provider = accounts.iter().find(|row| row["pk"] == *key).unwrap();
    let member = format!(
        "CONTEXT#CARE-TEAM#{}",
        provider["practitioner"].as_str().unwrap()
    );
    let members = world.stack.scan(Resource::PatientsTable).await;
    let mut row = members
        .into_iter()
        .find(|row| row["sk"]["S"] == *member)
        .unwrap();
    row["until"] = json!({"S": Timestamp::now().to_string()});
    world.stack.put(Resource::PatientsTable, row.clone()).await;
    let former = || {
        signed_in(world.provider, Role::Provider)
            .since(0)
            .patient(world.patient)
    };
    assert_eq!(send(&world, "get-profile", former()).await.status, 404);
    let response = send(&world, "break-glass", former().json(&why())).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    assert_eq!(send(&world, "get-profile", former()).await.status, 200);
    // Back on the care team within the hour, they still are who broke the glass.
    row.as_object_mut().unwrap().remove("until");
    world.stack.put(Resource::PatientsTable, row).await;
    let before = world.stack.audit().await;
    assert_eq!(send(&world, "get-profile", former()).await.status, 200);
    let record = the_new_record(&before, &world.stack.audit().await, "get-profile");
    assert_eq!(record["via"], "break-glass");
    assert_eq!(record["grant"], body(&response)["grant"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time() {
    let world = World::new().await;
    let stranger = Stranger::new(&world).await;
    let broken = body(&stranger.breaks().await);
    let before = world.stack.audit().await;
    let patients = rows(&world).await;
    let second = stranger.breaks().await;
    assert_eq!(kind(&second), "409 /problems/already-broken");
    let until = broken["until"].as_str().unwrap();
    assert_eq!(body(&second)["until"], until);
    let record = the_new_record(&before, &world.stack.audit().await, "break-glass");
    assert_eq!(record["outcome"], "invalid");
    assert_eq!(record["grant"], broken["grant"]);
    assert_eq!(rows(&world).await, patients);
    // A colleague's is theirs.
    assert_eq!(Stranger::new(&world).await.breaks().await.status, 201);

    // Two at once, where there was none and where there is a former one.
    let other = Stranger::new(&world).await;
    for former in [false, true] {
        if former {
            other.until(Timestamp::now()).await;
        }
        let open = list(&world, "open").await.len();
        let functions = [(); 2].map(|()| Function::new(&world.stack, "break-glass"));
        let answers = tokio::join!(
            functions[0].respond(other.emergency()),
            functions[1].respond(other.emergency()),
        );
        let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        assert_eq!(list(&world, "open").await.len(), open + 1);
        assert_eq!(other.reads().await, [200, 200]);
    }
}
#[tokio::test(flavor = "multi_thread")]
async fn ten_in_an_hour() {
    let world = World::new().await;
    let stranger = Stranger::new(&world).await;
    assert_eq!(stranger.breaks().await.status, 201);
    stranger.until(Timestamp::now()).await;
    let rate = format!("RATE#{}#break-glass#", stranger.account());
    let rows = world.stack.scan(Resource::AccountsTable).await;
    let is_count = |row: &Value| row["pk"]["S"].as_str().unwrap().starts_with(&rate);
    let mut count = rows.into_iter().find(is_count).unwrap();
    assert_eq!(count["taken"]["N"], "1");
    count["taken"]["N"] = "10".into();
    world.stack.put(Resource::AccountsTable, count).await;
    let refused = stranger.breaks().await;
    assert_eq!(kind(&refused), "429 /problems/too-many-requests");
    assert_eq!(stranger.reads().await, [404, 404]);
    // Somebody else still may.
    assert_eq!(Stranger::new(&world).await.breaks().await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_or_nothing() {
    let world = World::new().await;
    let stranger = Stranger::new(&world).await;
    let patients = rows(&world).await;
    let before = world.stack.audit().await;
    let torn = || Recorder::failing(|call| call.actions.len() > 2);
    let function = Function::recorded(&world.stack, "break-glass", torn());
    assert_eq!(function.respond(stranger.emergency()).await.status, 503);
    let record = the_new_record(&before, &world.stack.audit().await, "break-glass");
    assert_eq!(record["outcome"], "failure");
    assert_eq!(rows(&world).await, patients);
    assert_eq!(stranger.reads().await, [404, 404]);

    // The same with its review.
    assert_eq!(stranger.breaks().await.status, 201);
    let concern = list(&world, "open").await.remove(0);
    let patients = rows(&world).await;
    let function = Function::recorded(&world.stack, "review-break-glass", torn());
    let request = world.by_officer().concern(id(&concern));
    let request = request.json(&json!({"verdict": "not-justified", "note": NOTE}));
    assert_eq!(function.respond(request).await.status, 503);
    assert_eq!(rows(&world).await, patients);
    assert_eq!(stranger.reads().await, [200, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_privacy_officer_reviews_it() {
    let world = World::new().await;
    let stranger = Stranger::new(&world).await;
    let broken = body(&stranger.breaks().await);
    let open = list(&world, "open").await;
    assert_eq!(open.len(), 1);
    let concern = id(&open[0]).to_owned();
    assert_eq!(
        open[0],
        json!({
            "id": concern,
            "kind": "break-glass",
            "state": "open",
            "patient": world.patient,
            "actor": stranger.account(),
            "grant": broken["grant"],
            "reason": "covering-colleague",
            "opened_at": open[0]["opened_at"],
        })
    );
    let get = || {
        send(
            &world,
            "get-access-concern",
            world.by_officer().concern(&concern),
        )
    };
    let before = world.stack.audit().await;
    let explained = get().await;
    assert_eq!(body(&explained)["explanation"], EXPLANATION);
    assert!(body(&explained)["note"].is_null());
    let record = the_new_record(&before, &world.stack.audit().await, "get-access-concern");
    assert_eq!(record["pk"], format!("PATIENT#{}", world.patient));
    assert_eq!(record["resource"], concern);
    assert_eq!(record["via"], "privacy-officer");
    assert_eq!(record["purpose"], "HCOMPL");
    // The record itself is not the officer's to read.
    for id in ["get-profile", "list-lab-results", "get-dashboard"] {
        let request = world.by_officer().patient(world.patient);
        assert_eq!(send(&world, id, request).await.status, 404, "{id}");
    }

    let before = world.stack.audit().await;
    let response = review(&world, &concern, "justified").await;
    assert_eq!(response.status, 200, "{}", body(&response));
    let record = the_new_record(&before, &world.stack.audit().await, "review-break-glass");
    assert_eq!(record["pk"], format!("PATIENT#{}", world.patient));
    assert_eq!(record["actor"], world.officer.to_string());
    assert_eq!(record["resource"], concern);
    assert!(!record.to_string().contains("CANARY"));
    // Justified, it lasts its hour.
    assert_eq!(stranger.reads().await, [200, 200]);

    assert!(list(&world, "open").await.is_empty());
    let resolved = list(&world, "resolved").await;
    assert_eq!(resolved, [body(&response)]);
    assert_eq!(resolved[0]["state"], "resolved");
    assert_eq!(resolved[0]["outcome"], "justified");
    assert_eq!(resolved[0]["closed_by"], world.officer.to_string());
    let explained = body(&get().await);
    assert_eq!(explained["explanation"], EXPLANATION);
    assert_eq!(explained["note"], NOTE);

    let patients = rows(&world).await;
    for verdict in ["justified", "not-justified"] {
        let again = review(&world, &concern, verdict).await;
        assert_eq!(kind(&again), "409 /problems/concern-closed");
    }
    assert_eq!(rows(&world).await, patients);
    for id in ["get-access-concern", "review-break-glass"] {
        let body = json!({"verdict": "justified", "note": NOTE});
        let request = world.by_officer().concern(&Uuid::new_v4().to_string());
        assert_eq!(
            send(&world, id, request.json(&body)).await.status,
            404,
            "{id}"
        );
    }
    for row in world.stack.scan(Resource::PatientsTable).await {
        assert!(!row.to_string().contains("CANARY"), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_justified_it_ends_at_once() {
    let world = World::new().await;
    let stranger = Stranger::new(&world).await;
    assert_eq!(stranger.breaks().await.status, 201);
    let colleague = Stranger::new(&world).await;
    assert_eq!(colleague.breaks().await.status, 201);
    let concerns = list(&world, "open").await;
    let concern = concerns
        .iter()
        .find(|one| one["actor"] == stranger.account().to_string())
        .unwrap();
    assert_eq!(stranger.reads().await, [200, 200]);
    let response = review(&world, id(concern), "not-justified").await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(stranger.reads().await, [404, 404]);
    assert_eq!(colleague.reads().await, [200, 200]);

    // A later access is another one: the verdict on the former says nothing about it.
    colleague.until(Timestamp::now()).await;
    let former = concerns.iter().find(|one| id(one) != id(concern)).unwrap();
    assert_eq!(colleague.breaks().await.status, 201);
    let response = review(&world, id(former), "not-justified").await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(colleague.reads().await, [200, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn not_justified_there_is_no_other_for_a_day() {
    let world = World::new().await;
    let stranger = Stranger::new(&world).await;
    assert_eq!(stranger.breaks().await.status, 201);
    let concern = list(&world, "open").await.remove(0);
    let began = Timestamp::now();
    assert_eq!(
        review(&world, id(&concern), "not-justified").await.status,
        200
    );
    let patients = rows(&world).await;
    let before = world.stack.audit().await;
    let barred = stranger.breaks().await;
    assert_eq!(kind(&barred), "403 /problems/barred");
    let record = the_new_record(&before, &world.stack.audit().await, "break-glass");
    assert_eq!(
        (&record["outcome"], &record["reason"]),
        (&json!("denied"), &json!("barred"))
    );
    assert_eq!(rows(&world).await, patients);
    // Whoever it is about, and nobody else.
    let neighbour = world.stack.sample("Noel_Reynolds").await;
    let mut elsewhere = stranger.emergency();
    elsewhere.path.clear();
    let elsewhere = send(&world, "break-glass", elsewhere.patient(neighbour)).await;
    assert_eq!(kind(&elsewhere), "403 /problems/barred");
    assert_eq!(Stranger::new(&world).await.breaks().await.status, 201);

    // A day, and not longer.
    let accounts = world.stack.scan(Resource::AccountsTable).await;
    let key = format!("ACCOUNT#{}", stranger.account());
    let mut accounts = accounts.into_iter();
    let mut row = accounts.find(|row| row["pk"]["S"] == *key).unwrap();
    let until: Timestamp = row["barred_until"]["S"].as_str().unwrap().parse().unwrap();
    assert_eq!(body(&barred)["until"], until.to_string());
    let day = SignedDuration::from_hours(24);
    assert!(until >= began + day && until <= Timestamp::now() + day);
    row["barred_until"]["S"] = Timestamp::now().to_string().into();
    world.stack.put(Resource::AccountsTable, row).await;
    assert_eq!(stranger.breaks().await.status, 201);

    // Or until the privacy officer lets them again.
    let concerns = list(&world, "open").await;
    let mine = |one: &&Value| one["actor"] == stranger.account().to_string();
    let concern = id(concerns.iter().find(mine).unwrap());
    assert_eq!(review(&world, concern, "not-justified").await.status, 200);
    assert_eq!(stranger.breaks().await.status, 403);
    let before = world.stack.audit().await;
    let allow = |id: &str| send(&world, "allow-break-glass", world.by_officer().concern(id));
    let allowed = allow(concern).await;
    assert_eq!(allowed.status, 200, "{}", body(&allowed));
    assert_eq!(body(&allowed)["account"], stranger.account().to_string());
    let record = the_new_record(&before, &world.stack.audit().await, "allow-break-glass");
    assert_eq!(record["resource"], concern);
    assert_eq!(record["patient"], world.patient.to_string());
    // An emergency that nobody judged bars nobody.
    assert_eq!(stranger.breaks().await.status, 201);
    let open = list(&world, "open").await;
    let open = id(open.iter().find(mine).unwrap());
    assert_eq!(kind(&allow(open).await), "409 /problems/nobody-barred");
    let report = world.concern("patient-report").await;
    assert_eq!(kind(&allow(&report).await), "409 /problems/concern-kind");
    assert_eq!(allow(&Uuid::new_v4().to_string()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reviews_at_once_are_one() {
    let world = World::new().await;
    let concern = world.concern("break-glass").await;
    let answers = tokio::join!(
        review(&world, &concern, "justified"),
        review(&world, &concern, "not-justified"),
    );
    let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(list(&world, "resolved").await.len(), 1);
    assert!(list(&world, "open").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_closed_in_its_own_way() {
    let world = World::new().await;
    let resolve = |concern: String, outcome: &'static str| {
        let request = world.by_officer().concern(&concern);
        let request = request.json(&json!({"outcome": outcome, "note": NOTE}));
        send(&world, "resolve-access-concern", request)
    };
    let glass = world.concern("break-glass").await;
    let report = world.concern("patient-report").await;
    let patients = rows(&world).await;
    let wrong = resolve(glass, "no-issue").await;
    assert_eq!(kind(&wrong), "409 /problems/concern-kind");
    let wrong = review(&world, &report, "justified").await;
    assert_eq!(kind(&wrong), "409 /problems/concern-kind");
    assert_eq!(rows(&world).await, patients);

    let response = resolve(report.clone(), "breach-notification").await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(body(&response)["outcome"], "breach-notification");
    let again = resolve(report, "corrected").await;
    assert_eq!(kind(&again), "409 /problems/concern-closed");
    let nowhere = resolve(Uuid::new_v4().to_string(), "sanctioned").await;
    assert_eq!(nowhere.status, 404);
    assert_eq!(list(&world, "open").await.len(), 1);
    assert_eq!(list(&world, "resolved").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concerns_come_in_pages_newest_first() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.insert(0, world.concern("break-glass").await);
    }
    let function = Function::new(&world.stack, "list-access-concerns");
    let mut listed = Vec::new();
    let mut sizes = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = world.by_officer().query("limit", "2");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
            // It is not good for the other list.
            let other = world.by_officer().query("state", "resolved");
            let response = function.respond(other.query("cursor", cursor)).await;
            assert_eq!(response.status, 400);
        }
        let page = body(&function.respond(request).await);
        let concerns = page["concerns"].as_array().unwrap();
        sizes.push(concerns.len());
        listed.extend(concerns.iter().map(|one| id(one).to_owned()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, expected);
    assert_eq!(sizes, [2, 2, 1]);
    // Once there is nothing to do, the list is empty.
    for concern in &expected {
        assert_eq!(review(&world, concern, "justified").await.status, 200);
    }
    assert!(list(&world, "open").await.is_empty());
    let resolved = list(&world, "resolved").await;
    let resolved: Vec<_> = resolved.iter().map(id).collect();
    assert_eq!(resolved, expected);
}
