//! A patient with an account, and the operations that there are.

use super::function::Function;
use super::recorder::Recorder;
use super::request::{With, anonymous, body, signed_in};
use super::{Stack, Whose};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use shared::access::Role;
use shared::api::{Auth, Operation, Spec, Trigger, Visitor, visit_all};
use shared::aws::{Aws, Resource};
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId, PractitionerId, ProxyId};
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

pub fn is_about_a_patient(spec: &Spec) -> bool {
    matches!(spec.trigger, Trigger::Http { path, .. } if path.contains("{patient}"))
}

/// What a provider writes who breaks the glass, and a privacy officer who looks at it.
pub const EXPLANATION: &str = "CANARY-900 was found on the floor, and nobody is with them";
pub const NOTE: &str = "CANARY-901 was never in our emergency department";

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
        let stack = Stack::new().await;
        let patient = stack.sample("Luigi_Wiegand").await;
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

    /// A request that the operation takes, by somebody who may: it succeeds each time that it is
    /// made anew.
    pub async fn allowed(&self, spec: &Spec) -> Request {
        match spec.id {
            "activate-account" => anonymous(),
            "update-profile" => self
                .by_patient()
                .patient(self.patient)
                .header("if-match", "\"0\"")
                .json(&json!({"phone": "555-010-0199"})),
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
            // Whoever signs out is out.
            "sign-out-everywhere" => {
                let whose = Whose::Patient(self.patient);
                signed_in(
                    self.stack.account(Role::Patient, whose).await,
                    Role::Patient,
                )
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
            id if let Some(request) = self.about_messages(id).await => request,
            _ if is_about_a_patient(spec) => self.by_patient().patient(self.patient),
            _ => self.by_patient(),
        }
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

    /// The id of a new concern about the patient. Only broken glass raises any by itself: one of
    /// another kind is made of that.
    pub async fn concern(&self, kind: &str) -> String {
        let spec = specs().into_iter().find(|spec| spec.id == "break-glass");
        let aws = self.stack.aws(&Recorder::default());
        let broken = body(&call(&aws, spec.unwrap(), self.emergency().await).await);
        let rows = self.stack.scan(Resource::PatientsTable).await.into_iter();
        let mut row = rows
            .filter(|row| row["pk"]["S"] == "CONCERNS#open")
            .find(|row| row["grant"]["S"] == broken["grant"])
            .unwrap();
        let id = row["sk"]["S"].as_str().unwrap().to_owned();
        row["kind"]["S"] = kind.into();
        self.stack.put(Resource::PatientsTable, row).await;
        id
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
    pub fn change_team(&self, version: u64, change: &serde_json::Value) -> Request {
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
