//! A patient with an account, and the operations that there are.

use super::request::{With, anonymous, signed_in};
use super::{Stack, Whose};
use serde_json::json;
use shared::access::Role;
use shared::api::{Auth, Operation, Spec, Trigger, Visitor, visit_all};
use shared::aws::{Aws, Resource};
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId};
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

/// A stack with a patient who has an account.
pub struct World {
    pub stack: Stack,
    pub patient: PatientId,
    pub account: AccountId,
    pub provider: AccountId,
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
        Self {
            stack,
            patient,
            account,
            provider,
        }
    }

    /// A request that the operation takes from its patient.
    pub fn allowed(&self, spec: &Spec) -> Request {
        let request = match spec.trigger {
            Trigger::Http {
                auth: Auth::Token, ..
            } => signed_in(self.account, Role::Patient),
            _ => anonymous(),
        };
        let request = if is_about_a_patient(spec) {
            request.patient(self.patient)
        } else {
            request
        };
        match spec.id {
            "update-profile" => request
                .header("if-match", "\"0\"")
                .json(&json!({"phone": "555-010-0199"})),
            _ => request,
        }
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

/// Operations of the API that a signed-in patient may call with what [`World::allowed`] sends.
/// Activation has its own tests, with a clinic's code.
pub fn patient_specs() -> Vec<&'static Spec> {
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

impl World {
    /// A user of the pool with an account of the patient's, for operations that go to Cognito.
    pub async fn user_of_the_pool(&self) -> AccountId {
        let pool = &self.stack.names[&Resource::UserPool];
        let created = self
            .stack
            .root
            .cognito(
                "AdminCreateUser",
                &json!({
                    "UserPoolId": pool,
                    "Username": format!("{}@example.org", Uuid::new_v4().simple()),
                    "TemporaryPassword": "Temporary-Password-1",
                    "MessageAction": "SUPPRESS",
                }),
            )
            .await
            .unwrap()
            .ok()
            .unwrap();
        let attributes = created["User"]["Attributes"].as_array().unwrap();
        let sub = attributes
            .iter()
            .find(|attribute| attribute["Name"] == "sub")
            .unwrap();
        let account: AccountId = sub["Value"].as_str().unwrap().parse().unwrap();
        let item = json!({
            "pk": {"S": format!("ACCOUNT#{account}")},
            "role": {"S": "patient"},
            "status": {"S": "active"},
            "patient": {"S": self.patient.to_string()},
        });
        self.stack.put(Resource::AccountsTable, item).await;
        account
    }
}
