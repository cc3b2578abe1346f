//! The accounting of disclosures (45 CFR 164.528): to whom the practice passed something on, other than
//! for treatment, payment and operations, to the individual or with their authorization; and how a
//! health oversight agency or a law enforcement official has it suspended (164.528(a)(2)).

use super::codes::codes;
use super::disclosures::{Disclosed, Purpose};
use super::text::{Date, Line};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{
    ReadAccounts, ReadPatients, SuspendAccountings, UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::PatientId;
use crate::phi::Opener;
use crate::store::AccessNotes;
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What has been disclosed.
pub struct AccountDisclosures;

/// From which day to which; all that there is to account for where they are not said.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Period {
    pub from: Option<Date>,
    pub to: Option<Date>,
}

/// The disclosures of a time, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Accounting {
    /// The days accounted for: six years at most (164.528(a)(1)).
    pub from: jiff::civil::Date,
    pub to: jiff::civil::Date,
    pub disclosures: Vec<AccountedDisclosure>,
    /// What is left out for now, and until when; the privacy officer alone is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspensions: Option<Vec<Suspension>>,
}

/// What 164.528(b)(2) asks for.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AccountedDisclosure {
    pub id: Uuid,
    pub at: Timestamp,
    /// On the practice's calendar.
    pub date: jiff::civil::Date,
    pub recipient: Line<1, 200>,
    /// Where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Line<1, 300>>,
    pub what: &'static str,
    pub purpose: Purpose,
    /// The purpose in the officer's words.
    pub statement: Line<10, 500>,
}

impl AccountedDisclosure {
    pub fn of(id: Uuid, at: Timestamp, date: jiff::civil::Date, disclosed: Disclosed) -> Self {
        Self {
            id,
            at,
            date,
            recipient: disclosed.recipient,
            address: disclosed.address,
            what: "The messages between the patient and the practice",
            purpose: disclosed.purpose,
            statement: disclosed.statement,
        }
    }
}

impl Operation for AccountDisclosures {
    const SPEC: &'static Spec = &Spec {
        id: "account-disclosures",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/disclosures",
            auth: Auth::Token,
        },
        action: "AccountDisclosures",
        audit: "accounting.read",
        needs: &[ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit],
    };
    type Subject = PatientId;
    type Input = Period;
    type Output = Accounting;

    fn parse(request: &Request) -> Result<Period, Problem> {
        let period: Period = request.query()?;
        let day = |date: &Option<Date>| date.as_ref().and_then(Date::day);
        match (day(&period.from), day(&period.to)) {
            (Some(from), Some(to)) if to < from => {
                Err(Problem::field("query/to", "must not be before from"))
            }
            _ => Ok(period),
        }
    }
}

codes!(
    /// Who may have an accounting suspended.
    Agency {
        /// 164.512(d).
        HealthOversight = "health-oversight",
        /// 164.512(f).
        LawEnforcement = "law-enforcement",
    }
);

codes!(
    /// How the agency said that an accounting would impede what it does.
    Form {
        Written = "written",
        Oral = "oral",
    }
);

/// For how many days an oral statement holds (164.528(a)(2)(ii)(C)).
pub const ORAL_DAYS: i32 = 30;

/// A statement of an agency's or an official's: sealed as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub agency: Agency,
    /// The agency or official whom disclosures to are left out, as the disclosures name them.
    pub recipient: Line<1, 200>,
    /// Who made the statement.
    pub official: Line<1, 200>,
    pub form: Form,
    pub stated_on: Date,
    /// The last day.
    pub until: Date,
}

impl Statement {
    /// Is it about disclosures of this kind to this recipient? Capitals and spaces do not part names.
    fn covers(&self, disclosed: &Disclosed) -> bool {
        let purpose = match self.agency {
            Agency::HealthOversight => Purpose::HealthOversight,
            Agency::LawEnforcement => Purpose::LawEnforcement,
        };
        disclosed.purpose == purpose && name(&self.recipient) == name(&disclosed.recipient)
    }

    /// Is it about the same disclosures?
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        self.agency == other.agency && name(&self.recipient) == name(&other.recipient)
    }
}

fn name(recipient: &Line<1, 200>) -> String {
    let words: Vec<_> = recipient.as_str().split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// A statement that is in the patient's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Suspension {
    pub id: Uuid,
    pub since: Timestamp,
    pub until: Timestamp,
    #[serde(flatten)]
    pub statement: Statement,
}

/// What was disclosed, and what is left out for now of what the patient is told.
pub struct Withheld {
    /// The disclosures that are left out.
    disclosures: BTreeSet<Uuid>,
    /// Is there a suspension now?
    any: bool,
}

impl Withheld {
    pub fn at(now: Timestamp, notes: &AccessNotes, opener: &Opener) -> Result<Self, Fault> {
        Self::by(notes.suspensions(opener)?, now, notes, opener)
    }

    /// The same by these suspensions.
    pub fn by(
        mut suspensions: Vec<Suspension>,
        now: Timestamp,
        notes: &AccessNotes,
        opener: &Opener,
    ) -> Result<Self, Fault> {
        suspensions.retain(|suspension| now < suspension.until);
        let mut disclosures = BTreeSet::new();
        if !suspensions.is_empty() {
            for (grant, row) in notes.disclosures() {
                let disclosed = Disclosed::open(row, opener)?;
                let mut statements = suspensions.iter().map(|suspension| &suspension.statement);
                if statements.any(|statement| statement.covers(&disclosed)) {
                    disclosures.insert(grant);
                }
            }
        }
        Ok(Self {
            disclosures,
            any: !suspensions.is_empty(),
        })
    }

    pub fn has(&self, disclosure: Uuid) -> bool {
        self.disclosures.contains(&disclosure)
    }

    pub const fn is_any(&self) -> bool {
        self.any
    }

    pub fn count(&self) -> usize {
        self.disclosures.len()
    }
}

/// The disclosures of a patient, by when they began.
pub fn accounted(
    notes: &AccessNotes,
    opener: &Opener,
) -> Result<BTreeMap<(Timestamp, Uuid), Disclosed>, Fault> {
    let disclosures = notes.disclosures().map(|(grant, row)| {
        let since = row.parsed("since")?;
        let since = since.ok_or(Fault::Corrupt("a disclosure's row"))?;
        Ok(((since, grant), Disclosed::open(row, opener)?))
    });
    disclosures.collect()
}

/// Leaves disclosures to an agency out of the accounting for the time that it asks for.
pub struct SuspendAccounting;

/// A statement and the `Idempotency-Key` it was sent with.
pub struct KeyedStatement {
    pub statement: Statement,
    pub idempotency_key: Line<8, 64>,
}

/// A suspension that begins now.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Suspended {
    pub suspension: Uuid,
    pub until: Timestamp,
    /// How many disclosures are left out now, by this or another suspension.
    pub withheld: usize,
}

impl Operation for SuspendAccounting {
    const SPEC: &'static Spec = &Spec {
        id: "suspend-accounting",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/disclosures/suspensions",
            auth: Auth::Token,
        },
        action: "SuspendAccounting",
        audit: "accounting.suspend",
        needs: &[
            ReadAccounts,
            ReadPatients,
            SuspendAccountings,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = KeyedStatement;
    type Output = Suspended;

    fn parse(request: &Request) -> Result<KeyedStatement, Problem> {
        request.no_query()?;
        Ok(KeyedStatement {
            idempotency_key: request.idempotency_key()?,
            statement: request.body()?,
        })
    }
}
