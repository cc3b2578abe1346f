//! A patient with an account, and the operations that there are.

use super::function::Function;
use super::mail;
use super::recorder::Recorder;
use super::request::{With, anonymous, body, signed_in};
use super::schedule::{self, around_the_clock, day, free_hour};
use super::{Stack, Whose};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use shared::access::Role;
use shared::api::{Auth, Category, Operation, Spec, Trigger, Visitor, visit_all};
use shared::aws::{Aws, Resource};
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId, PractitionerId, ProxyId};
use shared::phi::{DataKeys, Place, seal};
use uuid::Uuid;

struct Specs(Vec<&'static Spec>);

impl Visitor for Specs {
    fn operation<Op: Operation>(&mut self) {
        self.0.push(Op::SPEC);
    }

    fn event(&mut self, spec: &'static Spec) {
        self.0.push(spec);
    }
}

pub fn specs() -> Vec<&'static Spec> {
    let mut specs = Specs(Vec::new());
    visit_all(&mut specs);
    specs.0
}

/// A calendar program's request.
pub fn calendar_at(path: &str) -> Request {
    let address = path
        .strip_prefix("/v1/calendars/")
        .and_then(|path| path.strip_suffix("/appointments.ics"));
    let mut request = anonymous();
    let address = address.unwrap().to_owned();
    request.path.push(("address".to_owned(), address));
    request
}

pub fn is_about_a_patient(spec: &Spec) -> bool {
    matches!(spec.trigger, Trigger::Http { path, .. } if path.contains("{patient}"))
}

/// What a provider writes who breaks the glass, and a privacy officer who looks at it.
pub const EXPLANATION: &str = "CANARY-900 was found on the floor, and nobody is with them";
/// What a patient writes who asks about an access.
pub const REPORT: &str = "CANARY-902 is my neighbour, who does not treat me";
/// What a provider writes who holds a result.
pub const HELD_BECAUSE: &str = "CANARY-903 is to hear of it from us, with somebody beside them";
pub const NOTE: &str = "CANARY-901 was never in our emergency department";

/// Why somebody comes, and what is written about the visit.
pub const REASON: &str = "CANARY-902 for three weeks";
pub const VISIT_NOTES: &str = "CANARY-903 is better.\nSee again in a year.";
pub const SUMMARY: &str = "CANARY-904 may be left off now.";
/// What a patient calls a file.
pub const LETTER: &str = "CANARY-902 letter.pdf";

/// A PDF of one empty page.
pub fn letter() -> Vec<u8> {
    pdf("", "", &[])
}

/// A PDF with entries of the catalog and the page, and more objects, from the fourth on.
pub fn pdf(catalog: &str, page: &str, objects: &[&str]) -> Vec<u8> {
    let mut all = vec![
        format!("<< /Type /Catalog /Pages 2 0 R {catalog} >>"),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] {page} >>"),
    ];
    all.extend(objects.iter().map(|object| (*object).to_owned()));
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", all.len() + 1);
    for (at, object) in all.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", at + 1).into_bytes());
    }
    let trailer = format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{}\n%%EOF\n",
        all.len() + 1,
        file.len()
    );
    file.extend(table.into_bytes());
    file.extend(trailer.into_bytes());
    file
}

/// A stack with a patient who has an account, a provider who treats the patient and a colleague who
/// does not, an administrator and a privacy officer.
pub struct World {
    pub stack: Stack,
    pub patient: PatientId,
    /// The patient's medical record number.
    pub mrn: String,
    pub account: AccountId,
    pub provider: AccountId,
    /// The provider in the directory.
    pub practitioner: PractitionerId,
    pub colleague: PractitionerId,
    pub admin: AccountId,
    pub officer: AccountId,
}

impl World {
    pub async fn new() -> Self {
        Self::around_sample("Luigi_Wiegand").await
    }

    /// The same with the patient of another sample file.
    pub async fn around_sample(part_of_name: &str) -> Self {
        let stack = Stack::new().await;
        let patient = stack.sample(part_of_name).await;
        Self::around(stack, patient).await
    }

