//! Times at which an appointment can be booked.

use super::availability::Modality;
use super::text::{Date, Slug};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::access::Practice;
use crate::aws::Capability::{ReadAccounts, ReadAvailability, WriteAudit};
use crate::http::{Problem, Request};
use crate::ids::PractitionerId;
use jiff::Timestamp;
use jiff::civil;
use serde::{Deserialize, Serialize};

/// What a provider, or the providers of a specialty, can be booked for.
pub struct ListOpenSlots;

/// The most days of one request.
pub const DAYS: i32 = 14;

/// The most providers of one request.
pub const PROVIDERS: u8 = 10;

/// The most slots of one answer.
pub const SLOTS: usize = 500;

/// Whose slots.
pub enum Whose {
    Provider(PractitionerId),
    Specialty(Slug),
}

/// What somebody looks for: days of the practice's, the last one included.
pub struct Wanted {
    pub whose: Whose,
    pub appointment_type: Slug,
    pub modality: Option<Modality>,
    pub from: civil::Date,
    pub to: civil::Date,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenSlots {
    /// In the order of their start.
    pub slots: Vec<OpenSlot>,
    /// False if there are more slots, or more providers, than one answer holds: ask for fewer days,
    /// or for one provider.
    pub complete: bool,
}

/// A time at which an appointment may be booked. Nothing is kept for anybody by listing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenSlot {
    pub practitioner: PractitionerId,
    #[serde(rename = "type")]
    pub appointment_type: String,
    pub modality: Modality,
    pub start: Timestamp,
    pub end: Timestamp,
    /// The provider's, in which the times are to be shown.
    pub time_zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    provider: Option<PractitionerId>,
    specialty: Option<Slug>,
    #[serde(rename = "type")]
    appointment_type: Slug,
    modality: Option<Modality>,
    from: Date,
    to: Date,
}

impl Operation for ListOpenSlots {
    const SPEC: &'static Spec = &Spec {
        id: "list-open-slots",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/open-slots",
            auth: Auth::Token,
        },
        action: "ListOpenSlots",
        audit: "slot.list",
        needs: &[ReadAccounts, ReadAvailability, WriteAudit],
    };
    type Subject = Practice;
    type Input = Wanted;
    type Output = OpenSlots;

    fn parse(request: &Request) -> Result<Wanted, Problem> {
        let query: Query = request.query()?;
        let whose = match (query.provider, query.specialty) {
            (Some(provider), None) => Whose::Provider(provider),
            (None, Some(specialty)) => Whose::Specialty(specialty),
            _ => {
                let must = "must name either a provider or a specialty";
                return Err(Problem::field("query", must));
            }
        };
        let (from, to) = span(&query.from, &query.to, DAYS)?;
        Ok(Wanted {
            whose,
            appointment_type: query.appointment_type,
            modality: query.modality,
            from,
            to,
        })
    }
}

/// The days of the query's `from` and `to`, the last one included: so many at most.
pub(super) fn span(
    from: &Date,
    to: &Date,
    days: i32,
) -> Result<(civil::Date, civil::Date), Problem> {
    let wrong = || {
        let must =
            format!("must be a day from the one that from names, {days} days in all at most");
        Problem::field("query/to", must)
    };
    let (Some(from), Some(to)) = (from.day(), to.day()) else {
        return Err(wrong());
    };
    match from.until(to).map(|span| span.get_days()) {
        Ok(after) if (0..days).contains(&after) => Ok((from, to)),
        _ => Err(wrong()),
    }
}
