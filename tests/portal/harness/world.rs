//! A patient with an account, and the operations that there are.

use super::recorder::Recorder;
use super::request::{With, anonymous, body, signed_in};
use super::{Stack, Whose};
use serde_json::json;
use shared::access::Role;
use shared::api::{Auth, Operation, Spec, Trigger, Visitor, visit_all};
use shared::aws::{Aws, Resource};
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId, PractitionerId};

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

/// A stack with a patient who has an account, a provider who treats the patient and a colleague who
/// does not, an administrator and a privacy officer.
pub struct World {
    pub stack: Stack,
    pub patient: PatientId,
    /// The patient's medical record number.
    pub mrn: String,
    pub account: AccountId,
    pub provider: AccountId,
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
        let colleague = stack.practitioner("Avery Roe").await;
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

    pub fn by_patient(&self) -> Request {
        signed_in(self.account, Role::Patient)
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