    /// The same with a patient who is there already, and has a care team.
    pub async fn around(stack: Stack, patient: PatientId) -> Self {
        let account = stack.account(Role::Patient, Whose::Patient(patient)).await;
        let practitioner = *stack.care_team(patient).await.first().expect("a care team");
        let provider = stack
            .account(Role::Provider, Whose::Practitioner(practitioner))
            .await;
        let admin = stack.account(Role::Admin, Whose::Nobody).await;
        let officer = stack.account(Role::PrivacyOfficer, Whose::Nobody).await;
        list_in_directory(&stack, practitioner).await;
        schedule::open(&stack, practitioner, &around_the_clock()).await;
        let colleague = stack.practitioner("A colleague of theirs").await;
        let profile = specs().into_iter().find(|spec| spec.id == "get-profile");
        let request = signed_in(account, Role::Patient).patient(patient);
        let aws = stack.aws(&Recorder::default());
        let profile = body(&call(&aws, profile.unwrap(), request).await);
        Self {
            stack,
            patient,
            mrn: profile["mrn"].as_str().unwrap().to_owned(),
            account,
            provider,
            practitioner,
            colleague,
            admin,
            officer,
        }
    }

    /// Another patient in the same stack, and their account.
    pub async fn another(&self) -> (PatientId, AccountId) {
        let patient = self.stack.sample("Noel_Reynolds").await;
        let account = Whose::Patient(patient);
        (patient, self.stack.account(Role::Patient, account).await)
    }

