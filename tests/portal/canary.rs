//! Marked PHI goes through every operation, well and badly, and is found in no log line, metric,
//! problem, audit record or plain attribute.

use crate::attempts;
use crate::harness::function::{Function, trigger};
use crate::harness::letter::Letter;
use crate::harness::lines;
use crate::harness::recorder::{Call, Recorder};
use crate::harness::request::{With, anonymous, body, signed_in};
use crate::harness::schedule::free_hour;
use crate::harness::world::{
    World, calendar_at, http_specs, is_about_a_patient, specs, token_specs,
};
use crate::harness::{Stack, Whose};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shared::access::{Role, Unproven};
use shared::api::Spec;
use shared::api::profile::{GetProfile, Profile};
use shared::aws::Resource;
use shared::http::{Problem, Read, Request, Response, reads};
use shared::ids::{AccountId, PatientId};
use shared::phi::Sealed;
use shared::telemetry;
use std::collections::BTreeMap;
use tokio::task::JoinSet;
use uuid::Uuid;

/// What is marked in text begins so, in any case of letters.
const MARK: &str = "canary-";

/// What cannot hold letters: a birth date, numbers, telephone numbers, an SSN.
const ODD: [&str; 6] = [
    "1937-03-29",
    "7351.91357",
    "8462.02468",
    "617 555 8351",
    "617 555 9462",
    "078-05-1120",
];

fn leaks(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains(MARK) || ODD.iter().any(|odd| text.contains(odd))
}

