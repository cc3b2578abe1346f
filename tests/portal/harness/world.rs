//! A patient with an account, and the operations that there are.

use super::function::Function;
use super::request::{With, anonymous, body, signed_in};
use super::{Stack, Whose};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use shared::access::Role;
use shared::api::{Auth, Operation, Spec, Trigger, Visitor, visit_all};
use shared::aws::Aws;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId, ProxyId};
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

/// A stack with a patient who has an account, a provider who treats the patient, an administrator
/// and a privacy officer.
pub struct World {
    pub stack: Stack,
    pub patient: PatientId,
    pub account: AccountId,
    pub provider: AccountId,
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
        Self {
            stack,
            patient,
            account,
            provider,
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