    /// A request that the operation takes, by somebody who may: it succeeds each time that it is
    /// made anew.
    pub async fn allowed(&self, spec: &Spec) -> Request {
        self.forget_appointments().await;
        match spec.id {
            "activate-account" => anonymous(),
            "update-profile" => self
                .by_patient()
                .patient(self.patient)
                .header("if-match", "\"0\"")
                .json(&json!({"phone": "555-010-0199"})),
            "report-access-concern" => {
                let access = self.an_access().await;
                self.report(&access, &json!({"explanation": REPORT}))
            }
            "get-lab-result" => {
                let result = self.results().await.remove(0);
                self.by_patient().patient(self.patient).result(&result.0)
            }
            "get-lab-trend" => {
                let mut request = self.by_patient().patient(self.patient);
                request
                    .path
                    .push(("series".to_owned(), self.series().await));
                request
            }
            // The oldest is held, the one after it released, and the newest can be seen.
            "hold-lab-result" => {
                let (result, held) = self.results().await.pop().unwrap();
                if held {
                    self.done("release-lab-result", self.release(&result)).await;
                }
                self.hold(&result)
            }
            "release-lab-result" => {
                let (result, held) = self.results().await.into_iter().nth_back(1).unwrap();
                if !held {
                    self.done("hold-lab-result", self.hold(&result)).await;
                }
                self.release(&result)
            }
            "list-lab-holds" => self.by_officer(),
            "list-health-record" => {
                let request = self.by_patient().patient(self.patient);
                request.query("section", "conditions")
            }
            "list-my-patients" => self.by_provider(),
            "find-patient" => self.by_provider().json(&json!({"mrn": self.mrn})),
            "get-patient-summary" => self.by_provider().patient(self.patient),
            // A colleague comes and goes.
            "change-care-team" => {
                let (version, on_team) = self.team().await;
                let change = if on_team { "remove" } else { "add" };
                self.change_team(version, &json!({change: {"practitioner": self.colleague}}))
            }
            "grant-proxy" => self.grant("somebody@example.org", &["profile"]),
            "revoke-proxy" => {
                let (_, proxy) = self.granted("revoked@example.org", &["profile"]).await;
                self.by_patient().patient(self.patient).proxy(proxy)
            }
            "list-proxied-patients" => {
                let (account, _) = self.granted("proxy@example.org", &["profile"]).await;
                signed_in(account, Role::Patient)
            }
            "end-session" => {
                let session = self.session(&Uuid::new_v4().to_string()).await;
                let mut request = self.by_patient();
                request.path.push(("session".to_owned(), session));
                request
            }
            // Whoever asked three times waits, and whose address changes is out.
            "request-email-change" => self.new_address().await.1,
            "confirm-email-change" => self.both_codes().await,
            // Whoever signs out is out.
            "sign-out-everywhere" => {
                let whose = Whose::Patient(self.patient);
                signed_in(
                    self.stack.account(Role::Patient, whose).await,
                    Role::Patient,
                )
            }
            "get-availability" => self.by_provider(),
            "set-availability" => {
                let version = self.availability_version().await;
                self.by_provider()
                    .header("if-match", &format!("\"{version}\""))
                    .json(&around_the_clock())
            }
            "list-open-slots" => self
                .by_patient()
                .query("provider", &self.practitioner.to_string())
                .query("type", "visit")
                .query("from", &day(schedule::hour(0)))
                .query("to", &day(schedule::hour(0))),
            "hold-slot" => self
                .by_patient()
                .patient(self.patient)
                .json(&self.slot("visit", free_hour())),
            "book-appointment" => self.booking("visit", free_hour()),
            "list-appointments" => {
                self.booked(free_hour()).await;
                self.by_patient().patient(self.patient)
            }
            "read-calendar" => calendar_at(&self.calendar().await),
            "get-appointment" | "get-calendar" => {
                let id = self.booked(free_hour()).await;
                self.by_patient().patient(self.patient).appointment(&id)
            }
            "reschedule-appointment" => self
                .step(&self.booked(free_hour()).await)
                .json(&json!({"start": free_hour()})),
            "cancel-appointment" => self
                .step(&self.booked(free_hour()).await)
                .json(&json!({"reason": "other-plans"})),
            "confirm-appointment" => self.step_by_provider(&self.booked(free_hour()).await),
            "complete-appointment" => self
                .step_by_provider(&self.begun().await)
                .json(&json!({"notes": VISIT_NOTES, "summary": SUMMARY})),
            "mark-no-show" => self.step_by_provider(&self.begun().await),
            "list-schedule" => {
                let start = free_hour();
                self.booked(start).await;
                self.by_provider()
                    .query("from", &day(schedule::later(start, -24 * 60)))
                    .query("to", &day(start))
            }
            // Five places at most.
            "join-waitlist" => {
                self.stack.forget_waitlist().await;
                self.joining()
            }
            "list-waitlist" => {
                self.waits().await;
                self.by_patient().patient(self.patient)
            }
            "leave-waitlist" => {
                let place = self.waits().await;
                let mut request = self.by_patient().patient(self.patient);
                request.path.push(("place".to_owned(), place));
                request
            }
            "list-waiting-patients" => {
                self.waits().await;
                self.by_provider()
            }
            "request-refill" => {
                self.forget_turns().await;
                self.ask_for(&self.prescription().await)
            }
            "withdraw-refill" => {
                let refill = self.refill(&self.prescription().await).await;
                self.by_patient().patient(self.patient).refill(&refill)
            }
            "list-refill-requests" => {
                self.refill(&self.prescription().await).await;
                self.by_patient().patient(self.patient)
            }
            "list-open-refills" => {
                self.refill(&self.prescription().await).await;
                self.by_provider()
            }
            "review-refill" => {
                let refill = self.refill(&self.prescription().await).await;
                self.review_refill(&refill, &json!({"decision": "approved"}))
            }
            "request-amendment" => self.amend("health-record"),
            "list-amendments" => {
                self.amendment().await;
                self.by_patient().patient(self.patient)
            }
            "list-open-amendments" => {
                self.amendment().await;
                self.by_officer()
            }
            "review-amendment" => {
                let amendment = self.amendment().await;
                self.review_amendment(&amendment, &json!({"accept": {"done": NOTE}}))
            }
            "submit-disagreement" => {
                let amendment = self.amendment().await;
                let deny = json!({"basis": "accurate-and-complete", "explanation": NOTE});
                let deny = self.review_amendment(&amendment, &json!({"deny": deny}));
                self.done("review-amendment", deny).await;
                let request = self.by_patient().patient(self.patient);
                request
                    .amendment(&amendment)
                    .json(&json!({"statement": EXPLANATION}))
            }
            // One at a time, and a few a day.
            "request-export" => {
                self.stack.forget_exports().await;
                self.export_of(&json!({}))
            }
            "break-glass" => self.emergency().await,
            "list-access-concerns" => self.by_officer(),
            "get-access-concern" => {
                let concern = self.concern("break-glass").await;
                self.by_officer().concern(&concern)
            }
            "review-break-glass" => {
                let concern = self.concern("break-glass").await;
                let review = json!({"verdict": "not-justified", "note": NOTE});
                self.by_officer().concern(&concern).json(&review)
            }
            "resolve-access-concern" => {
                let concern = self.concern("patient-report").await;
                let resolution = json!({"outcome": "no-issue", "note": NOTE});
                self.by_officer().concern(&concern).json(&resolution)
            }
            "allow-break-glass" => {
                let concern = self.concern("break-glass").await;
                let review = json!({"verdict": "not-justified", "note": NOTE});
                let review = self.by_officer().concern(&concern).json(&review);
                let function = Function::new(&self.stack, "review-break-glass");
                assert_eq!(function.respond(review).await.status, 200);
                self.by_officer().concern(&concern)
            }
            "invite-user" => self
                .by_admin()
                .header("idempotency-key", &Uuid::new_v4().to_string())
                .json(&json!({
                    "role": "provider",
                    "email": format!("{}@example.org", Uuid::new_v4().simple()),
                    "practitioner": self.stack.practitioner("A new colleague").await,
                })),
            "issue-activation" => self.by_admin().json(&json!({"mrn": self.mrn})),
            "list-users" => self.by_admin().json(&json!({"role": "admin", "limit": 3})),
            "update-user" => self
                .by_admin()
                .account(self.somebody().await)
                .header("if-match", "\"0\"")
                .json(&json!({
                    "role": "provider",
                    "practitioner": self.stack.practitioner("A new colleague").await,
                    "status": "disabled",
                })),
            "sign-out-user" => self.by_admin().account(self.somebody().await),
            "reset-user-mfa" => self
                .by_admin()
                .account(self.somebody().await)
                .json(&json!({"identity_check": "in-person-photo-id"})),
            "request-upload" => {
                self.forget_quotas().await;
                self.upload(LETTER, "application/pdf", &letter())
            }
            "get-document" | "delete-document" => {
                let document = self.document("available").await;
                self.by_patient().patient(self.patient).document(&document)
            }
            "review-document" => {
                let document = self.document("available").await;
                self.by_provider().patient(self.patient).document(&document)
            }
            "list-events" => self.by_patient().query("after", "0"),
            id if let Some(request) = self.about_messages(id).await => request,
            _ if is_about_a_patient(spec) => self.by_patient().patient(self.patient),
            _ => self.by_patient(),
        }
    }

