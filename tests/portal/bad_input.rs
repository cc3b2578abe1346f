//! Bad input is refused by name and never repeated, leaves one record, and changes nothing.

use crate::harness::function::Function;
use crate::harness::letter::Letter;
use crate::harness::messages::{Paths, base64url, envelope, pair, wrapped};
use crate::harness::request::{With, anonymous, body, signed_in};
use crate::harness::schedule::around_the_clock;
use crate::harness::world::{World, http_specs, token_specs};
use crate::harness::{Whose, root};
use http::HeaderValue;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use shared::access::Role;
use shared::api::access_concerns::{ResolveAccessConcern, ReviewBreakGlass};
use shared::api::account::ActivateAccount;
use shared::api::accounting::SuspendAccounting;
use shared::api::amendments::{RequestAmendment, ReviewAmendment, SubmitDisagreement};
use shared::api::appointments::{
    BookAppointment, CancelAppointment, CompleteAppointment, HoldSlot, RescheduleAppointment,
};
use shared::api::audit_log::{ExportAudit, SearchAudit};
use shared::api::availability::SetAvailability;
use shared::api::break_glass::BreakGlass;
use shared::api::care_team::ChangeCareTeam;
use shared::api::disclosures::DiscloseMessages;
use shared::api::documents::RequestUpload;
use shared::api::email_change::{ConfirmEmailChange, RequestEmailChange};
use shared::api::exports::RequestExport;
use shared::api::lab_holds::HoldLabResult;
use shared::api::message_keys::{RegisterMessageKey, UnlockMessageKey};
use shared::api::profile::UpdateProfile;
use shared::api::proxies::GrantProxy;
use shared::api::record_access::ReportAccessConcern;
use shared::api::refills::{RequestRefill, ReviewRefill};
use shared::api::search::FindPatient;
use shared::api::threads::{
    AssignThread, HideThread, MarkThreadRead, SendMessage, ShareThread, StartThread,
};
use shared::api::users::{InviteUser, IssueActivation, ListUsers, ResetUserMfa, UpdateUser};
use shared::api::waitlist::JoinWaitlist;
use shared::api::{Operation, Trigger, threads};
use shared::aws::Resource;
use shared::http::{MAX_BODY, Problem, Request};
use shared::ids::{AccountId, PatientId};
use shared::practice::Practice;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Stands in what is sent, and must not stand in what comes back.
const ECHO: &str = "qX7Echo";

const TABLES: [Resource; 8] = [
    Resource::AccountsTable,
    Resource::PatientsTable,
    Resource::RecordsTable,
    Resource::DocumentsTable,
    Resource::DirectoryTable,
    Resource::ScheduleTable,
    Resource::MessagesTable,
    Resource::ChannelsTable,
];

/// The portal under bad input.
struct Abused {
    world: World,
    functions: BTreeMap<&'static str, Function>,
    before: Vec<Vec<Value>>,
    /// What was sent, by request id.
    sent: BTreeMap<String, String>,
}

async fn tables(world: &World) -> Vec<Vec<Value>> {
    let mut tables = Vec::new();
    for table in TABLES {
        let mut items = world.stack.items(table).await;
        items.sort_by_key(Value::to_string);
        tables.push(items);
    }
    tables
}

impl Abused {
    async fn new() -> Self {
        let world = World::new().await;
        let specs = http_specs().into_iter();
        let functions = specs
            .map(|spec| (spec.id, Function::new(&world.stack, spec.id)))
            .collect();
        Self {
            before: tables(&world).await,
            world,
            functions,
            sent: BTreeMap::new(),
        }
    }

    /// Sends a request that must be refused, for the field that the pointer names.
    async fn refused(
        &mut self,
        id: &'static str,
        what: &str,
        request: Request,
        status: u16,
        pointer: impl Into<Option<&str>>,
    ) {
        let what = format!("{id}: {what}");
        self.sent.insert(request.request_id.clone(), what.clone());
        let response = self.functions[id].respond(request).await;
        let text = String::from_utf8(response.body.clone()).unwrap();
        assert_eq!(response.status, status, "{what}: {text}");
        assert_eq!(response.media_type, "application/problem+json", "{what}");
        assert!(
            !text.to_lowercase().contains(&ECHO.to_lowercase()),
            "{what}: {text}"
        );
        let answer = body(&response);
        assert_eq!(answer["status"], status, "{what}");
        let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let pointers: Vec<_> = errors.iter().map(|error| &error["pointer"]).collect();
        match pointer.into() {
            Some(pointer) => assert_eq!(pointers, [pointer], "{what}: {text}"),
            None => assert!(pointers.is_empty(), "{what}: {text}"),
        }
    }

    /// One record each, of bad input, and nothing else anywhere.
    async fn settled(self) {
        let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for record in self.world.stack.audit().await {
            if let Some(request) = record["request_id"].as_str() {
                records
                    .entry(request.to_owned())
                    .or_default()
                    .push(record.clone());
            }
        }
        for (request, what) in &self.sent {
            let records = records.get(request).map_or(&[][..], Vec::as_slice);
            assert_eq!(records.len(), 1, "{what}: {records:#?}");
            assert_eq!(records[0]["outcome"], "invalid", "{what}");
            assert!(
                !records[0].to_string().contains(ECHO),
                "{what}: {}",
                records[0]
            );
        }
        assert!(!self.sent.is_empty());
        assert_eq!(tables(&self.world).await, self.before);
    }

    /// A change of contact details, but for its body.
    fn change(&self) -> Request {
        self.request("update-profile")
    }

    fn request(&self, id: &str) -> Request {
        without_body(&self.world, id)
    }

    fn labs(&self) -> Request {
        signed_in(self.world.account, Role::Patient).patient(self.world.patient)
    }
}

