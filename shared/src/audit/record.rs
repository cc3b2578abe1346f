//! An audit record: who did what to whose data, when, from where, why, and how it ended.
//! It holds identifiers and names of operations, never a value of PHI.

use crate::access::Role;
use crate::api::Spec;
use crate::ids::{AccountId, PatientId, PractitionerId};
use crate::store::{Item, s, sortable};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// How an access ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub enum Outcome {
    /// It was permitted and done.
    Success,
    /// The caller may not.
    Denied,
    /// The request could not be acted upon: bad input, or a conflict with another change.
    Invalid,
    /// The portal failed.
    Failure,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Failure => "failure",
        }
    }
}

impl TryFrom<String> for Outcome {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, &'static str> {
        match code.as_str() {
            "success" => Ok(Self::Success),
            "denied" => Ok(Self::Denied),
            "invalid" => Ok(Self::Invalid),
            "failure" => Ok(Self::Failure),
            _ => Err("must be success or denied or invalid or failure"),
        }
    }
}

/// How risky an attempt to sign in looked to Cognito.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    Low,
    Medium,
    High,
}

impl Risk {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What permitted an access: the annotation `@via` of the Cedar policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via(pub(crate) String);

impl Via {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: Uuid,
    pub at: Timestamp,
    pub operation: &'static str,
    pub action: &'static str,
    /// The account; none for somebody not signed in, and for the portal's own services.
    pub actor: Option<AccountId>,
    pub role: Option<Role>,
    /// Who a provider is in the directory, and what they are called there: staff's names are no PHI,
    /// and whoever reads the log years later finds them as they were.
    pub practitioner: Option<PractitionerId>,
    pub name: Option<String>,
    /// Whose data it was about.
    pub patient: Option<PatientId>,
    /// What else it was about, by an id that tells nothing of it; of an attempt, what was attempted.
    pub resource: Option<String>,
    pub source_ip: String,
    pub user_agent: String,
    pub request_id: String,
    pub outcome: Outcome,
    /// The problem's type, where the outcome is not a success. An import's success may be that it
    /// has `begun`, is to be `continued`, or left everything `unchanged`; an attempt's, that it is
    /// `continued`.
    pub reason: Option<&'static str>,
    pub via: Option<Via>,
    /// The grant that the access rests on: a proxy's, an emergency's or a disclosure's.
    pub grant: Option<Uuid>,
    /// The code of the reason for which somebody broke the glass.
    pub emergency: Option<&'static str>,
    /// Of an attempt to sign in, where Cognito sees one.
    pub risk: Option<Risk>,
}

impl Record {
    /// A record of an operation that starts now.
    pub fn begin(spec: &'static Spec) -> Self {
        Self {
            id: Uuid::now_v7(),
            at: Timestamp::now(),
            operation: spec.id,
            action: spec.audit,
            actor: None,
            role: None,
            practitioner: None,
            name: None,
            patient: None,
            resource: None,
            source_ip: String::new(),
            user_agent: String::new(),
            request_id: String::new(),
            outcome: Outcome::Failure,
            reason: None,
            via: None,
            grant: None,
            emergency: None,
            risk: None,
        }
    }

    /// A second record of the same access: it did not end as the first one says.
    pub(crate) fn followed_by(&self, outcome: Outcome) -> Self {
        Self {
            id: Uuid::now_v7(),
            outcome,
            ..self.clone()
        }
    }

    /// A record of what the same access did to one patient's data.
    pub fn about(&self, patient: PatientId, outcome: Outcome) -> Self {
        Self {
            at: Timestamp::now(),
            patient: Some(patient),
            ..self.followed_by(outcome)
        }
    }

    /// A record of what the same run did to one account.
    pub fn regarding(&self, resource: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            at: Timestamp::now(),
            resource: Some(resource.into()),
            ..self.followed_by(outcome)
        }
    }

    /// The partition: the patient's, else the actor's, else a day's.
    fn partition(&self) -> String {
        match (self.patient, self.actor) {
            (Some(patient), _) => format!("PATIENT#{patient}"),
            (None, Some(actor)) => format!("ACCOUNT#{actor}"),
            (None, None) => format!("PORTAL#{}", self.at.strftime("%Y-%m-%d")),
        }
    }

    /// For whom a proxy acted.
    fn acting_for(&self) -> Option<PatientId> {
        let is_proxy = self.via.as_ref().map(Via::as_str) == Some("proxy");
        self.patient.filter(|_| is_proxy)
    }

    /// Why the access happened, in HL7's PurposeOfUse codes (v3-PurposeOfUse).
    fn purpose(&self) -> &'static str {
        match self.via.as_ref().map(Via::as_str) {
            Some("break-glass") => return "BTG",
            Some("proxy") => return "FAMRQT",
            Some("disclosure") => return "HLEGAL",
            _ => {}
        }
        match self.role {
            Some(Role::Patient) => "PATRQT",
            Some(Role::Provider) => "TREAT",
            Some(Role::Admin) => "HSYSADMIN",
            Some(Role::PrivacyOfficer) => "HCOMPL",
            None => "HSYSADMIN",
        }
    }

    /// The record as it is stored.
    pub(crate) fn item(&self) -> Item {
        let mut item = Item::from([
            ("pk".to_owned(), s(self.partition())),
            (
                "sk".to_owned(),
                s(format!("{}#{}", sortable(self.at), self.id)),
            ),
            ("id".to_owned(), s(self.id.to_string())),
            ("at".to_owned(), s(self.at.to_string())),
            ("operation".to_owned(), s(self.operation)),
            ("action".to_owned(), s(self.action)),
            ("outcome".to_owned(), s(self.outcome.as_str())),
            ("purpose".to_owned(), s(self.purpose())),
            ("role".to_owned(), s(self.role.map_or("none", Role::as_str))),
        ]);
        let mut optional = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                item.insert(name.to_owned(), s(value));
            }
        };
        optional("actor", self.actor.map(|actor| actor.to_string()));
        let practitioner = self
            .practitioner
            .map(|practitioner| practitioner.to_string());
        optional("practitioner", practitioner);
        optional("name", self.name.clone());
        optional("patient", self.patient.map(|patient| patient.to_string()));
        optional("resource", self.resource.clone());
        optional("source_ip", Some(self.source_ip.clone()));
        optional("user_agent", Some(self.user_agent.clone()));
        optional("request_id", Some(self.request_id.clone()));
        optional("reason", self.reason.map(str::to_owned));
        optional("via", self.via.as_ref().map(|via| via.0.clone()));
        optional("grant", self.grant.map(|grant| grant.to_string()));
        optional("emergency", self.emergency.map(str::to_owned));
        optional("risk", self.risk.map(|risk| risk.as_str().to_owned()));
        optional(
            "acting_for",
            self.acting_for().map(|patient| patient.to_string()),
        );
        item
    }
}