    /// A time of the provider's.
    pub fn slot(&self, appointment_type: &str, start: Timestamp) -> Value {
        json!({"practitioner": self.practitioner, "type": appointment_type, "start": start})
    }

    /// A booking of the patient's, with a key of its own.
    pub fn booking(&self, appointment_type: &str, start: Timestamp) -> Request {
        let mut body = self.slot(appointment_type, start);
        body["reason"] = REASON.into();
        self.by_patient()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(&body)
    }

    /// The same, made: the id of the visit.
    pub async fn booked(&self, start: Timestamp) -> String {
        let book = Function::new(&self.stack, "book-appointment");
        let response = book.respond(self.booking("visit", start)).await;
        let answer = body(&response);
        assert_eq!(response.status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// The patient wants a visit to the provider, one of these days.
    pub fn joining(&self) -> Request {
        let day = day(schedule::hour(0));
        let wish = json!({
            "practitioner": self.practitioner, "type": "visit", "from": day, "to": day,
        });
        self.by_patient()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(&wish)
    }

    /// The same, joined: the id of the place.
    pub async fn waits(&self) -> String {
        self.stack.forget_waitlist().await;
        let place = self.done("join-waitlist", self.joining()).await;
        place["id"].as_str().unwrap().to_owned()
    }

    /// A visit that began an hour ago: only tests turn the clock back.
    pub async fn begun(&self) -> String {
        let id = self.booked(free_hour()).await;
        let start = Timestamp::from_second(Timestamp::now().as_second() / 300 * 300).unwrap();
        let start = schedule::later(start, -60);
        self.stack.begins(self.patient, &id, start).await;
        id
    }

    /// A step of an appointment that nobody has changed yet.
    pub fn step(&self, appointment: &str) -> Request {
        self.by_patient()
            .patient(self.patient)
            .appointment(appointment)
            .header("if-match", "\"1\"")
    }

    pub fn step_by_provider(&self, appointment: &str) -> Request {
        self.by_provider()
            .patient(self.patient)
            .appointment(appointment)
            .header("if-match", "\"1\"")
    }

    /// The path of the patient's calendar, which begins anew.
    pub async fn calendar(&self) -> String {
        let request = self.by_patient().patient(self.patient);
        let opened = self.done("open-calendar", request).await;
        opened["path"].as_str().unwrap().to_owned()
    }

    /// How often the provider's availability was set.
    async fn availability_version(&self) -> String {
        let rows = self.stack.items(Resource::ScheduleTable).await.into_iter();
        let key = format!("PRACTITIONER#{}", self.practitioner);
        let mut rows = rows.filter(|row| row["pk"] == key.as_str() && row["sk"] == "AVAILABILITY");
        rows.next().unwrap()["version"].as_str().unwrap().to_owned()
    }

    /// The rows of the patient's results, newest first.
    async fn result_rows(&self) -> Vec<Value> {
        let pk = format!("PATIENT#{}", self.patient);
        let mut rows = self.stack.items(Resource::RecordsTable).await;
        let sk = |row: &Value| row["sk"].as_str().unwrap().to_owned();
        rows.retain(|row| row["pk"] == pk.as_str() && sk(row).starts_with("LAB#"));
        rows.sort_by_key(|row| std::cmp::Reverse(sk(row)));
        rows
    }

    /// The patient's results, newest first: each id, and whether there is a hold on it.
    pub async fn results(&self) -> Vec<(String, bool)> {
        let pk = format!("PATIENT#{}", self.patient);
        let rows = self.stack.items(Resource::PatientsTable).await;
        let is_held = |id: &str| {
            let sk = format!("CONTEXT#HOLD#{id}");
            rows.iter()
                .any(|row| row["pk"] == pk.as_str() && row["sk"] == sk.as_str())
        };
        let results = self.result_rows().await.into_iter();
        results
            .map(|row| {
                let id = row["id"].as_str().unwrap();
                (id.to_owned(), is_held(id))
            })
            .collect()
    }

    /// The series of the patient's newest result.
    pub async fn series(&self) -> String {
        let newest = self.result_rows().await.remove(0);
        let key = newest["series"].as_str().unwrap().to_owned();
        key.split('#').nth(1).unwrap().to_owned()
    }

    /// The provider holds a result, for a week.
    pub fn hold(&self, result: &str) -> Request {
        let until = Timestamp::now() + SignedDuration::from_hours(7 * 24);
        self.by_provider()
            .patient(self.patient)
            .result(result)
            .json(&json!({
                "reason": "preventing-harm",
                "explanation": HELD_BECAUSE,
                "until": until.to_string(),
            }))
    }

    pub fn release(&self, result: &str) -> Request {
        let request = self.by_provider().patient(self.patient);
        request.result(result)
    }

    /// Sends a request that must succeed.
    pub async fn done(&self, id: &str, request: Request) -> Value {
        let response = Function::new(&self.stack, id).respond(request).await;
        let answer = body(&response);
        assert!(response.status.is_success(), "{id}: {answer}");
        answer
    }

    /// A new active prescription of the patient's, as an import would have left it.
    pub async fn prescription(&self) -> String {
        let resource = json!({
            "resourceType": "MedicationRequest", "id": Uuid::new_v4(), "status": "active",
            "intent": "order", "authoredOn": "2024-03-01",
            "medicationCodeableConcept": {"text": "CANARY-920 10 mg"},
        });
        self.entry("MEDICATION#ACTIVE#2024-03-01T00:00:00.000Z", &resource)
            .await
    }

    /// A new entry of the patient's record.
    pub async fn entry(&self, section_and_time: &str, resource: &Value) -> String {
        let id = Uuid::new_v4().to_string();
        let aws = self.stack.aws(&Recorder::default());
        let pk = format!("PATIENT#{}", self.patient);
        let sk = format!("{section_and_time}#{id}");
        let rows = self.stack.scan(Resource::PatientsTable).await.into_iter();
        let mut rows = rows.filter(|row| row["pk"]["S"] == *pk);
        let row = rows.find(|row| row["sk"]["S"] == "CONTEXT#KEY").unwrap();
        let wrapped = STANDARD.decode(row["wrapped"]["B"].as_str().unwrap());
        let keys = DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey).unwrap());
        let key = keys.unwrap(self.patient, &wrapped.unwrap()).await.unwrap();
        let place = Place {
            table: "records",
            pk: &pk,
            sk: &sk,
            attribute: "sealed",
        };
        let content = json!({"resource": resource}).to_string();
        let sealed = seal(&key, &place, content.as_bytes()).unwrap();
        let item = json!({
            "pk": {"S": pk},
            "sk": {"S": sk},
            "id": {"S": id},
            "type": {"S": resource["resourceType"]},
            "sealed": {"B": STANDARD.encode(sealed)},
        });
        self.stack.put(Resource::RecordsTable, item).await;
        id
    }

