//! The audit log as the privacy officer reads it: regular review of who did what (45 CFR
//! 164.308(a)(1)(ii)(D), 164.312(b)). What is looked for goes in the body, never in a URL.

use super::codes::codes;
use super::page::BodyLimit;
use super::text::{Instant, NotText};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::Practice;
use crate::audit::Outcome;
use crate::aws::Capability::{ReadAccounts, ReadActivity, SearchAuditLog, WriteAudit};
use crate::http::{Cursor, Problem, Request};
use crate::ids::{AccountId, PatientId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the records are that are looked for: no search goes through the whole log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Those of one patient's record.
    Patient(PatientId),
    /// Those of one account, whosever record it was.
    Actor(AccountId),
    /// Those of nobody's account and nobody's record: sign-ins that failed, the portal's own work.
    Portal,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criteria {
    patient: Option<PatientId>,
    actor: Option<AccountId>,
    action: Option<Action>,
    outcome: Option<Outcome>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// Over how much time a search goes that names nobody: each day is a partition.
const DAYS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Over how much time one export goes.
const YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);

impl Criteria {
    fn checked(self) -> Result<Self, Problem> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to <= from
        {
            return Err(Problem::field("/to", "must be after from"));
        }
        if self.of() == Of::Portal && self.lasts().is_none_or(|lasts| lasts > DAYS) {
            return Err(Problem::field(
                "",
                "must name a patient, an actor, or from and to at most seven days apart",
            ));
        }
        Ok(self)
    }

    fn lasts(&self) -> Option<SignedDuration> {
        Some(self.to?.duration_since(self.from?))
    }

    /// Where to look. Both a patient and an actor are looked for with the patient.
    pub fn of(&self) -> Of {
        match (self.patient, self.actor) {
            (Some(patient), _) => Of::Patient(patient),
            (None, Some(actor)) => Of::Actor(actor),
            (None, None) => Of::Portal,
        }
    }

    pub const fn patient(&self) -> Option<PatientId> {
        self.patient
    }

    /// The first instant, and the one after the last.
    pub const fn range(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.from, self.to)
    }

    /// Is a record with these attributes one of those that are looked for?
    pub fn meet<'a>(&self, attribute: impl Fn(&str) -> Option<&'a str>) -> bool {
        let is = |name: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| attribute(name) == Some(wanted))
        };
        let actor = self.actor.map(|actor| actor.to_string());
        is("actor", actor.as_deref())
            && is(
                "action",
                self.action.as_ref().map(|action| action.0.as_str()),
            )
            && is("outcome", self.outcome.map(Outcome::as_str))
    }

    /// Whom it is about, by ids: all that its own record has of it.
    fn regarding(&self) -> Option<String> {
        let ids = [
            self.patient.map(|patient| format!("patient {patient}")),
            self.actor.map(|actor| format!("actor {actor}")),
        ];
        let ids: Vec<_> = ids.into_iter().flatten().collect();
        (!ids.is_empty()).then(|| ids.join(", "))
    }

    /// What a cursor belongs to: it goes on with this search and no other.
    fn terms(&self) -> String {
        let text = |text: Option<String>| text.unwrap_or_default();
        [
            text(self.patient.map(|patient| patient.to_string())),
            text(self.actor.map(|actor| actor.to_string())),
            text(self.action.as_ref().map(|action| action.0.clone())),
            text(self.outcome.map(|outcome| outcome.as_str().to_owned())),
            text(self.from.map(|from| from.to_string())),
            text(self.to.map(|to| to.to_string())),
            String::new(),
        ]
        .join(" ")
    }
}

/// What the log calls something: a thing and a verb, such as `profile.read`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
struct Action(String);

impl TryFrom<String> for Action {
    type Error = NotText;

    fn try_from(text: String) -> Result<Self, NotText> {
        let word = |word: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            (1..=40).contains(&word.len()) && word.chars().all(plain)
        };
        match text.split_once('.') {
            Some((thing, verb)) if word(thing) && word(verb) => Ok(Self(text)),
            _ => Err(NotText::new("must be an action such as profile.read")),
        }
    }
}

/// Where a page begins.
struct Place {
    cursor: Cursor,
    terms: String,
    after: Option<String>,
}

impl Place {
    fn of(
        request: &Request,
        operation: &'static str,
        terms: String,
        cursor: Option<String>,
    ) -> Result<Self, Problem> {
        let sealed = Cursor::of(request, operation)?;
        let after = cursor.map(|text| {
            let opened = sealed.read_at("/cursor", &text)?;
            opened
                .strip_prefix(&terms)
                .map(str::to_owned)
                .ok_or_else(|| {
                    Problem::field("/cursor", "must be of a former page of the same search")
                })
        });
        Ok(Self {
            after: after.transpose()?,
            cursor: sealed,
            terms,
        })
    }

    fn cursor(&self, after: &str) -> Result<String, Fault> {
        self.cursor.write(&format!("{}{after}", self.terms))
    }
}

/// Searches the log.
pub struct SearchAudit;

