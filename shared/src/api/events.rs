//! Events: that something happened, never what. A browser hears of them over its channel, and what it
//! missed it gets by the number of the last one that it knows.

use super::appointments::GetAppointment;
use super::lab_results::ListLabResults;
use super::message_keys::Party;
use super::threads::ReadThread;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{AppointmentOf, Decision, OwnAccount, Policies, Principal};
use crate::aws::Capability::{
    DeliverEvents, FindAccounts, PostToChannels, ReadAccounts, ReadEvents, ReadPatients, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, AppointmentId, PatientId, ThreadId};
use crate::store::{AccountRow, PatientContext};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that happened, by ids alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody wrote into a thread.
    #[serde(rename = "message.new")]
    MessageNew {
        patient: PatientId,
        thread: ThreadId,
    },
    /// A party has read on in a thread.
    #[serde(rename = "message.read")]
    MessageRead {
        patient: PatientId,
        thread: ThreadId,
        party: Party,
    },
    /// An appointment was made or is not what it was.
    #[serde(rename = "appointment.changed")]
    AppointmentChanged {
        patient: PatientId,
        appointment: AppointmentId,
    },
    /// There are laboratory results that were not there before.
    #[serde(rename = "result.new")]
    ResultNew { patient: PatientId },
}

impl Event {
    /// How long events are kept for who was away. Who was away longer begins anew.
    pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

    pub const fn patient(&self) -> PatientId {
        match self {
            Self::MessageNew { patient, .. }
            | Self::MessageRead { patient, .. }
            | Self::AppointmentChanged { patient, .. }
            | Self::ResultNew { patient } => *patient,
        }
    }

    /// May this account hear of it? Whoever may look at what happened, as the policy decides it.
    pub fn is_for(
        &self,
        row: &AccountRow,
        context: &PatientContext,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let policies = Policies::load()?;
        let principal = Principal::Account(row);
        let may = |action| policies.decide(principal, action, &self.patient(), context, now);
        let decision = match self {
            Self::MessageNew { .. } | Self::MessageRead { .. } => may(ReadThread::SPEC.action),
            Self::ResultNew { .. } => may(ListLabResults::SPEC.action),
            Self::AppointmentChanged {
                patient,
                appointment,
            } => {
                let subject = AppointmentOf::new(*patient, *appointment);
                policies.decide(
                    principal,
                    GetAppointment::SPEC.action,
                    &subject,
                    context,
                    now,
                )
            }
        };
        Ok(matches!(decision?, Decision::Permit(_)))
    }
}

/// An event as one account hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Told {
    /// Counts the account's events, one by one.
    pub sequence: u64,
    #[serde(flatten)]
    pub event: Event,
}

/// What an account's browser missed.
pub struct ListEvents;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    after: Option<Sequence>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
struct Sequence(u64);

impl TryFrom<String> for Sequence {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.parse() {
            // `+5` and `05` are numbers too.
            Ok(sequence) if text == u64::to_string(&sequence) => Ok(Self(sequence)),
            _ => Err("must be the sequence of an event, or 0"),
        }
    }
}

/// Whose events, and after which.
pub struct Since {
    pub account: AccountId,
    /// None asks for nothing but where the events are.
    pub after: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Events {
    /// Oldest first, none left out.
    pub events: Vec<Told>,
    /// After which to go on.
    pub last: u64,
    /// There are more after these.
    pub more: bool,
    /// What came after `after` is not all there any more: whoever asks looks at everything anew, and
    /// goes on after `last`.
    pub gap: bool,
}

impl Operation for ListEvents {
    const SPEC: &'static Spec = &Spec {
        id: "list-events",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/account/events",
            auth: Auth::Token,
        },
        action: "ListEvents",
        audit: "event.list",
        needs: &[ReadAccounts, ReadEvents, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = Since;
    type Output = Events;

    /// Whose events are read is what the verified token says.
    fn parse(request: &Request) -> Result<Since, Problem> {
        let Query { after } = request.query()?;
        let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
        Ok(Since {
            account: claims.account,
            after: after.map(|after| after.0),
        })
    }
}

/// Tells those of what changed in the tables who may hear of it.
pub const DELIVER_EVENTS: Spec = Spec {
    id: "deliver-events",
    trigger: Trigger::Event,
    action: "DeliverEvents",
    audit: "event.deliver",
    needs: &[
        ReadAccounts,
        ReadPatients,
        FindAccounts,
        DeliverEvents,
        PostToChannels,
        WriteAudit,
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    #[test]
    fn an_event_has_ids_and_a_type() {
        let id = Uuid::from_u128(7);
        let told = Told {
            sequence: 3,
            event: Event::MessageNew {
                patient: PatientId::new(id),
                thread: ThreadId::new(id),
            },
        };
        let json = json!({"sequence": 3, "type": "message.new", "patient": id, "thread": id});
        assert_eq!(serde_json::to_value(&told).unwrap(), json);
    }
}