    /// Asks for a refill.
    pub fn ask_for(&self, prescription: &str) -> Request {
        self.by_patient()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(&json!({"prescription": prescription, "note": EXPLANATION}))
    }

    /// The same, asked.
    pub async fn refill(&self, prescription: &str) -> String {
        self.forget_turns().await;
        let answer = self
            .done("request-refill", self.ask_for(prescription))
            .await;
        answer["id"].as_str().unwrap().to_owned()
    }

    pub fn review_refill(&self, refill: &str, answer: &Value) -> Request {
        let request = self.by_provider().patient(self.patient);
        request.refill(refill).json(answer)
    }

    /// Asks for an amendment.
    pub fn amend(&self, part: &str) -> Request {
        self.by_patient()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(&json!({"part": part, "change": EXPLANATION, "reason": "CANARY-930"}))
    }

    /// The same, asked, after the privacy officer has answered those before: twenty may wait.
    pub async fn amendment(&self) -> String {
        self.forget_turns().await;
        let list = self.by_patient().patient(self.patient);
        let amendments = self.done("list-amendments", list).await;
        let amendments = amendments["amendments"].as_array().unwrap().clone();
        let mut open = amendments
            .iter()
            .filter(|one| one["state"] == "requested")
            .skip(15);
        if let Some(oldest) = open.next() {
            let accept = json!({"accept": {"done": NOTE}});
            let id = oldest["id"].as_str().unwrap();
            self.done("review-amendment", self.review_amendment(id, &accept))
                .await;
        }
        let answer = self
            .done("request-amendment", self.amend("health-record"))
            .await;
        answer["id"].as_str().unwrap().to_owned()
    }

