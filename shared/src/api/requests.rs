//! What requests of patients to the practice have in common: who did what about one, and when.

use crate::Fault;
use crate::access::{Access, Role};
use crate::api::proxies::Person;
use crate::ids::{AccountId, PatientId};
use crate::phi::Opener;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A step of a request. The first one makes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Step<S> {
    pub state: S,
    pub at: Timestamp,
    pub by: Actor,
    /// What they wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Who took a step, as they were then.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Actor {
    pub account: AccountId,
    /// `patient`, `proxy`, `provider` or `privacy-officer`.
    pub role: String,
    /// Of a provider and of a proxy, as the patient's rows call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl<S> Step<S> {
    /// A step of the caller's.
    pub fn new(
        access: &Access<PatientId>,
        opener: &Opener,
        state: S,
        at: Timestamp,
        text: Option<String>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            state,
            at,
            by: Actor::of(access, opener)?,
            text,
        })
    }
}

impl Actor {
    fn of(access: &Access<PatientId>, opener: &Opener) -> Result<Self, Fault> {
        let (row, context) = (&access.caller().row, opener.context());
        let (role, name) = match row.role {
            Role::Patient if row.patient != Some(access.patient()) => {
                let person = context.proxy(row.account);
                let person = person
                    .map(|proxy| Person::open(proxy, opener))
                    .transpose()?;
                ("proxy", person.map(|person| person.name))
            }
            role => {
                let member = row
                    .practitioner
                    .and_then(|practitioner| context.care_team_member(practitioner));
                let particulars = member
                    .map(|member| member.particulars(opener))
                    .transpose()?;
                (role.as_str(), particulars.and_then(|one| one.name))
            }
        };
        Ok(Self {
            account: row.account,
            role: role.to_owned(),
            name,
        })
    }
}