/// A patient whose every field is marked, with one entry of each kind.
fn marked_bundle() -> Vec<u8> {
    let mut number = 0;
    let mut mark = || {
        number += 1;
        format!("CANARY-{number:03}")
    };
    let subject = json!({"reference": "Patient/CANARY-000"});
    let visit = json!({"reference": "Encounter/CANARY-visit"});
    let text = |mark: String| json!({"text": mark});
    let coded = |mark: String| {
        let coding = json!([{"system": "http://loinc.org", "code": mark}]);
        json!({"coding": coding})
    };
    let when = "2024-03-01T09:30:00Z";
    let resources = [
        json!({"resourceType": "Patient", "id": "CANARY-000",
            "name": [{"family": mark(), "given": [mark(), mark()], "prefix": [mark()], "suffix": [mark()]}],
            "birthDate": ODD[0], "gender": "female",
            "identifier": [
                {"type": {"coding": [{"code": "MR"}]}, "system": "urn:clinic", "value": "CANARY-MRN"},
                {"system": "http://hl7.org/fhir/sid/us-ssn", "value": ODD[5]},
                {"type": {"coding": [{"code": "DL"}]}, "system": "urn:licence", "value": mark()},
            ],
            "telecom": [
                {"system": "phone", "value": ODD[3]},
                {"system": "email", "value": format!("{}@example.org", mark())},
            ],
            "address": [{"line": [mark(), mark()], "city": mark(), "state": mark(),
                "postalCode": mark(), "country": mark()}],
            "contact": [{"name": {"family": mark()}}],
            "maritalStatus": text(mark())}),
        json!({"resourceType": "Practitioner", "id": "doctor", "name": [{"family": "Grey"}],
            "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]}),
        json!({"resourceType": "Encounter", "id": "CANARY-visit", "status": "finished",
            "subject": subject, "period": {"start": when}, "reasonCode": [text(mark())],
            "participant": [{"type": [text(mark())], "individual": {"reference": "Practitioner/doctor"}}]}),
        json!({"resourceType": "Observation", "id": "CANARY-lab-1", "status": "final",
            "category": [{"coding": [{"code": "laboratory"}]}], "subject": subject,
            "encounter": visit, "effectiveDateTime": when, "code": coded(mark()),
            "valueQuantity": {"value": 7351.91357_f64, "unit": mark()},
            "note": [{"text": mark()}], "interpretation": [text(mark())],
            "referenceRange": [{"text": mark()}]}),
        json!({"resourceType": "Observation", "id": "CANARY-lab-2", "status": "final",
            "category": [{"coding": [{"code": "laboratory"}]}], "subject": subject,
            "effectiveDateTime": when, "code": coded(mark()),
            "component": [{"code": text(mark()), "valueString": mark()},
                {"code": text(mark()), "valueQuantity": {"value": 8462.02468_f64}}]}),
        json!({"resourceType": "Observation", "id": "CANARY-lab-3", "status": "final",
            "category": [{"coding": [{"code": "laboratory"}]}], "subject": subject,
            "effectiveDateTime": when, "code": coded(mark()), "valueString": mark()}),
        json!({"resourceType": "MedicationRequest", "id": "CANARY-drug", "status": "active",
            "intent": "order", "subject": subject, "authoredOn": "2024-03-01",
            "medicationCodeableConcept": text(mark()), "dosageInstruction": [{"text": mark()}],
            "note": [{"text": mark()}]}),
        json!({"resourceType": "AllergyIntolerance", "id": "CANARY-allergy", "patient": subject,
            "code": text(mark()), "recordedDate": when}),
        json!({"resourceType": "Condition", "id": "CANARY-condition", "subject": subject,
            "code": text(mark()), "onsetDateTime": when}),
        json!({"resourceType": "Procedure", "id": "CANARY-procedure", "status": "completed",
            "subject": subject, "code": text(mark()), "performedDateTime": when}),
        json!({"resourceType": "Immunization", "id": "CANARY-vaccine", "status": "completed",
            "patient": subject, "vaccineCode": text(mark()), "occurrenceDateTime": when}),
        json!({"resourceType": "DiagnosticReport", "id": "CANARY-report", "status": "final",
            "subject": subject, "code": text(mark()), "conclusion": mark(),
            "effectiveDateTime": when, "result": [{"reference": "Observation/CANARY-lab-1"}]}),
        json!({"resourceType": "DocumentReference", "id": "CANARY-document", "status": "current",
            "subject": subject, "description": mark(), "date": when,
            "content": [{"attachment": {"contentType": "text/plain", "title": mark(),
                "data": STANDARD.encode(mark())}}]}),
        // These are not stored, and the report says why.
        json!({"resourceType": "Observation", "id": "CANARY-lost", "status": mark(),
            "subject": {"reference": "Patient/CANARY-nobody"}, "code": text(mark())}),
        json!({"resourceType": "CANARY-Type", "id": "CANARY-lost-too"}),
    ];
    let entries: Vec<_> = resources
        .iter()
        .map(|resource| json!({"resource": resource}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    serde_json::to_vec(&bundle).unwrap()
}

/// A function that breaks in the middle of a request, with PHI in its mouth.
struct Panicking;

impl Read<GetProfile> for Panicking {
    async fn read(&self, _: &Unproven<PatientId>, (): ()) -> Result<Sealed<Profile>, Problem> {
        Ok(Sealed::new(|_| panic!("{MARK}{}", ODD[0])))
    }
}

/// The marked patient, and what came back of every request.
struct Canary {
    world: World,
    answers: Vec<Response>,
}

impl Canary {
    async fn send(&mut self, id: &str, request: Request) -> Response {
        let response = Function::new(&self.world.stack, id).respond(request).await;
        self.answers.push(response.clone());
        response
    }

    /// Requests as they should be, on a version of the contact details.
    async fn requests(&self, version: u64) -> Vec<(&'static str, Request)> {
        let mut requests = Vec::new();
        for spec in token_specs() {
            requests.push((spec.id, self.request(spec, version).await));
        }
        requests.push(("read-calendar", calendar_at(&self.world.calendar().await)));
        requests.push(("activate-account", attempt("ABCDEFGHJKMNPQRS")));
        requests
    }

    async fn request(&self, spec: &Spec, version: u64) -> Request {
        match spec.id {
            "update-profile" => self.change(version),
            "find-patient" => self.search("CANARY-001"),
            "grant-proxy" => self.grant(),
            // What there is to list, the requests for the others leave.
            "list-appointments" | "list-waitlist" | "list-refill-requests" | "list-amendments" => {
                self.world.by_patient().patient(self.world.patient)
            }
            "list-open-refills" | "list-waiting-patients" => self.world.by_provider(),
            "list-open-amendments" => self.world.by_officer(),
            _ => self.world.allowed(spec).await,
        }
    }

    fn grant(&self) -> Request {
        let request = self.world.grant("", &["lab-results"]);
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        body["email"] = "CANARY-810@example.org".into();
        body["name"] = "CANARY-811".into();
        request.json(&body)
    }

    fn search(&self, family: &str) -> Request {
        let search = json!({"family": family, "birth_date": ODD[0], "match": "prefix"});
        self.world.by_provider().json(&search)
    }

    fn change(&self, version: u64) -> Request {
        signed_in(self.world.account, Role::Patient)
            .patient(self.world.patient)
            .header("if-match", &format!("\"{version}\""))
            .json(&json!({
                "phone": ODD[4],
                "email": "CANARY-801@example.org",
                "address": {"lines": ["CANARY-802", "CANARY-803"], "city": "CANARY-804",
                    "state": "CANARY-805", "postal_code": "CANARY-806", "country": "CANARY-807"},
            }))
    }

    /// Every operation at once, while AWS fails where the test says.
    async fn while_failing(
        &mut self,
        fails: impl Fn(&Call) -> bool + Clone + Send + Sync + 'static,
    ) {
        let mut set = JoinSet::new();
        for (id, request) in self.requests(1).await {
            let recorder = Recorder::failing(fails.clone());
            let function = Function::recorded(&self.world.stack, id, recorder);
            set.spawn(async move { function.respond(request).await });
        }
        self.answers.extend(set.join_all().await);
        for id in ["add-token-claims", "record-sign-in"] {
            let recorder = Recorder::failing(fails.clone());
            let function = Function::recorded(&self.world.stack, id, recorder);
            let _ = function
                .handle(marked_trigger(id, self.world.account))
                .await;
        }
        let recorder = Recorder::failing(fails);
        let function = Function::recorded(&self.world.stack, attempts::RECORD, recorder);
        let _ = function.handle(marked_attempts(self.world.account)).await;
    }
}

/// An attempt at an activation, right but for its code.
fn attempt(code: &str) -> Request {
    let letter = Letter {
        mrn: "CANARY-MRN".to_owned(),
        birth_date: ODD[0].to_owned(),
        code: code.to_owned(),
    };
    letter.request("CANARY-820@example.org", "canary-key-1")
}

/// An attempt by somebody, one by nobody, and a line that tells of none.
fn marked_attempts(account: AccountId) -> Value {
    let typed = json!({"userName": "CANARY-830", "city": "CANARY-831", "eventType": "CANARY-832",
        "ipAddress": "CANARY-833", "riskLevel": "CANARY-834"});
    attempts::delivered(&[
        attempts::attempt(Some(account), &typed),
        attempts::attempt(None, &typed),
        "CANARY-835".to_owned(),
    ])
}

fn marked_trigger(id: &str, account: AccountId) -> Value {
    let mut event = trigger(id, account);
    event["request"]["userAttributes"]["email"] = "CANARY-830@example.org".into();
    event["request"]["clientMetadata"] = json!({"CANARY-831": "CANARY-832"});
    event
}

/// The panic hook of a function, which says where, and the tests', which says what.
fn init_telemetry() {
    lines::keep();
    let tests = std::panic::take_hook();
    telemetry::init();
    let ours = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        ours(panic);
        tests(panic);
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn marked_phi_is_nowhere_in_clear() {
    init_telemetry();
    let stack = Stack::new().await;
    let report = stack.import("CANARY-840.json", marked_bundle()).await;
    assert_eq!(report["state"], "complete", "{report}");
    assert!(
        report["counts"]["Observation"]["new"].as_u64() >= Some(2),
        "{report}"
    );
    let patient = stack.patients().await.remove(0);
    let mut canary = Canary {
        world: World::around(stack, patient).await,
        answers: Vec::new(),
    };

    as_it_should_be(&mut canary).await;
    denied(&mut canary).await;
    bad_input(&mut canary).await;
    conflicts(&mut canary).await;
    failures(&mut canary).await;
    corrupted(&mut canary).await;
    panicking(&mut canary).await;
    too_often(&mut canary).await;
    let half = marked_bundle();
    let half = half[..half.len() / 2].to_vec();
    let report = canary.world.stack.import("CANARY-841.json", half).await;
    assert_eq!(report["state"], "failed", "{report}");

    problems_say_nothing(&canary);
    tables_say_nothing(&canary.world.stack).await;
    lines_say_nothing(&canary);
}

async fn as_it_should_be(canary: &mut Canary) {
    for (id, mut request) in canary.requests(0).await {
        if id == "activate-account" {
            // Only now: an administrator's letter ends the code of the one before.
            let letter = Letter::to_the_patient(&canary.world).await;
            assert_eq!(letter.mrn, "CANARY-MRN");
            request = letter.request("CANARY-821@example.org", "canary-key-2");
        }
        if id == "read-calendar" {
            // Only now: the one before was renewed, and revoked.
            request = calendar_at(&canary.world.calendar().await);
        }
        let response = canary.send(id, request).await;
        assert!(response.status.is_success(), "{id}: {}", body(&response));
        // What is looked for below is really there.
        let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
        let marked = match id {
            "activate-account" | "get-access-concern" | "list-my-patients" | "find-patient" => true,
            "hold-slot" | "join-waitlist" | "list-waitlist" | "leave-waitlist" => false,
            // Of an appointment they have its time and the practice's name.
            "get-calendar" | "open-calendar" | "revoke-calendar" => false,
            "list-schedule" | "list-waiting-patients" => true,
            "list-proxied-patients" | "list-open-refills" | "list-open-amendments" => true,
            // An id and a time are all that they answer.
            "break-glass"
            | "revoke-proxy"
            | "report-access-concern"
            | "disclose-messages"
            | "suspend-accounting" => false,
            "hold-lab-result" | "release-lab-result" | "delete-document" | "review-document" => {
                false
            }
            "request-export" | "get-export" => false,
            // Nothing that could be read is ever there.
            "get-message-keys" | "start-thread" | "list-threads" | "read-thread"
            | "send-message" | "mark-thread-read" | "hide-thread" | "share-thread"
            | "close-thread" | "assign-thread" => false,
            // To whom something was disclosed: what the accounting has, too.
            "list-record-access" => true,
            _ => is_about_a_patient(spec),
        };
        let text = String::from_utf8_lossy(&response.body);
        assert_eq!(leaks(&text), marked, "{id}");
    }
    // The history of the contact details holds what they were.
    let request = canary.change(1);
    assert_eq!(canary.send("update-profile", request).await.status, 200);
    for id in ["add-token-claims", "record-sign-in"] {
        let function = Function::new(&canary.world.stack, id);
        let event = marked_trigger(id, canary.world.account);
        function.handle(event).await.unwrap();
    }
    let function = Function::new(&canary.world.stack, attempts::RECORD);
    let event = marked_attempts(canary.world.account);
    function.handle(event).await.unwrap();
}

async fn denied(canary: &mut Canary) {
    for (id, mut request) in canary.requests(2).await {
        // Whose calendar it is, its address says.
        if id == "read-calendar" {
            request = calendar_at("/v1/calendars/CANARY-912/appointments.ics");
        }
        request.claims = signed_in(AccountId::new(Uuid::new_v4()), Role::Patient).claims;
        let response = canary.send(id, request).await;
        assert!(response.status.is_client_error(), "{id}");
    }
    // One of the operations signs them out.
    let whose = Whose::Practitioner(canary.world.practitioner);
    let provider = canary.world.stack.account(Role::Provider, whose).await;
    for (id, mut request) in canary.requests(2).await {
        request.claims = signed_in(provider, Role::Provider).claims;
        canary.send(id, request).await;
    }
    for id in ["add-token-claims", "record-sign-in"] {
        let function = Function::new(&canary.world.stack, id);
        let event = marked_trigger(id, AccountId::new(Uuid::new_v4()));
        function.handle(event).await.unwrap_err();
    }
}

async fn bad_input(canary: &mut Canary) {
    for (id, request) in canary.requests(2).await {
        let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
        if id == "list-lab-results" {
            for (name, value) in [
                ("cursor", "CANARY-860"),
                ("limit", "CANARY-861"),
                ("from", "CANARY-865"),
                ("to", "CANARY-866"),
                ("category", "CANARY 867"),
            ] {
                let request = canary.world.allowed(spec).await.query(name, value);
                assert_eq!(canary.send(id, request).await.status, 400, "{name}");
            }
        }
        if is_about_a_patient(spec) {
            let mut request = signed_in(canary.world.account, Role::Patient);
            request.path = vec![("patient".to_owned(), "CANARY-862".to_owned())];
            assert_eq!(canary.send(id, request).await.status, 400, "{id}");
        }
        if !["update-profile", "activate-account"].contains(&id) {
            let request = request.query("CANARY-863", "CANARY-864");
            assert_eq!(canary.send(id, request).await.status, 400, "{id}");
        }
    }
    for json in [
        r#"{"CANARY-870": 1}"#,
        r#"{"phone": "CANARY-871", "mrn": 8462.02468}"#,
        r#"{"email": "CANARY-872", "birth_date": "CANARY-873"}"#,
        r#"{"address": "CANARY-874", "code": "CANARY-875"}"#,
        r#"{"address": {"CANARY-876": 1}, "mrn": {"CANARY-877": 1}}"#,
        r#"{"address": {"lines": ["CANARY-878\u0000"]}, "mrn": "CANARY-879\u0000"}"#,
        r#"{"phone": "CANARY-880, expected CANARY-881", "email": "CANARY-882, expected CANARY-883"}"#,
        r#"{"reason": "preventing-harm", "explanation": "CANARY-893", "until": "CANARY-899"}"#,
        r#"{"reason": "CANARY-894", "verdict": "CANARY-895", "outcome": "CANARY-896"}"#,
        r#"{"explanation": "CANARY-897\u0000", "note": "CANARY-898\u0000"}"#,
        r#"{"start": "CANARY-905", "practitioner": "CANARY-906", "type": "CANARY-907"}"#,
        r#"{"notes": "CANARY-908\u0000", "summary": "CANARY-909\u0000"}"#,
        r#"{"specialty": "CANARY-910", "weekly": [{"location": "CANARY-911"}]}"#,
        r#"{"prescription": "CANARY-921", "decision": "CANARY-922", "statement": {"CANARY-923": 1}}"#,
        r#"{"part": "CANARY-931", "accept": {"done": "CANARY-932\u0000"}}"#,
        r#"{"purpose": "CANARY-943", "recipient": "CANARY-944\u0000", "statement": "CANARY-945\u0000"}"#,
        r#"{"recipient": "CANARY-948\u0000", "official": "CANARY-949\u0000", "action": "CANARY-950"}"#,
        r#"{"phone": "CANARY-884"#,
        r#"CANARY-885"#,
        r#""CANARY-886""#,
        r#"["CANARY-887"]"#,
    ] {
        let nobody = Uuid::nil().to_string();
        let officer = || canary.world.by_officer().concern(&nobody);
        let own = || canary.world.by_patient().patient(canary.world.patient);
        let provider = canary.world.by_stranger().await;
        for (id, request) in [
            ("update-profile", canary.change(2)),
            ("activate-account", attempt("ABCDEFGHJKMNPQRS")),
            ("grant-proxy", canary.grant()),
            ("break-glass", provider),
            ("disclose-messages", canary.world.disclosure()),
            ("suspend-accounting", canary.world.suspension(&json!({}))),
            ("search-audit", canary.world.by_officer()),
            ("export-audit", canary.world.by_officer()),
            (
                "report-access-concern",
                canary.world.report(&Uuid::nil().to_string(), &Value::Null),
            ),
            (
                "hold-lab-result",
                canary.world.hold(&Uuid::nil().to_string()),
            ),
            ("review-break-glass", officer()),
            ("resolve-access-concern", officer()),
            (
                "request-refill",
                canary.world.ask_for(&Uuid::nil().to_string()),
            ),
            (
                "review-refill",
                canary
                    .world
                    .review_refill(&Uuid::nil().to_string(), &Value::Null),
            ),
            ("request-amendment", canary.world.amend("other")),
            (
                "review-amendment",
                canary
                    .world
                    .review_amendment(&Uuid::nil().to_string(), &Value::Null),
            ),
            (
                "submit-disagreement",
                own().amendment(&Uuid::nil().to_string()),
            ),
            ("find-patient", canary.world.by_provider()),
            ("hold-slot", canary.change(2)),
            (
                "book-appointment",
                canary.world.booking("visit", free_hour()),
            ),
            ("join-waitlist", canary.world.joining()),
            ("reschedule-appointment", canary.world.step(&nobody)),
            ("cancel-appointment", canary.world.step(&nobody)),
            (
                "complete-appointment",
                canary.world.step_by_provider(&nobody),
            ),
            (
                "set-availability",
                canary.world.by_provider().header("if-match", "\"1\""),
            ),
            (
                "change-care-team",
                canary.world.change_team(0, &Value::Null),
            ),
        ] {
            let response = canary.send(id, request.bytes(json.as_bytes())).await;
            assert_eq!(response.status, 400, "{id}: {json}");
        }
    }
    for search in [
        json!({"family": "CANARY-893", "birth_date": "CANARY-894", "match": "exact"}),
        json!({"family": "CANARY-895", "birth_date": ODD[0], "match": "CANARY-896"}),
        json!({"family": "CANARY-897", "mrn": "CANARY-MRN"}),
    ] {
        let request = canary.world.by_provider().json(&search);
        let response = canary.send("find-patient", request).await;
        assert_eq!(response.status, 400, "{search}");
    }
    for (name, value) in [
        ("if-match", "CANARY-890"),
        ("content-type", "text/CANARY-891"),
    ] {
        let mut request = canary.change(2);
        request.headers.insert(name, value.parse().unwrap());
        let response = canary.send("update-profile", request).await;
        assert!(response.status.is_client_error(), "{name}");
    }
    let long = "CANARY-892".repeat(10);
    let request = anonymous()
        .header("idempotency-key", &long)
        .json(&json!({}));
    assert_eq!(canary.send("activate-account", request).await.status, 400);
}

async fn conflicts(canary: &mut Canary) {
    let request = canary.change(0);
    assert_eq!(canary.send("update-profile", request).await.status, 412);
    // Two at once on the version that there is.
    let functions = [(); 2].map(|()| Function::new(&canary.world.stack, "update-profile"));
    let answers = tokio::join!(
        functions[0].respond(canary.change(2)),
        functions[1].respond(canary.change(2)),
    );
    canary.answers.extend([answers.0, answers.1]);
    // The address is a proxy's.
    let letter = Letter::to_the_patient(&canary.world).await;
    let request = letter.request("CANARY-810@example.org", "canary-key-3");
    let response = canary.send("activate-account", request).await;
    assert_eq!(response.status, 409, "{}", body(&response));
    // One attempt after the other, until there are no more.
    for _ in 0..6 {
        let response = canary
            .send("activate-account", attempt("ZZZZZZZZZZZZZZZZ"))
            .await;
        assert_eq!(response.status, 403);
    }
}

async fn failures(canary: &mut Canary) {
    let audit = canary.world.stack.names[&Resource::AuditTable].clone();
    let uses = |call: &Call, service: &str| {
        let mut actions = call.actions.iter();
        actions.any(|action| action.starts_with(service))
    };
    let to_audit = audit.clone();
    canary
        .while_failing(move |call| !call.resources.contains(&to_audit) && uses(call, "dynamodb:"))
        .await;
    let to_audit = audit.clone();
    canary
        .while_failing(move |call| call.resources.contains(&to_audit))
        .await;
    canary.while_failing(|_| true).await;
    canary.while_failing(move |call| uses(call, "kms:")).await;
    canary
        .while_failing(move |call| uses(call, "cognito-idp:"))
        .await;
    let failed = canary.answers.iter();
    let failed = failed.filter(|answer| answer.status == 503).count();
    assert!(failed > 20, "{failed}");
}

/// What an item is, by its key without times and ids: `CONTEXT#PROXY`.
fn kind(item: &Value) -> String {
    let key = item["sk"]["S"].as_str().unwrap_or_default();
    let is_word = |part: &&str| part.bytes().all(|c| c.is_ascii_uppercase() || c == b'-');
    let words: Vec<_> = key.split('#').filter(is_word).collect();
    words.join("#")
}

/// All items of a kind are altered, so that it does not matter which of them an operation reads; and
/// one of them alone, among others that are whole.
async fn corrupted(canary: &mut Canary) {
    let mut broken = 0;
    for table in [
        Resource::PatientsTable,
        Resource::RecordsTable,
        Resource::ScheduleTable,
    ] {
        let mut kinds = BTreeMap::<_, Vec<_>>::new();
        for item in canary.world.stack.scan(table).await {
            if item["sealed"]["B"].is_string() {
                kinds.entry(kind(&item)).or_default().push(item);
            }
        }
        for items in kinds.values() {
            broken += while_corrupted(canary, table, items).await;
            if items.len() > 1 {
                broken += while_corrupted(canary, table, &items[..1]).await;
            }
        }
    }
    // Profile and contact for all, and what each of them reads besides.
    assert!(broken > 8, "{broken}");
}

/// How many operations break on items that were altered. They are whole again afterwards.
async fn while_corrupted(canary: &mut Canary, table: Resource, items: &[Value]) -> usize {
    for item in items {
        let mut bytes = STANDARD
            .decode(item["sealed"]["B"].as_str().unwrap())
            .unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let mut altered = item.clone();
        altered["sealed"]["B"] = STANDARD.encode(&bytes).into();
        canary.world.stack.put(table, altered).await;
    }
    let mut broken = 0;
    for id in [
        "get-profile",
        "get-dashboard",
        "list-lab-results",
        "get-lab-result",
        "get-lab-trend",
        "list-health-record",
        "update-profile",
        "grant-proxy",
        "list-proxies",
        "list-profile-changes",
        "list-record-access",
        "get-care-team",
        "get-patient-summary",
        "list-my-patients",
        "list-appointments",
        "list-prescriptions",
        "list-refill-requests",
        "list-open-refills",
        "list-amendments",
        "list-open-amendments",
    ] {
        let spec = specs().into_iter().find(|spec| spec.id == id);
        let request = canary.request(spec.unwrap(), 3).await;
        let response = canary.send(id, request).await;
        broken += usize::from(response.status == 500);
    }
    for item in items {
        canary.world.stack.put(table, item.clone()).await;
    }
    broken
}

async fn panicking(canary: &mut Canary) {
    let aws = canary.world.stack.aws(&Recorder::default());
    let service = reads::<GetProfile>(&aws, Panicking).unwrap();
    let request = signed_in(canary.world.account, Role::Patient).patient(canary.world.patient);
    let response = service.respond(request).await.unwrap();
    assert_eq!(response.status, 500);
    canary.answers.push(response);
}

/// Searches until there is none left, of people who are and who are not there.
async fn too_often(canary: &mut Canary) {
    for family in ["CANARY-002", "CANARY-898"].repeat(31) {
        let request = canary.search(family);
        if canary.send("find-patient", request).await.status == 429 {
            return;
        }
    }
    panic!("as many searches as one likes");
}

fn problems_say_nothing(canary: &Canary) {
    let mut problems = 0;
    for answer in &canary.answers {
        if !answer.status.is_success() {
            let text = String::from_utf8_lossy(&answer.body);
            assert!(!leaks(&text), "{text}");
            assert_eq!(answer.media_type, "application/problem+json");
            problems += 1;
        }
    }
    assert!(problems > 50, "{problems}");
}

async fn tables_say_nothing(stack: &Stack) {
    for record in stack.audit().await {
        assert!(!leaks(&record.to_string()), "{record}");
    }
    let mut sealed = 0;
    for table in [
        Resource::PatientsTable,
        Resource::RecordsTable,
        Resource::DocumentsTable,
        Resource::AccountsTable,
        Resource::DirectoryTable,
        Resource::ScheduleTable,
        Resource::DocumentsTable,
        Resource::MessagesTable,
        Resource::ChannelsTable,
    ] {
        for item in stack.scan(table).await {
            for (name, value) in item.as_object().unwrap() {
                let Some(bytes) = value["B"].as_str() else {
                    assert!(!leaks(&value.to_string()), "{table:?} {name}: {value}");
                    continue;
                };
                // The digest is keyed with the patient's data key; the others are ciphertext.
                let known = [
                    "sealed",
                    "wrapped",
                    "proof",
                    "digest",
                    "counts",
                    "report",
                    "report_digest",
                ];
                // What browsers sealed is theirs, and has a test of its own on a deployed portal.
                if ![Resource::DirectoryTable, Resource::MessagesTable].contains(&table) {
                    assert!(known.contains(&name.as_str()), "{table:?} {name}");
                }
                let bytes = STANDARD.decode(bytes).unwrap();
                assert!(!leaks(&String::from_utf8_lossy(&bytes)), "{table:?} {name}");
                sealed += usize::from(name == "sealed");
            }
        }
    }
    assert!(sealed > 12, "{sealed}");
}

fn lines_say_nothing(canary: &Canary) {
    let captured = lines::kept();
    for line in captured.lines() {
        assert!(!leaks(line), "{line}");
    }
    // It is the lines of these very requests that say nothing.
    for answer in &canary.answers {
        assert!(captured.contains(&answer.request_id), "{:?}", answer.status);
    }
    for spec in http_specs() {
        for outcome in ["success", "denied", "invalid", "failure"] {
            let lines = captured.lines();
            let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
            // Nobody is signed in who could be denied before the code is looked at.
            assert!(
                lines.any(|line| line["operation"] == spec.id && line["outcome"] == outcome),
                "{}: {outcome}",
                spec.id
            );
        }
    }
    for operation in [
        "import-records",
        "add-token-claims",
        "record-sign-in",
        attempts::RECORD,
    ] {
        assert!(captured.contains(&format!("\"operation\":\"{operation}\"")));
    }
    assert!(captured.contains("ImportsRefused"));
    assert!(captured.contains("AttemptsUnreadable"));
    assert!(captured.contains("GlassBroken"));
    assert!(captured.contains("AccessReported"));
    assert!(captured.contains("\"message\":\"panic\""));
}