    pub fn review_amendment(&self, amendment: &str, answer: &Value) -> Request {
        let request = self.by_officer().patient(self.patient);
        request.amendment(amendment).json(answer)
    }

    /// The patient asks the privacy officer about an access.
    pub fn report(&self, access: &str, words: &Value) -> Request {
        let request = self.by_patient().patient(self.patient);
        request.access(access).json(words)
    }

    /// The provider looks at the profile: the id of the record of it.
    pub async fn an_access(&self) -> String {
        let profile = Function::new(&self.stack, "get-profile");
        let request = self.by_provider().patient(self.patient);
        let id = request.request_id.clone();
        assert_eq!(profile.respond(request).await.status, 200);
        let mut records = self.stack.audit().await.into_iter();
        let record = records.find(|record| record["request_id"] == *id).unwrap();
        record["id"].as_str().unwrap().to_owned()
    }

    /// Somebody's old address, and their request for a new one.
    pub async fn new_address(&self) -> (String, Request) {
        let [old, new] = [(); 2].map(|()| format!("{}@example.org", Uuid::new_v4().simple()));
        let account = self.stack.account_at(&old, Role::Patient, Whose::Nobody);
        let request = signed_in(account.await, Role::Patient).since(1);
        (old, request.json(&json!({"email": new})))
    }

    /// Somebody who asked for a new address confirms it.
    async fn both_codes(&self) -> Request {
        let (old, request) = self.new_address().await;
        let new: Value = serde_json::from_slice(&request.body).unwrap();
        let claims = request.claims.clone();
        let ask = Function::new(&self.stack, "request-email-change");
        let answer = body(&ask.respond(request).await);
        assert_eq!(answer["sent"], true, "{answer}");
        let confirm = json!({
            "old_address_code": mail::last_code(&self.stack, &old).await,
            "new_address_code": mail::last_code(&self.stack, new["email"].as_str().unwrap()).await,
        });
        Request {
            claims,
            ..anonymous().json(&confirm)
        }
    }

    /// The patient announces a file.
    pub fn upload(&self, name: &str, content_type: &str, file: &[u8]) -> Request {
        let sha256 = digest::digest(&digest::SHA256, file);
        self.by_patient()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(&json!({
                "name": name,
                "content_type": content_type,
                "size": file.len(),
                "sha256": STANDARD.encode(sha256),
            }))
    }

    /// What the patient asked the practice for is not counted any more.
    async fn forget_turns(&self) {
        for row in self.stack.items(Resource::AccountsTable).await {
            let key = row["pk"].as_str().unwrap();
            let counts = ["request-refill", "request-amendment", "submit-disagreement"];
            if key.starts_with("RATE#") && counts.iter().any(|operation| key.contains(operation)) {
                let table = &self.stack.names[&Resource::AccountsTable];
                let delete = json!({"TableName": table, "Key": {"pk": {"S": key}}});
                self.stack.dynamodb("DeleteItem", delete).await;
            }
        }
    }