/// The most records on a page.
const MOST: u8 = 100;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct SearchBody {
    patient: Option<PatientId>,
    actor: Option<AccountId>,
    action: Option<Action>,
    outcome: Option<Outcome>,
    from: Option<Instant>,
    to: Option<Instant>,
    #[serde(default)]
    limit: BodyLimit<MOST, { MOST / 2 }>,
    cursor: Option<String>,
}

/// A page of a search.
pub struct Search {
    pub criteria: Criteria,
    pub limit: u8,
    place: Place,
}

impl Search {
    /// The sort key of the last record that was looked at.
    pub fn after(&self) -> Option<&str> {
        self.place.after.as_deref()
    }

    pub fn cursor(&self, after: &str) -> Result<String, Fault> {
        self.place.cursor(after)
    }
}

/// A record, by the names of its attributes.
pub type Attributes = BTreeMap<String, String>;

/// A page of records, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Found {
    /// May be fewer than asked for, or none, while there are more pages: what a record says is looked
    /// at after the page is read.
    pub records: Vec<Attributes>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Operation for SearchAudit {
    const SPEC: &'static Spec = &Spec {
        id: "search-audit",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/audit/search",
            auth: Auth::Token,
        },
        action: "SearchAudit",
        audit: "audit.search",
        needs: &[ReadAccounts, SearchAuditLog, ReadActivity, WriteAudit],
    };
    type Subject = Practice;
    type Input = Search;
    type Output = Found;

    fn parse(request: &Request) -> Result<Search, Problem> {
        request.no_query()?;
        let body: SearchBody = request.body()?;
        let criteria = Criteria {
            patient: body.patient,
            actor: body.actor,
            action: body.action,
            outcome: body.outcome,
            from: body.from.map(|Instant(from)| from),
            to: body.to.map(|Instant(to)| to),
        };
        let criteria = criteria.checked()?;
        let terms = criteria.terms();
        Ok(Search {
            criteria,
            limit: body.limit.0,
            place: Place::of(request, Self::SPEC.id, terms, body.cursor)?,
        })
    }

    fn regarding(search: &Search) -> Option<String> {
        search.criteria.regarding()
    }
}

/// Takes records out of the portal, with what proves them unchanged.
pub struct ExportAudit;

codes!(
    /// What an export is written in.
    AuditFormat {
        /// RFC 4180.
        Csv = "csv",
        /// A record a line, in the form that its digest is made of.
        JsonLines = "json-lines",
    }
);

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ExportBody {
    format: AuditFormat,
    patient: Option<PatientId>,
    actor: Option<AccountId>,
    action: Option<Action>,
    outcome: Option<Outcome>,
    from: Instant,
    to: Instant,
    cursor: Option<String>,
}

/// A part of an export.
pub struct Exporting {
    pub criteria: Criteria,
    pub format: AuditFormat,
    place: Place,
}

impl Exporting {
    /// The sort key of the last record that was looked at, and the digest of the parts before.
    pub fn after(&self) -> Option<(&str, &str)> {
        self.place.after.as_deref()?.split_once('|')
    }

    pub fn cursor(&self, after: &str, digest: &str) -> Result<String, Fault> {
        self.place.cursor(&format!("{after}|{digest}"))
    }
}

/// A part of an export.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Exported {
    pub format: AuditFormat,
    /// The file, or this part of it.
    pub content: String,
    pub verification: Verification,
    /// For the next part, as `cursor`; absent in the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What proves the records unchanged: SHA-256, in hexadecimal digits.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Verification {
    /// Of each record's canonical JSON, in the order of the export.
    pub records: Vec<RecordDigest>,
    /// Of `content`, as UTF-8.
    pub content_sha256: String,
    /// Of the same of the part before, if there is one, and the records' digests, each followed by a
    /// line feed: the last part's is the whole export's.
    pub export_sha256: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RecordDigest {
    pub id: String,
    pub sha256: String,
}

impl Operation for ExportAudit {
    const SPEC: &'static Spec = &Spec {
        id: "export-audit",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/audit/export",
            auth: Auth::Token,
        },
        action: "ExportAudit",
        audit: "audit.export",
        needs: &[ReadAccounts, SearchAuditLog, ReadActivity, WriteAudit],
    };
    type Subject = Practice;
    type Input = Exporting;
    type Output = Exported;

    fn parse(request: &Request) -> Result<Exporting, Problem> {
        request.no_query()?;
        let body: ExportBody = request.body()?;
        let criteria = Criteria {
            patient: body.patient,
            actor: body.actor,
            action: body.action,
            outcome: body.outcome,
            from: Some(body.from.0),
            to: Some(body.to.0),
        };
        let criteria = criteria.checked()?;
        if criteria.lasts().is_none_or(|lasts| lasts > YEAR) {
            return Err(Problem::field("/to", "must be at most 366 days after from"));
        }
        let terms = format!("{} {}", body.format.as_str(), criteria.terms());
        Ok(Exporting {
            criteria,
            format: body.format,
            place: Place::of(request, Self::SPEC.id, terms, body.cursor)?,
        })
    }

    fn regarding(export: &Exporting) -> Option<String> {
        export.criteria.regarding()
    }
}