/// A request that is right but for its body.
fn without_body(world: &World, id: &str) -> Request {
    match id {
        "update-profile" => world
            .by_patient()
            .patient(world.patient)
            .header("if-match", "\"0\""),
        "report-access-concern" => world.report(&Uuid::nil().to_string(), &Value::Null),
        "break-glass" => signed_in(world.provider, Role::Provider)
            .since(0)
            .patient(world.patient),
        "hold-lab-result" => world
            .by_provider()
            .patient(world.patient)
            .result(&Uuid::nil().to_string()),
        "review-break-glass" | "resolve-access-concern" => {
            world.by_officer().concern(&Uuid::nil().to_string())
        }
        "grant-proxy" | "request-upload" | "request-export" => world
            .by_patient()
            .patient(world.patient)
            .header("idempotency-key", "a-key-of-its-own"),
        "request-refill" | "request-amendment" => world
            .by_patient()
            .patient(world.patient)
            .header("idempotency-key", "a-key-of-its-own"),
        "review-refill" => world.review_refill(&Uuid::nil().to_string(), &Value::Null),
        "review-amendment" => world.review_amendment(&Uuid::nil().to_string(), &Value::Null),
        "submit-disagreement" => world
            .by_patient()
            .patient(world.patient)
            .amendment(&Uuid::nil().to_string()),
        "find-patient" => world.by_provider(),
        "set-availability" => world.by_provider().header("if-match", "\"1\""),
        "hold-slot" => world.by_patient().patient(world.patient),
        "book-appointment" | "join-waitlist" => world
            .by_patient()
            .patient(world.patient)
            .header("idempotency-key", "a-key-of-its-own"),
        "reschedule-appointment" | "cancel-appointment" => world.step(&Uuid::nil().to_string()),
        "complete-appointment" => world.step_by_provider(&Uuid::nil().to_string()),
        "request-email-change" | "confirm-email-change" => world.by_patient(),
        "change-care-team" => world.change_team(0, &Value::Null),
        "issue-activation" | "list-users" => world.by_admin(),
        "update-user" | "reset-user-mfa" => world
            .by_admin()
            .account(world.officer)
            .header("if-match", "\"0\""),
        "invite-user" => world
            .by_admin()
            .header("idempotency-key", "a-key-of-its-own"),
        "register-message-key" | "unlock-message-key" => world.by_patient().owner("account"),
        "assign-thread" => world.by_provider_about_patient().thread(THREAD),
        "search-audit" | "export-audit" => world.by_officer(),
        "disclose-messages" | "suspend-accounting" => world
            .by_officer()
            .since(0)
            .patient(world.patient)
            .header("idempotency-key", "a-key-of-its-own"),
        "start-thread" | "send-message" | "mark-thread-read" | "hide-thread" | "share-thread" => {
            world
                .about_patient()
                .thread(THREAD)
                .header("idempotency-key", "a-key-of-its-own")
        }
        _ => anonymous().header("idempotency-key", "a-key-of-its-own"),
    }
}

/// The thread of the bodies below.
const THREAD: Uuid = Uuid::from_u128(0xc0a8_012e_5f1d_4b7a_9c33_7d2e_41f0_a6b5);

/// The largest body that an operation takes.
fn most(id: &str) -> usize {
    match id {
        "start-thread" | "send-message" => threads::MAX_BODY,
        _ => MAX_BODY,
    }
}