    /// How many appointments the patient has is forgotten.
    async fn forget_appointments(&self) {
        let pk = format!("PATIENT#{}", self.patient);
        let key = json!({"pk": {"S": pk}, "sk": {"S": "ROSTER#APPOINTMENTS"}});
        let table = &self.stack.names[&Resource::ScheduleTable];
        let delete = json!({"TableName": table, "Key": key});
        self.stack.dynamodb("DeleteItem", delete).await;
    }

    /// How many files were announced is forgotten.
    pub async fn forget_quotas(&self) {
        for row in self.stack.items(Resource::DocumentsTable).await {
            if row["sk"].as_str().unwrap().starts_with("QUOTA#") {
                let key = json!({"pk": {"S": row["pk"]}, "sk": {"S": row["sk"]}});
                let table = &self.stack.names[&Resource::DocumentsTable];
                let delete = json!({"TableName": table, "Key": key});
                self.stack.dynamodb("DeleteItem", delete).await;
            }
        }
    }

    /// The id of a new upload that is as far as this.
    pub async fn document(&self, status: &str) -> String {
        self.forget_quotas().await;
        let announce = Function::new(&self.stack, "request-upload");
        let request = self.upload(LETTER, "application/pdf", &letter());
        let response = announce.respond(request).await;
        let answer = body(&response);
        assert_eq!(response.status, 201, "{answer}");
        let id = answer["id"].as_str().unwrap().to_owned();
        self.set_upload(&id, "status", status).await;
        id
    }

    /// Changes an attribute of an upload's row.
    pub async fn set_upload(&self, id: &str, name: &str, value: &str) {
        let sk = format!("UPLOAD#{id}");
        let rows = self.stack.scan(Resource::DocumentsTable).await.into_iter();
        let mut row = rows.into_iter().find(|row| row["sk"]["S"] == sk).unwrap();
        row[name] = json!({"S": value});
        self.stack.put(Resource::DocumentsTable, row).await;
    }

    /// The event of a file that arrived as announced.
    pub async fn arrived(&self) -> Value {
        let id = self.document("uploading").await;
        let key = format!("{}/{id}", self.patient);
        let bucket = &self.stack.names[&Resource::QuarantineBucket];
        let root = &self.stack.root;
        root.put_object(bucket, &key, letter()).await.unwrap();
        json!({"Records": [{"s3": {"object": {"key": key}}}]})
    }

    /// The patient asks for a copy of their record.
    pub fn export_of(&self, wanted: &Value) -> Request {
        self.by_patient()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(wanted)
    }

    /// A grant of the patient's, for a year.
    pub fn grant(&self, email: &str, categories: &[&str]) -> Request {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        self.by_patient()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(&json!({
                "email": email,
                "name": "Somebody Else",
                "relationship": "friend",
                "categories": categories,
                "until": today.saturating_add(1.year()).to_string(),
            }))
    }

    /// The same, made: whose account it is for, and the grant.
    pub async fn granted(&self, email: &str, categories: &[&str]) -> (AccountId, ProxyId) {
        let grant = Function::new(&self.stack, "grant-proxy");
        let response = grant.respond(self.grant(email, categories)).await;
        let answer = body(&response);
        assert_eq!(response.status, 201, "{answer}");
        let id = answer["id"].as_str().unwrap();
        (self.stack.proxy_row(id).await.1, id.parse().unwrap())
    }

    /// Somebody who acts for the patient as their parent, in everything, and the grant.
    pub async fn a_parent(&self) -> (AccountId, ProxyId) {
        let all = Category::ALL.map(Category::as_str);
        let email = format!("{}@example.org", Uuid::new_v4().simple());
        let request = self
            .by_provider()
            .patient(self.patient)
            .header("idempotency-key", &Uuid::new_v4().to_string())
            .json(&json!({
                "email": email, "name": "A Parent", "relationship": "parent", "categories": all,
            }));
        let granted = self.done("grant-proxy", request).await;
        let id = granted["id"].as_str().unwrap();
        (self.stack.proxy_row(id).await.1, id.parse().unwrap())
    }

    /// A request of the patient's from another sign-in.
    pub fn by_patient_at(&self, origin: &str) -> Request {
        let mut request = self.by_patient();
        request.claims.as_mut().unwrap().origin = origin.to_owned();
        request
    }

    /// The same, seen: the session's id.
    pub async fn session(&self, origin: &str) -> String {
        let account = Function::new(&self.stack, "get-account");
        let answer = body(&account.respond(self.by_patient_at(origin)).await);
        answer["session"].as_str().unwrap().to_owned()
    }

    pub fn by_patient(&self) -> Request {
        signed_in(self.account, Role::Patient)
    }

    pub fn by_officer(&self) -> Request {
        signed_in(self.officer, Role::PrivacyOfficer)
    }

    /// A provider who does not treat the patient, signed in just now.
    pub async fn by_stranger(&self) -> Request {
        let whose = Whose::Practitioner(PractitionerId::new(Uuid::new_v4()));
        let provider = self.stack.account(Role::Provider, whose).await;
        signed_in(provider, Role::Provider)
            .since(0)
            .patient(self.patient)
    }

    /// Such a provider breaks the glass.
    pub async fn emergency(&self) -> Request {
        let why = json!({"reason": "emergency-treatment", "explanation": EXPLANATION});
        self.by_stranger().await.json(&why)
    }

    /// The id of a new concern about the patient.
    pub async fn concern(&self, kind: &str) -> String {
        let (id, request) = match kind {
            "break-glass" => (kind, self.emergency().await),
            _ => {
                let access = self.an_access().await;
                let request = self.report(&access, &json!({"explanation": REPORT}));
                ("report-access-concern", request)
            }
        };
        let spec = specs().into_iter().find(|spec| spec.id == id).unwrap();
        let before = self.concerns().await;
        let aws = self.stack.aws(&Recorder::default());
        let response = call(&aws, spec, request).await;
        assert_eq!(response.status, 201, "{}", body(&response));
        let mut new = self.concerns().await;
        new.retain(|id| !before.contains(id));
        new.remove(0)
    }

    /// The ids of the concerns that are open.
    async fn concerns(&self) -> Vec<String> {
        let mut rows = self.stack.items(Resource::PatientsTable).await;
        rows.retain(|row| row["pk"] == "CONCERNS#open");
        let ids = rows
            .iter()
            .map(|row| row["sk"].as_str().unwrap().to_owned());
        ids.collect()
    }

    pub fn by_admin(&self) -> Request {
        signed_in(self.admin, Role::Admin)
    }

    /// An account of staff that a test may change.
    async fn somebody(&self) -> AccountId {
        self.stack
            .account(Role::PrivacyOfficer, Whose::Nobody)
            .await
    }

    pub fn by_provider(&self) -> Request {
        signed_in(self.provider, Role::Provider)
    }

    /// A change of the patient's care team.
    pub fn change_team(&self, version: u64, change: &Value) -> Request {
        self.by_provider()
            .patient(self.patient)
            .header("if-match", &format!("\"{version}\""))
            .json(change)
    }

    /// How often the care team was changed, and whether the colleague is on it.
    pub async fn team(&self) -> (u64, bool) {
        let pk = format!("PATIENT#{}", self.patient);
        let mut rows = self.stack.items(Resource::PatientsTable).await;
        rows.retain(|row| row["pk"] == pk.as_str());
        let row = |sk: &str| rows.iter().find(|row| row["sk"] == sk);
        let version = row("CONTEXT#CARE-TEAM")
            .and_then(|row| row["version"].as_str()?.parse().ok())
            .unwrap_or(0);
        let member = row(&format!("CONTEXT#CARE-TEAM#{}", self.colleague));
        (version, member.is_some_and(|row| row["until"].is_null()))
    }
}

/// What a file of the record system would have brought.
async fn list_in_directory(stack: &Stack, practitioner: PractitionerId) {
    let key = format!("PRACTITIONER#{practitioner}");
    let mut rows = stack.items(Resource::DirectoryTable).await.into_iter();
    if !rows.any(|row| row["pk"] == key.as_str()) {
        let row = json!({"pk": {"S": key}});
        stack.put(Resource::DirectoryTable, row).await;
    }
}

pub async fn call(aws: &Aws, spec: &Spec, request: Request) -> Response {
    let service = bootstrap::service(spec.id).unwrap()(aws).unwrap();
    service.respond(request).await.unwrap()
}

pub fn http_specs() -> Vec<&'static Spec> {
    let mut specs = specs();
    specs.retain(|spec| matches!(spec.trigger, Trigger::Http { .. }));
    specs
}

/// Operations of the API for people who are signed in. Activation has its own tests, with a clinic's
/// code.
pub fn token_specs() -> Vec<&'static Spec> {
    let mut specs = http_specs();
    specs.retain(|spec| {
        matches!(
            spec.trigger,
            Trigger::Http {
                auth: Auth::Token,
                ..
            }
        )
    });
    specs
}