/// The operations that take a body, and a body that is right.
fn bodies() -> Vec<(&'static str, Value)> {
    let contact = json!({
        "phone": "555-010-0199",
        "email": "someone@example.org",
        "address": {"lines": ["1 Main Street"], "city": "Boston", "state": "MA",
            "postal_code": "02101", "country": "US"},
        "preferred_language": "es",
        "notifications": {"appointments": "email", "messages": "none", "documents": "email"},
    });
    let activation = json!({
        "mrn": "m-1", "birth_date": "1980-01-02", "code": "ABCDEFGHJKMNPQRS",
        "email": "someone@example.org",
    });
    let practitioner = "5b1f3c7e-9a2d-4c68-b0e4-1d2f3a4b5c6d";
    let key_id = base64url(&[3; 32]);
    let sealed = |counter| envelope(THREAD, AccountId::new(Uuid::nil()), counter, &key_id);
    let (public_key, private_key) = pair();
    vec![
        (
            "register-message-key",
            json!({"public_key": public_key, "private_key": private_key, "previous": key_id}),
        ),
        ("unlock-message-key", json!({"key_id": key_id})),
        (
            "start-thread",
            json!({
                "thread": THREAD, "category": "other", "subject": sealed(0), "message": sealed(1),
                "commitment": base64url(&[7; 32]), "keys": [wrapped("providers", &key_id)],
            }),
        ),
        ("send-message", json!({"message": sealed(2)})),
        ("mark-thread-read", json!({"through": 1})),
        ("hide-thread", json!({"through": 1})),
        (
            "disclose-messages",
            json!({
                "purpose": "judicial-proceeding", "statement": "the court asks for it",
                "recipient": "The county court", "address": "1 Court Street",
            }),
        ),
        (
            "suspend-accounting",
            json!({
                "agency": "law-enforcement", "recipient": "The state police",
                "official": "A detective", "form": "written", "stated_on": "2026-01-02",
                "until": "2027-01-02",
            }),
        ),
        (
            "search-audit",
            json!({
                "patient": THREAD, "actor": THREAD, "action": "profile.read", "outcome": "success",
                "from": "2027-01-30T17:00:00Z", "to": "2027-01-31T17:00:00Z", "limit": 10,
            }),
        ),
        (
            "export-audit",
            json!({
                "format": "csv", "patient": THREAD, "action": "profile.read",
                "outcome": "success", "from": "2027-01-30T17:00:00Z",
                "to": "2027-01-31T17:00:00Z",
            }),
        ),
        (
            "share-thread",
            json!({"keys": [wrapped("providers", &key_id)]}),
        ),
        ("assign-thread", json!({"practitioner": practitioner})),
        ("update-profile", contact),
        ("activate-account", activation),
        (
            "grant-proxy",
            json!({
                "email": "someone@example.org", "name": "Someone", "relationship": "friend",
                "categories": ["lab-results"], "until": "2100-01-02",
            }),
        ),
        (
            "request-upload",
            json!({
                "name": "letter.pdf", "content_type": "application/pdf", "size": 1000,
                "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            }),
        ),
        (
            "request-export",
            json!({"from": "2020-01-02", "to": "2024-01-02", "formats": ["fhir"]}),
        ),
        (
            "find-patient",
            json!({"family": "Roe", "birth_date": "1980-01-02", "match": "exact"}),
        ),
        (
            "change-care-team",
            json!({"expire": {"practitioner": practitioner, "until": "2999-01-31T17:00:00Z"}}),
        ),
        ("set-availability", rules()),
        (
            "hold-slot",
            json!({"practitioner": practitioner, "type": "visit", "start": "2999-01-31T17:00:00Z"}),
        ),
        (
            "book-appointment",
            json!({
                "practitioner": practitioner, "type": "visit", "start": "2999-01-31T17:00:00Z",
                "reason": "a cough",
            }),
        ),
        (
            "join-waitlist",
            json!({
                "practitioner": practitioner, "type": "visit", "modality": "phone",
                "from": "2027-01-02", "to": "2027-01-03", "after": "09:00", "before": "17:00",
            }),
        ),
        (
            "reschedule-appointment",
            json!({"start": "2999-01-31T17:00:00Z"}),
        ),
        ("cancel-appointment", json!({"reason": "other"})),
        (
            "complete-appointment",
            json!({"notes": "better", "summary": "less salt"}),
        ),
        (
            "request-refill",
            json!({"prescription": practitioner, "note": "four left"}),
        ),
        (
            "review-refill",
            json!({"decision": "denied", "reason": "a blood test first"}),
        ),
        (
            "request-amendment",
            json!({"part": "other", "entry": practitioner, "change": "this", "reason": "that"}),
        ),
        (
            "review-amendment",
            json!({"deny": {"basis": "not-in-record-set", "explanation": "a draft"}}),
        ),
        ("submit-disagreement", json!({"statement": "I disagree"})),
        (
            "break-glass",
            json!({"reason": "other", "explanation": "found on the floor"}),
        ),
        (
            "report-access-concern",
            json!({"explanation": "a neighbour of mine"}),
        ),
        (
            "hold-lab-result",
            json!({
                "reason": "preventing-harm", "explanation": "to be talked about first",
                "until": "2100-01-02T12:00:00Z",
            }),
        ),
        (
            "review-break-glass",
            json!({"verdict": "justified", "note": "asked around"}),
        ),
        (
            "resolve-access-concern",
            json!({"outcome": "no-issue", "note": "asked around"}),
        ),
        (
            "invite-user",
            json!({"role": "provider", "email": "someone@example.org", "practitioner": practitioner}),
        ),
        ("issue-activation", json!({"mrn": "m-1"})),
        (
            "request-email-change",
            json!({"email": "someone@example.org"}),
        ),
        (
            "confirm-email-change",
            json!({"old_address_code": "ABCD-EFGH", "new_address_code": "JKMN-PQRS"}),
        ),
        (
            "list-users",
            json!({"search": "someone", "role": "provider"}),
        ),
        (
            "update-user",
            json!({"role": "provider", "status": "active", "practitioner": practitioner}),
        ),
        (
            "reset-user-mfa",
            json!({"identity_check": "in-person-photo-id"}),
        ),
    ]
}

/// An availability with a field of each kind.
fn rules() -> Value {
    let mut rules = around_the_clock();
    rules["appointment_types"]
        .as_array_mut()
        .unwrap()
        .drain(1..);
    rules["weekly"] = json!([{
        "day": "monday", "from": "09:00", "to": "12:00", "location": "Main Street",
        "types": ["visit"],
    }]);
    rules["exceptions"] = json!([{"date": "2026-12-25", "closed": true}]);
    rules
}

/// The body of one operation.
fn body_of(id: &str) -> Value {
    let mut bodies = bodies().into_iter();
    bodies.find(|(other, _)| *other == id).unwrap().1
}

/// The first field of a body that holds text, else the first.
fn a_field(body: &Value) -> &str {
    let fields = body.as_object().unwrap();
    let text = fields.iter().find(|(_, value)| value.is_string());
    text.or_else(|| fields.iter().next()).unwrap().0
}

/// Every text in a body, by pointer.
fn texts(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(pointer.to_owned()),
        Value::Object(fields) => {
            for (name, value) in fields {
                texts(value, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                texts(value, &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}

fn texts_of(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    texts(value, "", &mut found);
    found
}

fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_object() {
    let mut abused = Abused::new().await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    for (id, right) in bodies() {
        let field = a_field(&right);
        let half = format!("{{\"{field}\": \"{ECHO}");
        let comma = format!("{{\"{field}\": {},}}", right[field]);
        let no_utf8 = [format!("{{\"{field}\": \"").as_bytes(), b"\xff\xfe\"}"].concat();
        let pointer_to_field = format!("/{field}");
        let right = right.to_string();
        let twice = format!("{right}{right}");
        let trailing = format!("{right} {ECHO}");
        let bom = format!("\u{FEFF}{right}");
        let cases: &[(&str, &[u8])] = &[
            ("empty", b""),
            ("blank", b" \n\t"),
            ("a bracket", b"{"),
            ("a word", b"qX7Echo"),
            ("half of it", half.as_bytes()),
            ("it twice", twice.as_bytes()),
            ("more behind it", trailing.as_bytes()),
            ("a byte order mark", bom.as_bytes()),
            ("single quotes", b"{'qX7Echo': 'qX7Echo'}"),
            ("a trailing comma", comma.as_bytes()),
            ("not a number", b"NaN"),
            ("no UTF-8", &no_utf8),
            ("null", b"null"),
            ("true", b"true"),
            ("a number", b"17"),
            ("a text", b"\"qX7Echo\""),
            ("an array", b"[]"),
            ("an array of values", b"[\"555-010-0199\"]"),
            (
                "an array of fields",
                b"[\"m-1\",\"1980-01-02\",\"ABCDEFGHJKMNPQRS\",\"a@example.org\"]",
            ),
            ("deep arrays", deep.as_bytes()),
            ("deep objects", deep_objects.as_bytes()),
        ];
        for (what, bytes) in cases {
            let request = abused.request(id).bytes(bytes);
            let pointer = match *what {
                "half of it" | "no UTF-8" => &*pointer_to_field,
                _ => "",
            };
            abused.refused(id, what, request, 400, pointer).await;
        }
        let large = vec![b' '; most(id) + 1];
        let request = abused.request(id).bytes(&large);
        abused.refused(id, "too large", request, 413, None).await;
        let large = format!("{{\"email\": \"{}\"}}", ECHO.repeat(MAX_BODY));
        let request = abused.request(id).bytes(large.as_bytes());
        abused
            .refused(id, "far too large", request, 413, None)
            .await;
        for media in [
            "text/plain",
            "application/xml",
            "application/jsonx",
            "qX7Echo",
            "",
        ] {
            let mut request = abused.request(id).bytes(right.as_bytes());
            request
                .headers
                .insert("content-type", media.parse().unwrap());
            abused.refused(id, media, request, 415, None).await;
        }
        let mut request = abused.request(id).bytes(right.as_bytes());
        request.headers.remove("content-type");
        abused
            .refused(id, "no media type", request, 415, None)
            .await;
    }
    abused.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_not_what_they_should_be() {
    let mut abused = Abused::new().await;
    for (id, right) in bodies() {
        let long = ECHO.repeat(2_000);
        let wrong = [
            json!(17),
            json!(-1.5e300),
            json!(true),
            json!([ECHO]),
            json!({ECHO: ECHO}),
            json!(long),
            json!(""),
            json!(format!("{ECHO}\u{0}")),
            json!(format!("{ECHO}\u{7}")),
            json!(format!("{ECHO}\r\nSet-Cookie: a=b")),
            json!(format!("{ECHO}\u{202E}gnp.exe")),
            json!(format!("{ECHO}\u{2066}a\u{2069}")),
            json!(format!("{ECHO}\u{2028}{ECHO}")),
        ];
        for pointer in texts_of(&right) {
            for value in &wrong {
                // What is written about a visit has several lines.
                let lines = value.as_str().is_some_and(|text| text.contains('\n'));
                if id == "complete-appointment" && lines {
                    continue;
                }
                let what = format!("{pointer}: {value:.60}");
                let request = abused
                    .request(id)
                    .json(&with(&right, &pointer, value.clone()));
                abused.refused(id, &what, request, 400, &*pointer).await;
            }
            let marked = with(&right, &pointer, json!("SURROGATE")).to_string();
            for surrogate in [
                r"qX7Echo\ud800",
                r"\udc00qX7Echo",
                r"\ud800\ud800",
                r"\uD83D",
            ] {
                let bytes = marked.replace("SURROGATE", surrogate);
                let what = format!("{pointer}: {surrogate}");
                let request = abused.request(id).bytes(bytes.as_bytes());
                abused.refused(id, &what, request, 400, &*pointer).await;
            }
        }
        // Fields that nobody knows, and fields that stand twice.
        let mut more = right.clone();
        more[ECHO] = json!(ECHO);
        let request = abused.request(id).json(&more);
        abused
            .refused(id, "an unknown field", request, 400, "")
            .await;
        let mut more = right.clone();
        more["__proto__"] = json!({ECHO: 1});
        let request = abused.request(id).json(&more);
        abused.refused(id, "a prototype", request, 400, "").await;
        let field = a_field(&right);
        let first = format!("{{\"{field}\":{},", right[field]);
        let twice = right.to_string().replacen('{', &first, 1);
        let request = abused.request(id).bytes(twice.as_bytes());
        abused.refused(id, "a field twice", request, 400, "").await;
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let pointer = format!("/{field}");
        let deep = with(&right, &pointer, json!("DEEP"))
            .to_string()
            .replace("\"DEEP\"", &deep);
        let request = abused.request(id).bytes(deep.as_bytes());
        // Of a list it is the first element that is wrong.
        let pointer = match &right[field] {
            Value::Array(_) if id == "share-thread" => format!("{pointer}/0"),
            _ => pointer,
        };
        abused
            .refused(id, "a deep field", request, 400, &*pointer)
            .await;
    }
    // What only one of them has.
    let (contact, activation) = (body_of("update-profile"), body_of("activate-account"));
    for id in [
        "break-glass",
        "hold-lab-result",
        "review-break-glass",
        "resolve-access-concern",
    ] {
        let right = body_of(id);
        for field in right.as_object().unwrap().keys() {
            let mut less = right.clone();
            less.as_object_mut().unwrap().remove(field);
            let request = abused.request(id).json(&less);
            abused.refused(id, field, request, 400, "").await;
        }
    }
    for (what, explanation) in [("nine", "a".repeat(9)), ("501", "a".repeat(501))] {
        let body = json!({"reason": "other", "explanation": explanation});
        let request = abused.request("break-glass").json(&body);
        abused
            .refused("break-glass", what, request, 400, "/explanation")
            .await;
    }
    for field in ["mrn", "birth_date", "code", "email"] {
        let mut less = activation.clone();
        less.as_object_mut().unwrap().remove(field);
        let request = abused.request("activate-account").json(&less);
        abused
            .refused("activate-account", field, request, 400, "")
            .await;
        let null = with(&activation, &format!("/{field}"), Value::Null);
        let request = abused.request("activate-account").json(&null);
        let pointer = format!("/{field}");
        abused
            .refused("activate-account", "null", request, 400, &*pointer)
            .await;
    }
    for (what, address, pointer) in [
        ("no object", json!(ECHO), "/address"),
        (
            "an array",
            json!([["a line"], "a city", null, null, null]),
            "/address",
        ),
        ("no lines", json!({"city": "a city"}), "/address"),
        ("no city", json!({"lines": ["a line"]}), "/address"),
        (
            "no line",
            json!({"lines": [], "city": "a city"}),
            "/address/lines",
        ),
        (
            "five lines",
            json!({"lines": ["1", "2", "3", "4", "5"], "city": "a"}),
            "/address/lines",
        ),
        (
            "lines in text",
            json!({"lines": ECHO, "city": "a"}),
            "/address/lines",
        ),
        (
            "more",
            json!({"lines": ["a"], "city": "a", ECHO: 1}),
            "/address",
        ),
    ] {
        let request = abused.change().json(&with(&contact, "/address", address));
        abused
            .refused("update-profile", what, request, 400, pointer)
            .await;
    }
    let request = abused.change().json(&json!({}));
    abused
        .refused("update-profile", "nothing", request, 400, "")
        .await;
    let date = "1980-01-02";
    for (what, search, pointer) in [
        ("nothing", json!({}), ""),
        ("a name alone", json!({"family": "Roe"}), ""),
        ("a date alone", json!({"birth_date": date}), ""),
        (
            "no way to match",
            json!({"family": "Roe", "birth_date": date}),
            "",
        ),
        (
            "a number and a name",
            json!({"mrn": "1", "family": "Roe"}),
            "",
        ),
        (
            "a number and a date",
            json!({"mrn": "1", "birth_date": date}),
            "",
        ),
        (
            "no letters",
            json!({"family": "54 '-", "birth_date": date, "match": "exact"}),
            "/family",
        ),
        (
            "one letter",
            json!({"family": "R'", "birth_date": date, "match": "prefix"}),
            "/family",
        ),
    ] {
        let request = abused.request("find-patient").json(&search);
        abused
            .refused("find-patient", what, request, 400, pointer)
            .await;
    }
    let (own, other) = (
        abused.world.practitioner,
        "7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11",
    );
    let (past, later) = ("2020-01-31T17:00:00Z", "2999-01-31T17:00:00Z");
    for (what, change, pointer) in [
        ("nothing", json!({}), ""),
        (
            "two at once",
            json!({"add": {"practitioner": other}, "remove": {"practitioner": own}}),
            "",
        ),
        ("an array", json!({"remove": [own]}), "/remove"),
        ("nobody", json!({"remove": {}}), "/remove"),
        (
            "no time",
            json!({"expire": {"practitioner": own}}),
            "/expire",
        ),
        (
            "more",
            json!({"remove": {"practitioner": own, ECHO: ECHO}}),
            "/remove",
        ),
        (
            "a date",
            json!({"add": {"practitioner": other, "until": "2999-01-31"}}),
            "/add/until",
        ),
        (
            "a zone",
            json!({"add": {"practitioner": other, "until": "2999-01-31T17:00:00Z[UTC]"}}),
            "/add/until",
        ),
        (
            "the past",
            json!({"add": {"practitioner": abused.world.colleague, "until": past}}),
            "/add/until",
        ),
        (
            "an end in the past",
            json!({"expire": {"practitioner": own, "until": past}}),
            "/expire/until",
        ),
        (
            "a stranger added",
            json!({"add": {"practitioner": other}}),
            "/add/practitioner",
        ),
        (
            "a member added",
            json!({"add": {"practitioner": own}}),
            "/add/practitioner",
        ),
        (
            "a stranger removed",
            json!({"remove": {"practitioner": other}}),
            "/remove/practitioner",
        ),
        (
            "a stranger's end",
            json!({"expire": {"practitioner": other, "until": later}}),
            "/expire/practitioner",
        ),
    ] {
        let request = abused.request("change-care-team").json(&change);
        abused
            .refused("change-care-team", what, request, 400, pointer)
            .await;
    }
    abused.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_paths() {
    let mut abused = Abused::new().await;
    let (contact, activation) = (body_of("update-profile"), body_of("activate-account"));
    let change = |abused: &Abused, tag: &str| {
        let mut request = abused.change().json(&contact);
        request
            .headers
            .insert("if-match", HeaderValue::from_bytes(tag.as_bytes()).unwrap());
        request
    };
    let mut without = change(&abused, "");
    without.headers.remove("if-match");
    abused
        .refused("update-profile", "no If-Match", without, 428, None)
        .await;
    for tag in [
        "",
        "0",
        "*",
        "\"\"",
        "\"a\"",
        "W/\"0\"",
        "\"-1\"",
        "\"+0\"",
        "\"00\"",
        "\"0",
        "\"0\", \"1\"",
        "\"18446744073709551616\"",
        "\"qX7Echo\"",
        "\"\u{e9}\"",
    ] {
        let request = change(&abused, tag);
        abused
            .refused("update-profile", tag, request, 400, "header/if-match")
            .await;
    }
    let twice = change(&abused, "\"0\"").header("if-match", "\"1\"");
    abused
        .refused("update-profile", "two tags", twice, 400, "header/if-match")
        .await;
    for tag in ["\"1\"", "\"18446744073709551615\""] {
        let request = change(&abused, tag);
        abused
            .refused("update-profile", tag, request, 412, None)
            .await;
    }

    let keyed = |key: &str| {
        let mut request = anonymous().json(&activation);
        request.headers.insert(
            "idempotency-key",
            HeaderValue::from_bytes(key.as_bytes()).unwrap(),
        );
        request
    };
    let pointer = "header/idempotency-key";
    let request = anonymous().json(&activation);
    abused
        .refused("activate-account", "no key", request, 400, pointer)
        .await;
    let long = ECHO.repeat(10);
    for key in ["", "short", "       ", &long, "caf\u{e9}-caf\u{e9}"] {
        abused
            .refused("activate-account", key, keyed(key), 400, pointer)
            .await;
    }
    let twice = keyed("one-key-or-another").header("idempotency-key", "another-key");
    abused
        .refused("activate-account", "two keys", twice, 400, pointer)
        .await;

    for spec in http_specs() {
        let Trigger::Http { path, .. } = spec.trigger else {
            continue;
        };
        for name in [
            "patient",
            "concern",
            "refill",
            "amendment",
            "appointment",
            "place",
        ] {
            if !path.contains(&format!("{{{name}}}")) {
                continue;
            }
            let pointer = format!("path/{name}");
            let mut allowed = abused.world.allowed(spec).await;
            allowed.path.retain(|(other, _)| other != name);
            abused.before = tables(&abused.world).await;
            for wrong in [
                "",
                "1",
                "me",
                "null",
                "..",
                "../../etc/passwd",
                "qX7Echo",
                "%00",
                "\u{0}",
                "00000000-0000-0000-0000-00000000000G",
                "{00000000-0000-0000-0000-000000000000}",
                "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA",
                "00000000000000000000000000000000",
                "00000000-0000-0000-0000-000000000000#CONTEXT",
            ] {
                let mut request = allowed.again();
                request.path.push((name.to_owned(), wrong.to_owned()));
                abused
                    .refused(spec.id, wrong, request, 400, &*pointer)
                    .await;
            }
            abused
                .refused(spec.id, "no path", allowed, 400, &*pointer)
                .await;
        }
    }
    abused.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_cursors() {
    let mut abused = Abused::new().await;
    let other = abused.world.stack.sample("Noel_Reynolds").await;
    let theirs = abused
        .world
        .stack
        .account(Role::Patient, Whose::Patient(other))
        .await;
    abused.before = tables(&abused.world).await;
    for spec in token_specs() {
        // A change of contact details takes no query either way.
        if spec.id == "update-profile" {
            continue;
        }
        let request = abused.world.allowed(spec).await.query(ECHO, ECHO);
        abused.before = tables(&abused.world).await;
        abused
            .refused(spec.id, "an unknown parameter", request, 400, "query")
            .await;
    }
    let id = "list-lab-results";
    for limit in [
        "0",
        "101",
        "-1",
        "abc",
        "",
        "1.5",
        "1e1",
        " 1",
        "256",
        "+5",
        "05",
        "99999999999999999999",
        "qX7Echo",
    ] {
        let request = abused.labs().query("limit", limit);
        abused.refused(id, limit, request, 400, "query/limit").await;
    }
    for (name, wrong) in [
        ("from", "2019"),
        ("from", "2019-02-29"),
        ("from", "qX7Echo"),
        ("to", "2019-1-1"),
        ("to", "2019-01-01T00:00:00Z"),
        ("to", ""),
        ("category", ""),
        ("category", "qX7Echo qX7Echo"),
        ("category", "LAB#"),
        ("category", "a-code-of-more-than-thirty-two-letters"),
    ] {
        let request = abused.labs().query(name, wrong);
        let pointer = format!("query/{name}");
        abused.refused(id, wrong, request, 400, &*pointer).await;
    }
    let request = abused.labs().query("from", "2019-01-02");
    let request = request.query("to", "2019-01-01");
    let what = "an end before the beginning";
    abused.refused(id, what, request, 400, "query/to").await;
    for wrong in ["", "Conditions", "lab-results", "qX7Echo", "conditions#"] {
        let request = abused.labs().query("section", wrong);
        let list = "list-health-record";
        abused
            .refused(list, wrong, request, 400, "query/section")
            .await;
    }
    for (name, wrong) in [
        ("state", "OPEN"),
        ("state", "closed"),
        ("state", ""),
        ("limit", "05"),
        ("cursor", "qX7Echo"),
    ] {
        let request = abused.world.by_officer().query(name, wrong);
        let pointer = format!("query/{name}");
        abused
            .refused("list-access-concerns", wrong, request, 400, &*pointer)
            .await;
    }
    for (name, value) in [("limit", "5"), ("cursor", "a")] {
        let request = abused.labs().query(name, value).query(name, value);
        abused.refused(id, "twice", request, 400, "query").await;
    }
    let request = abused.labs().query("limit", "5").query("LIMIT", "5");
    abused
        .refused(id, "in capitals", request, 400, "query")
        .await;

    let cursor = |response: &shared::http::Response| {
        body(response)["next_cursor"].as_str().unwrap().to_owned()
    };
    let mine = cursor(
        &abused.functions[id]
            .respond(abused.labs().query("limit", "2"))
            .await,
    );
    let request = signed_in(theirs, Role::Patient)
        .patient(other)
        .query("limit", "2");
    let not_mine = cursor(&abused.functions[id].respond(request).await);
    let mut session = abused.labs().query("limit", "2");
    session.claims.as_mut().unwrap().origin = "another session".to_owned();
    let earlier = cursor(&abused.functions[id].respond(session).await);
    let mut providers = signed_in(abused.world.provider, Role::Provider);
    providers = providers.patient(abused.world.patient).query("limit", "2");
    let providers = cursor(&abused.functions[id].respond(providers).await);
    let flipped = {
        let (head, tail) = mine.split_at(mine.len() / 2);
        let first = if tail.starts_with('A') { "B" } else { "A" };
        format!("{head}{first}{}", &tail[1..])
    };
    let long = ECHO.repeat(2_000);
    for (what, wrong) in [
        ("someone else's", &*not_mine),
        ("another session's", &earlier),
        ("a provider's", &providers),
        ("truncated", &mine[..mine.len() - 4]),
        ("cut short", &mine[..8]),
        ("altered", &flipped),
        ("longer", &format!("{mine}AAAA")),
        ("empty", ""),
        ("a sort key", "LAB#2010-01-01T00:00:00Z#qX7Echo"),
        ("very long", &long),
        ("no base64", "%%%"),
    ] {
        let request = abused.labs().query("cursor", wrong);
        abused.refused(id, what, request, 400, "query/cursor").await;
    }
    // Nor is it good for other days, another list or another section.
    let request = abused
        .labs()
        .query("cursor", &mine)
        .query("to", "1970-01-01");
    let what = "other days";
    abused.refused(id, what, request, 400, "query/cursor").await;
    let series = abused.world.series().await;
    let mut request = abused.labs().query("cursor", &mine);
    request.path.push(("series".to_owned(), series));
    abused.before = tables(&abused.world).await;
    abused
        .refused("get-lab-trend", "a list's", request, 400, "query/cursor")
        .await;
    let section = |section: &str| abused.labs().query("section", section);
    let page = section("encounters").query("limit", "1");
    let encounters = cursor(&abused.functions["list-health-record"].respond(page).await);
    let request = section("vital-signs").query("cursor", &encounters);
    abused
        .refused(
            "list-health-record",
            "another section's",
            request,
            400,
            "query/cursor",
        )
        .await;
    // The cursor is not for another patient's list, even in the same session.
    let request = signed_in(abused.world.provider, Role::Provider).patient(other);
    let response = abused.functions[id]
        .respond(request.query("cursor", &mine))
        .await;
    assert!(response.status.is_client_error());
    // And it is good where it belongs.
    let response = abused.functions[id]
        .respond(abused.labs().query("cursor", &mine))
        .await;
    assert_eq!(response.status, 200, "{}", body(&response));
    abused.settled().await;
}

/// What a proxy's grant has and no other body.
#[tokio::test(flavor = "multi_thread")]
async fn proxies() {
    let mut abused = Abused::new().await;
    let id = "grant-proxy";
    let today = Practice::new("America/New_York", 13, 18)
        .unwrap()
        .today(Timestamp::now());
    let mut right = body_of(id);
    right["until"] = today.saturating_add(1.year()).to_string().into();
    for field in ["email", "name", "relationship", "categories"] {
        let mut less = right.clone();
        less.as_object_mut().unwrap().remove(field);
        let request = abused.request(id).json(&less);
        abused.refused(id, field, request, 400, "").await;
    }
    let mut endless = right.clone();
    endless.as_object_mut().unwrap().remove("until");
    let request = abused.request(id).json(&endless);
    abused.refused(id, "no end", request, 400, "/until").await;
    for day in [
        today.yesterday().unwrap(),
        today.saturating_add(5.years()).tomorrow().unwrap(),
        "0001-01-01".parse().unwrap(),
        "9999-12-31".parse().unwrap(),
    ] {
        let wrong = with(&right, "/until", json!(day.to_string()));
        let request = abused.request(id).json(&wrong);
        let what = day.to_string();
        abused.refused(id, &what, request, 400, "/until").await;
    }
    for (pointer, wrong) in [
        ("/categories", json!([])),
        ("/categories", json!(["profile", "lab-results", "profile"])),
        ("/categories", json!(ECHO)),
        ("/categories", json!({"profile": true})),
        ("/categories", Value::Null),
        ("/categories/1", json!(["profile", "Profile"])),
        ("/categories/0", json!([ECHO, "profile"])),
        ("/relationship", json!(ECHO)),
        ("/relationship", json!("Friend")),
        ("/relationship", json!({"friend": null})),
        ("/email", json!("qX7Echo@localhost")),
        ("/name", json!("   ")),
    ] {
        let field = pointer.trim_end_matches(|c: char| c == '/' || c.is_ascii_digit());
        let request = abused.request(id).json(&with(&right, field, wrong));
        abused.refused(id, pointer, request, 400, pointer).await;
    }
    let mut more = right.clone();
    more["basis"] = json!("parental");
    let request = abused.request(id).json(&more);
    abused.refused(id, "a basis", request, 400, "").await;
    let pointer = "header/idempotency-key";
    let request = abused.labs().json(&right);
    abused.refused(id, "no key", request, 400, pointer).await;
    for key in ["", "short", &ECHO.repeat(10)] {
        let request = abused.labs().header("idempotency-key", key).json(&right);
        abused.refused(id, key, request, 400, pointer).await;
    }
    let id = "revoke-proxy";
    for wrong in [
        "",
        "me",
        ECHO,
        "..",
        "{00000000-0000-0000-0000-000000000000}",
    ] {
        let mut request = abused.labs();
        request.path.push(("proxy".to_owned(), wrong.to_owned()));
        abused.refused(id, wrong, request, 400, "path/proxy").await;
    }
    let request = abused.labs();
    abused
        .refused(id, "no proxy", request, 400, "path/proxy")
        .await;
    let id = "list-proxied-patients";
    for (name, value) in [("limit", "0"), ("limit", ECHO), ("cursor", ECHO)] {
        let request = abused.labs().query(name, value);
        let pointer = format!("query/{name}");
        abused.refused(id, value, request, 400, &*pointer).await;
    }
    abused.settled().await;
}

/// What requests to the practice have and no other body.
#[tokio::test(flavor = "multi_thread")]
async fn requests_to_the_practice() {
    let mut abused = Abused::new().await;
    for (id, body, pointer) in [
        ("request-refill", json!({"note": "four left"}), ""),
        (
            "request-amendment",
            json!({"part": "other", "change": "this"}),
            "",
        ),
        (
            "request-amendment",
            json!({"part": "other", "reason": "that"}),
            "",
        ),
        (
            "request-amendment",
            json!({"change": "this", "reason": "that"}),
            "",
        ),
        ("review-refill", json!({}), ""),
        ("review-refill", json!({"reason": "no"}), ""),
        ("review-refill", json!({"decision": "denied"}), "/reason"),
        (
            "review-refill",
            json!({"decision": "withdrawn"}),
            "/decision",
        ),
        ("review-amendment", json!({}), ""),
        ("review-amendment", json!({"accept": {}}), "/accept"),
        ("review-amendment", json!({"accept": ["done"]}), "/accept"),
        (
            "review-amendment",
            json!({"deny": {"explanation": "no"}}),
            "/deny",
        ),
        (
            "review-amendment",
            json!({"deny": {"basis": "not-in-record-set"}}),
            "/deny",
        ),
        (
            "review-amendment",
            json!({"deny": {"basis": ECHO, "explanation": "no"}}),
            "/deny/basis",
        ),
        (
            "review-amendment",
            json!({"extend": {ECHO: ECHO}}),
            "/extend",
        ),
        (
            "review-amendment",
            json!({"accept": {"done": "a"}, "extend": {"reason": "b"}}),
            "",
        ),
        (
            "review-amendment",
            json!({"link": {"rebuttal": "no"}}),
            "/link",
        ),
        (
            "review-amendment",
            json!({"link": {"done": "a", "rebuttal": ""}}),
            "/link/rebuttal",
        ),
        (
            "review-amendment",
            json!({"link": {"done": "a"}, "accept": {"done": "b"}}),
            "",
        ),
        ("submit-disagreement", json!({}), ""),
    ] {
        let request = abused.request(id).json(&body);
        let what = body.to_string();
        abused.refused(id, &what, request, 400, pointer).await;
    }
    let pointer = "header/idempotency-key";
    for id in ["request-refill", "request-amendment"] {
        let request = abused.labs().json(&body_of(id));
        abused.refused(id, "no key", request, 400, pointer).await;
        for key in ["", "short", &ECHO.repeat(10)] {
            let request = abused.labs().header("idempotency-key", key);
            let request = request.json(&body_of(id));
            abused.refused(id, key, request, 400, pointer).await;
        }
    }
    for id in [
        "list-prescriptions",
        "list-refill-requests",
        "list-amendments",
    ] {
        for (name, value) in [("limit", "0"), ("limit", ECHO), ("cursor", ECHO)] {
            let request = abused.labs().query(name, value);
            let pointer = format!("query/{name}");
            abused.refused(id, value, request, 400, &*pointer).await;
        }
    }
    let request = abused.labs().query("status", ECHO);
    abused
        .refused("list-prescriptions", ECHO, request, 400, "query/status")
        .await;
    for (id, request) in [
        ("list-open-refills", abused.world.by_provider()),
        ("list-open-amendments", abused.world.by_officer()),
    ] {
        let request = request.query("limit", "51");
        abused.refused(id, "51", request, 400, "query/limit").await;
    }
    abused.settled().await;
}

fn naughty() -> Vec<String> {
    let file = std::fs::read(root().join("tests/data/corpora/strings/blns.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// Why a text is not taken: nothing here but words of our own.
#[test]
fn naughty_strings_get_no_echo() {
    let mut details = BTreeSet::new();
    let mut taken = 0;
    for (id, right) in bodies() {
        for pointer in texts_of(&right) {
            for text in naughty() {
                let request = anonymous()
                    .header("if-match", "\"0\"")
                    .header("idempotency-key", "a-key-of-its-own")
                    .concern(&Uuid::nil().to_string())
                    .patient(PatientId::new(Uuid::nil()))
                    .refill(&Uuid::nil().to_string())
                    .amendment(&Uuid::nil().to_string())
                    .access(&Uuid::nil().to_string())
                    .result(&Uuid::nil().to_string())
                    .thread(THREAD)
                    .owner("account")
                    .json(&with(&right, &pointer, json!(text)));
                let request = Request {
                    claims: signed_in(AccountId::new(Uuid::nil()), Role::Admin).claims,
                    ..request
                };
                let parsed = match id {
                    "request-export" => RequestExport::parse(&request).map(|_| ()),
                    "grant-proxy" => GrantProxy::parse(&request).map(|_| ()),
                    "request-upload" => RequestUpload::parse(&request).map(|_| ()),
                    "find-patient" => FindPatient::parse(&request).map(|_| ()),
                    "change-care-team" => ChangeCareTeam::parse(&request).map(|_| ()),
                    "invite-user" => InviteUser::parse(&request).map(|_| ()),
                    "issue-activation" => IssueActivation::parse(&request).map(|_| ()),
                    "list-users" => ListUsers::parse(&request).map(|_| ()),
                    "update-user" => UpdateUser::parse(&request).map(|_| ()),
                    "reset-user-mfa" => ResetUserMfa::parse(&request).map(|_| ()),
                    "update-profile" => UpdateProfile::parse(&request).map(|_| ()),
                    "set-availability" => SetAvailability::parse(&request).map(|_| ()),
                    "hold-slot" => HoldSlot::parse(&request).map(|_| ()),
                    "join-waitlist" => JoinWaitlist::parse(&request).map(|_| ()),
                    "book-appointment" => BookAppointment::parse(&request).map(|_| ()),
                    "reschedule-appointment" => RescheduleAppointment::parse(&request).map(|_| ()),
                    "cancel-appointment" => CancelAppointment::parse(&request).map(|_| ()),
                    "complete-appointment" => CompleteAppointment::parse(&request).map(|_| ()),
                    "report-access-concern" => ReportAccessConcern::parse(&request).map(|_| ()),
                    "break-glass" => BreakGlass::parse(&request).map(|_| ()),
                    "hold-lab-result" => HoldLabResult::parse(&request).map(|_| ()),
                    "request-email-change" => RequestEmailChange::parse(&request).map(|_| ()),
                    "confirm-email-change" => ConfirmEmailChange::parse(&request).map(|_| ()),
                    "review-break-glass" => ReviewBreakGlass::parse(&request).map(|_| ()),
                    "resolve-access-concern" => ResolveAccessConcern::parse(&request).map(|_| ()),
                    "request-refill" => RequestRefill::parse(&request).map(|_| ()),
                    "review-refill" => ReviewRefill::parse(&request).map(|_| ()),
                    "request-amendment" => RequestAmendment::parse(&request).map(|_| ()),
                    "review-amendment" => ReviewAmendment::parse(&request).map(|_| ()),
                    "submit-disagreement" => SubmitDisagreement::parse(&request).map(|_| ()),
                    "register-message-key" => RegisterMessageKey::parse(&request).map(|_| ()),
                    "unlock-message-key" => UnlockMessageKey::parse(&request).map(|_| ()),
                    "start-thread" => StartThread::parse(&request).map(|_| ()),
                    "send-message" => SendMessage::parse(&request).map(|_| ()),
                    "mark-thread-read" => MarkThreadRead::parse(&request).map(|_| ()),
                    "hide-thread" => HideThread::parse(&request).map(|_| ()),
                    "disclose-messages" => DiscloseMessages::parse(&request).map(|_| ()),
                    "suspend-accounting" => SuspendAccounting::parse(&request).map(|_| ()),
                    "search-audit" => SearchAudit::parse(&request).map(|_| ()),
                    "export-audit" => ExportAudit::parse(&request).map(|_| ()),
                    "share-thread" => ShareThread::parse(&request).map(|_| ()),
                    "assign-thread" => AssignThread::parse(&request).map(|_| ()),
                    _ => ActivateAccount::parse(&request).map(|_| ()),
                };
                match parsed {
                    Ok(()) => taken += 1,
                    // A type by another code: the hours for it name one that is not there.
                    Err(problem) if pointer == "/appointment_types/0/code" => {
                        assert_eq!(problem.errors.len(), 1);
                    }
                    Err(problem) => {
                        details.insert(only(&problem, &pointer));
                    }
                }
            }
        }
    }
    assert!(taken > 100, "{taken}");
    let details: Vec<_> = details.into_iter().collect();
    insta::assert_snapshot!(details.join("\n"), @r"
    must be 1 to 100 characters long
    must be 1 to 1000 characters long
    must be 1 to 10000 characters long
    must be 1 to 150 characters long
    must be 1 to 20 characters long
    must be 1 to 200 characters long
    must be 1 to 2000 characters long
    must be 1 to 300 characters long
    must be 1 to 500 characters long
    must be 1 to 60 characters long
    must be 1 to 64 characters long
    must be 10 to 500 characters long
    must be 113 bytes in base64url without padding
    must be 121 to 2048 bytes in base64url without padding
    must be 121 to 65536 bytes in base64url without padding
    must be 2 to 40 lower-case letters, digits and hyphens
    must be 2 to 60 characters long
    must be 32 bytes in base64url without padding
    must be 64 to 256 bytes in base64url without padding
    must be 65 bytes in base64url without padding
    must be a UUID such as 7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11
    must be a date such as 1980-12-31
    must be a telephone number of 7 to 15 digits
    must be a time such as 08:30, a multiple of five minutes
    must be a time such as 2027-01-31T17:00:00Z
    must be active or disabled
    must be an IANA time zone such as America/New_York
    must be an action such as profile.read
    must be an e-mail address such as name@example.org
    must be application/pdf or image/jpeg or image/png
    must be approved or denied
    must be csv or json-lines
    must be email or sms or none
    must be emergency-treatment or covering-colleague or patient-unresponsive or public-health-emergency or other
    must be en or es or ar or zh or fr or ht or ko or pt or ru or tl or vi
    must be exact or prefix
    must be fhir or html or pdf
    must be health-oversight or law-enforcement
    must be in-person or video or phone
    must be in-person-photo-id, video-call-photo-id or callback-to-number-on-file
    must be justified or not-justified
    must be medical-question or medication or test-result or appointment or billing or other
    must be monday or tuesday or wednesday or thursday or friday or saturday or sunday
    must be no-issue or corrected or sanctioned or breach-notification
    must be not-created-here or not-in-record-set or not-open-to-access or accurate-and-complete
    must be not-needed or other-plans or unwell or transport or provider-unavailable or practice-closed or asked-by-patient or other
    must be one of profile, lab-results, prescriptions, health-record, documents, appointments and messages
    must be one of spouse-or-partner, parent, guardian, child, sibling, friend, caregiver and other
    must be patient, provider, admin or privacy-officer
    must be preventing-harm or erroneous-data or privacy-precondition or individual-request
    must be profile or lab-results or prescriptions or health-record or documents or other
    must be required-by-law or public-health or abuse-or-neglect or health-oversight or judicial-proceeding or law-enforcement or death or serious-threat or government-function or workers-compensation or other
    must be success or denied or invalid or failure
    must be the 16 letters and digits that the practice gave you
    must be the 8 letters and digits of the e-mail
    must be the beginning of an e-mail address
    must be the code of one of the appointment types
    must be the file's SHA-256 in base64 (RFC 4648 section 4), 44 characters
    must be the id of an account, or providers
    must be the private key, in PKCS #8, of the P-256 public_key
    must be written or oral
    must hold letters
    must not hold control characters
    ");
}

fn only(problem: &Problem, pointer: &str) -> String {
    assert_eq!(problem.status, 400);
    let [error] = &*problem.errors else {
        panic!("{} errors", problem.errors.len());
    };
    assert_eq!(error.pointer, pointer);
    error.detail.to_string()
}

/// What is taken comes back byte for byte (without the blanks around it), now and later.
#[tokio::test(flavor = "multi_thread")]
async fn naughty_strings_are_kept_as_they_are() {
    let world = World::new().await;
    let update = Function::new(&world.stack, "update-profile");
    let read = Function::new(&world.stack, "get-profile");
    let own = || signed_in(world.account, Role::Patient).patient(world.patient);
    let mut version = 0;
    let mut refused = 0;
    for text in naughty() {
        let address =
            json!({"lines": [text, text], "city": text, "postal_code": "1", "country": "US"});
        let request = own()
            .header("if-match", &format!("\"{version}\""))
            .json(&json!({"address": address}));
        let response = update.respond(request).await;
        if response.status == 400 {
            refused += 1;
            continue;
        }
        assert_eq!(response.status, 200, "{text:?}: {}", body(&response));
        version += 1;
        assert_eq!(response.etag, Some(version));
        let stored = body(&read.respond(own()).await);
        for answer in [body(&response), stored] {
            let address = &answer["contact"]["address"];
            assert_eq!(address["city"], text.trim(), "{text:?}");
            assert_eq!(address["lines"], json!([text.trim(), text.trim()]));
        }
    }
    assert!(version > 100 && refused > 10, "{version} {refused}");
}

/// An activation with any text that passes for a number is an ordinary wrong attempt.
#[tokio::test(flavor = "multi_thread")]
async fn naughty_numbers_are_wrong_numbers() {
    let world = World::new().await;
    let letter = Letter::to_the_patient(&world).await;
    let activate = Function::new(&world.stack, "activate-account");
    for text in naughty().into_iter().step_by(7) {
        let wrong = Letter {
            mrn: text.clone(),
            ..letter.clone()
        };
        let response = activate
            .respond(wrong.request("a@example.org", "one-key-for-all"))
            .await;
        assert!(
            [400, 403].contains(&response.status.as_u16()),
            "{text:?}: {}",
            response.status
        );
    }
}

const KNOWN: &[&str] = &[
    "phone",
    "email",
    "address",
    "preferred_language",
    "notifications",
    "lines",
    "city",
    "mrn",
    "birth_date",
    "code",
    "reason",
    "explanation",
    "verdict",
    "outcome",
    "note",
    "role",
    "status",
    "search",
    "limit",
    "identity_check",
    "name",
    "relationship",
    "categories",
    "family",
    "match",
    "add",
    "remove",
    "expire",
    "practitioner",
    "until",
    "specialty",
    "time_zone",
    "appointment_types",
    "weekly",
    "exceptions",
    "type",
    "start",
    "notes",
    "summary",
    "prescription",
    "decision",
    "part",
    "entry",
    "change",
    "deny",
    "basis",
    "statement",
];

/// JSON of any shape, with the fields that are known more often than chance would have them.
fn any_json() -> impl Strategy<Value = Value> {
    let name = || {
        prop_oneof![
            4 => proptest::sample::select(KNOWN).prop_map(str::to_owned),
            1 => ".{0,12}",
        ]
    };
    let text = prop_oneof![
        ".{0,80}",
        Just("someone@example.org".to_owned()),
        Just("1980-01-02".to_owned()),
        Just("ABCDEFGHJKMNPQRS".to_owned()),
        "[0-9+ ().-]{5,20}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            4 => proptest::collection::vec((name(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

#[test]
fn no_body_is_our_fault() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let bodies = bodies().into_iter();
    let functions: Vec<_> = bodies
        .map(|(id, _)| (id, Function::new(&world.stack, id)))
        .collect();
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    let ran = runner.run(&any_json(), |json| {
        for (id, function) in &functions {
            let request = without_body(&world, id);
            let status = runtime
                .block_on(function.respond(request.json(&json)))
                .status;
            prop_assert!(!status.is_server_error(), "{id}: {status}");
        }
        Ok(())
    });
    ran.unwrap();
}
