//! Who looked at a patient's record (45 CFR 164.528, 164.312(b)), told from the audit log in plain
//! words; and how the patient asks the privacy officer about an entry (164.530(d)).

use super::access_concerns::{Outcome as Resolved, Resolution, Verdict};
use super::accounting::{AccountDisclosures, SuspendAccounting, Withheld};
use super::break_glass::Reason;
use super::codes::codes;
use super::disclosures::{DiscloseMessages, Disclosed};
use super::import::IMPORT_RECORDS;
use super::message_keys::GetMessageKeys;
use super::page::{Limit, Page};
use super::proxies::Person;
use super::text::{Date, Line};
use super::threads::{ListThreads, ReadThread};
use super::words;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::Role;
use crate::aws::Capability::{
    CountRequests, ReadAccounts, ReadPatients, ReadRecordAccess, ReportConcerns, UnwrapDataKeys,
    WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{AccessId, AccountId, PatientId};
use crate::phi::Opener;
use crate::store::accesses::{BEGUN, UNCHANGED};
use crate::store::{AccessNotes, AccessRecord, Basis, Emergency, ReportRow, SealedRow};
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who looked, newest first.
pub struct ListRecordAccess;

codes!(
    /// Whose accesses are listed.
    Of {
        Anyone = "anyone",
        /// Everybody but the caller.
        Others = "others",
        Proxies = "proxies",
        Providers = "providers",
        /// Administrators and privacy officers.
        Staff = "staff",
        Portal = "portal",
        /// What was passed on as the law asks or allows: the accounting of disclosures.
        Disclosures = "disclosures",
    }
);

codes!(
    /// What somebody is to the patient.
    Kind {
        /// The caller.
        You = "you",
        Patient = "patient",
        Proxy = "proxy",
        Provider = "provider",
        Administrator = "administrator",
        PrivacyOfficer = "privacy-officer",
        /// The portal itself, by what it does on its own.
        Portal = "portal",
        /// Whoever had the practice's letter, before there was an account.
        NotSignedIn = "not-signed-in",
        /// Somebody with an account who has nothing to do with the patient.
        Other = "other",
    }
);

codes!(
    /// How an access ended.
    Ended {
        Done = "done",
        /// Somebody was not let in.
        Refused = "refused",
        /// Somebody was let in, and what they asked for was not done.
        NotDone = "not-done",
        /// The portal failed.
        Failed = "failed",
    }
);

/// A page of accesses.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Accesses {
    pub accesses: Vec<Accessed>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One access: everything that one request did to the record.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Accessed {
    pub id: AccessId,
    pub at: Timestamp,
    pub who: Who,
    pub what: What,
    /// Absent where nothing permitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    pub outcome: Outcome,
    /// From where; of the caller's own accesses alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// Absent if nobody reported it to the privacy officer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Who {
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub text: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct What {
    /// The operation's id.
    pub operation: String,
    pub text: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Why {
    /// What permitted it, as the policy calls it.
    pub via: String,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Review>,
    /// To whom it was passed on and why (45 CFR 164.528(b)(2)); the patient alone is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<Disclosed>,
}

/// An emergency's reason, and what the privacy officer says of it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Review {
    pub reason: Reason,
    /// Absent as long as nobody has looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    pub text: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Outcome {
    pub code: Ended,
    pub text: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Origin {
    pub source_ip: String,
    pub user_agent: String,
}

/// What became of an entry that was reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Report {
    pub reported_at: Timestamp,
    /// Absent as long as the privacy officer has not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Resolution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    pub text: &'static str,
}

/// Which accesses.
pub struct Listing {
    pub of: Of,
    /// The first and the last day, on the practice's calendar.
    pub days: (Option<Date>, Option<Date>),
    pub page: Page,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    of: Option<Of>,
    from: Option<Date>,
    to: Option<Date>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Operation for ListRecordAccess {
    const SPEC: &'static Spec = &Spec {
        id: "list-record-access",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/record-access",
            auth: Auth::Token,
        },
        action: "ListRecordAccess",
        audit: "record-access.list",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecordAccess,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Listing;
    type Output = Accesses;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: Query = request.query()?;
        let day = |date: &Option<Date>| date.as_ref().and_then(Date::day);
        if let (Some(from), Some(to)) = (day(&query.from), day(&query.to))
            && to < from
        {
            return Err(Problem::field("query/to", "must not be before from"));
        }
        Ok(Listing {
            of: query.of.unwrap_or(Of::Anyone),
            days: (query.from, query.to),
            page: Page::of(request, Self::SPEC.id, query.limit, query.cursor)?,
        })
    }
}

/// The operations by which somebody complains, and is answered.
const COMPLAINTS: [&str; 3] = [
    "report-access-concern",
    "get-access-concern",
    "resolve-access-concern",
];

/// The operations that are there because something is passed on.
const TRYING: [&str; 3] = [
    DiscloseMessages::SPEC.id,
    AccountDisclosures::SPEC.id,
    SuspendAccounting::SPEC.id,
];

/// What a privacy officer does to pass something on.
const DISCLOSING: [&str; 5] = [
    DiscloseMessages::SPEC.id,
    SuspendAccounting::SPEC.id,
    GetMessageKeys::SPEC.id,
    ListThreads::SPEC.id,
    ReadThread::SPEC.id,
];

/// What permits the privacy officer to pass something on.
const DISCLOSURE: &str = "disclosure";

/// Tells what the audit log holds of one patient.
pub struct Teller<'a> {
    opener: &'a Opener,
    notes: &'a AccessNotes,
    withheld: Withheld,
    caller: AccountId,
    /// Is the patient the one who reads this?
    is_patient: bool,
}

impl<'a> Teller<'a> {
    pub fn new(
        patient: PatientId,
        opener: &'a Opener,
        notes: &'a AccessNotes,
    ) -> Result<Self, Fault> {
        let caller = opener
            .caller()
            .ok_or(Fault::Defect("a list that nobody reads"))?;
        Ok(Self {
            opener,
            notes,
            withheld: Withheld::at(Timestamp::now(), notes, opener)?,
            caller: caller.row.account,
            is_patient: caller.row.patient == Some(patient),
        })
    }

    /// Is the access one of those that are asked for? Who complained is between them and the privacy
    /// officer (45 CFR 164.530(g)): of that the patient hears, and nobody else.
    pub fn is_of(&self, record: &AccessRecord, of: Of) -> bool {
        if self.is_withheld(record) {
            return false;
        }
        let complaint = COMPLAINTS.contains(&record.operation.as_str());
        if complaint && !self.is_patient && record.actor != Some(self.caller) {
            return false;
        }
        // To whom something was passed on, and that it was, may be because of whoever acts for the
        // patient (45 CFR 164.512(c)(2)): the patient hears of it here, others from the practice.
        let disclosure = record.via.as_deref() == Some(DISCLOSURE);
        let tried = TRYING.contains(&record.operation.as_str());
        if (disclosure || tried) && !self.is_patient {
            return false;
        }
        match (of, self.kind(record)) {
            (Of::Anyone, _)
            | (Of::Proxies, Kind::Proxy)
            | (Of::Providers, Kind::Provider)
            | (Of::Staff, Kind::Administrator | Kind::PrivacyOfficer)
            | (Of::Portal, Kind::Portal) => true,
            (Of::Disclosures, _) => disclosure,
            (Of::Others, kind) => kind != Kind::You,
            _ => false,
        }
    }

    /// While an accounting is suspended, nothing here may tell of what it leaves out, nor that it does
    /// (45 CFR 164.528(a)(2)): of what a privacy officer does to disclose something, only what rests on
    /// a disclosure that is accounted for.
    fn is_withheld(&self, record: &AccessRecord) -> bool {
        let discloses = record.role == Some(Role::PrivacyOfficer)
            && DISCLOSING.contains(&record.operation.as_str());
        let accounted = record.grant.is_some_and(|grant| {
            self.notes.disclosure(grant).is_some() && !self.withheld.has(grant)
        });
        self.withheld.is_any() && discloses && !accounted
    }

    pub fn tell(&self, record: AccessRecord) -> Result<Accessed, Fault> {
        let who = self.who(&record)?;
        let words = words::of(&record.operation);
        let outcome = outcome(&record, who.kind);
        let did = outcome.code == Ended::Done;
        Ok(Accessed {
            id: record.id,
            at: record.at,
            what: What {
                text: if did { words.did } else { words.tried },
                operation: record.operation.clone(),
            },
            why: self.why(&record, who.kind)?,
            outcome,
            report: self
                .notes
                .report(record.id)
                .filter(|report| self.is_patient || report.reported_by == self.caller)
                .map(Report::of),
            from: (who.kind == Kind::You).then_some(Origin {
                source_ip: record.source_ip,
                user_agent: record.user_agent,
            }),
            who,
        })
    }

    fn kind(&self, record: &AccessRecord) -> Kind {
        let Some(actor) = record.actor else {
            return match record.via.as_deref() {
                Some("service") => Kind::Portal,
                _ => Kind::NotSignedIn,
            };
        };
        if actor == self.caller {
            return Kind::You;
        }
        match (record.role, record.via.as_deref()) {
            (Some(Role::Provider), _) => Kind::Provider,
            (Some(Role::Admin), _) => Kind::Administrator,
            (Some(Role::PrivacyOfficer), _) => Kind::PrivacyOfficer,
            (Some(Role::Patient), Some("self")) => Kind::Patient,
            (Some(Role::Patient), _) if self.grant(record).is_some() => Kind::Proxy,
            _ => Kind::Other,
        }
    }

    /// The proxy's grant that the access rests on, else the last one that the account had.
    fn grant(&self, record: &AccessRecord) -> Option<&SealedRow> {
        let actor = record.actor?;
        let current = self.opener.context().proxy(actor).map(|proxy| &proxy.row);
        let grants = || self.notes.proxies(actor).chain(current);
        let rests_on = record.grant.map(|grant| grant.to_string());
        grants()
            .find(|row| rests_on.is_some() && row.string("grant") == rests_on.as_deref())
            .or_else(|| grants().last())
    }

    fn who(&self, record: &AccessRecord) -> Result<Who, Fault> {
        let kind = self.kind(record);
        let name = match kind {
            Kind::Provider => self.provider(record)?,
            Kind::Proxy => self.proxy(record)?,
            _ => None,
        };
        let for_whom = if self.is_patient {
            "you"
        } else {
            "the patient"
        };
        let text = match (kind, &name) {
            (Kind::You, _) if self.is_patient => "You".to_owned(),
            (Kind::You, _) => "You, for the patient".to_owned(),
            (Kind::Patient, _) => "The patient".to_owned(),
            (Kind::Proxy, Some(name)) => format!("{name}, who acts for {for_whom}"),
            (Kind::Proxy, None) => format!("Somebody who acts for {for_whom}"),
            (Kind::Provider, Some(name)) => format!("{name}, who works at the practice"),
            (Kind::Provider, None) => "Somebody who treats patients at the practice".to_owned(),
            (Kind::Administrator, _) => "Somebody who runs the portal at the practice".to_owned(),
            (Kind::PrivacyOfficer, _) => "The practice's privacy officer".to_owned(),
            (Kind::Portal, _) => "The portal itself".to_owned(),
            (Kind::NotSignedIn, _) => "Somebody with the practice's letter".to_owned(),
            (Kind::Other, _) => "Somebody else with an account".to_owned(),
        };
        Ok(Who { kind, name, text })
    }

    /// The name that the log has, as it was then; else what the care team calls them.
    fn provider(&self, record: &AccessRecord) -> Result<Option<String>, Fault> {
        if record.name.is_some() {
            return Ok(record.name.clone());
        }
        let context = self.opener.context();
        let member = record
            .practitioner
            .and_then(|practitioner| context.care_team_member(practitioner));
        match member {
            Some(member) => Ok(member.particulars(self.opener)?.name),
            None => Ok(None),
        }
    }

    fn proxy(&self, record: &AccessRecord) -> Result<Option<String>, Fault> {
        let Some(row) = self.grant(record) else {
            return Ok(None);
        };
        let person: Person = serde_json::from_slice(&row.open(self.opener)?)
            .map_err(|_| Fault::Corrupt("a proxy's person"))?;
        Ok(Some(person.name))
    }

    fn why(&self, record: &AccessRecord, kind: Kind) -> Result<Option<Why>, Fault> {
        let Some(via) = record.via.clone() else {
            return Ok(None);
        };
        let emergency = record.grant.and_then(|grant| self.notes.emergency(grant));
        let text = match (via.as_str(), emergency) {
            ("break-glass", Some(emergency)) => emergency_text(emergency.reason),
            ("proxy", _) if self.is_parental(record) => {
                "A parent or guardian may see some or all of the record until the patient is of age."
            }
            (via, _) => match ground(via, kind, &record.operation) {
                Some(text) => text,
                None => return Ok(None),
            },
        };
        Ok(Some(Why {
            text: text.to_owned(),
            emergency: emergency.map(Review::of),
            disclosure: self.disclosure(record)?,
            via,
        }))
    }

    fn disclosure(&self, record: &AccessRecord) -> Result<Option<Disclosed>, Fault> {
        let grant = record.grant.filter(|_| self.is_patient);
        let Some(row) = grant.and_then(|grant| self.notes.disclosure(grant)) else {
            return Ok(None);
        };
        Disclosed::open(row, self.opener).map(Some)
    }

    fn is_parental(&self, record: &AccessRecord) -> bool {
        let basis = self.grant(record).and_then(|row| row.string("basis"));
        basis == Some(Basis::Parental.as_str())
    }
}

/// What the policy's grounds mean; the annotation `@via` of portal.cedar.
pub fn ground(via: &str, kind: Kind, operation: &str) -> Option<&'static str> {
    Some(match via {
        "self" if kind == Kind::You => "It is your own record.",
        "self" => "It is their own record.",
        "care-team" => "They are on the care team.",
        "break-glass" => "They said that it was an emergency.",
        "proxy" => "They were given the right to act for the patient.",
        "privacy-officer" => "The privacy officer checks who used the record.",
        "treatment" => "They were to treat the patient.",
        "administration" => "It is part of running the portal. It shows nothing of the record.",
        "activation" => "They had the letter and the code from the practice.",
        "service" if operation == IMPORT_RECORDS.id => "The practice's own record system sent it.",
        "service" => "The portal did it by itself, for the practice.",
        "appointment" => "The patient had an appointment with them.",
        "calendar" => "They had the secret address of a calendar.",
        "own-schedule" => "It is about their own schedule.",
        DISCLOSURE => "They passed it on, as the law asks or allows.",
        "booking" => "It shows when appointments can be made.",
        "own-account" => "It is about their own account.",
        _ => return None,
    })
}

const fn emergency_text(reason: Reason) -> &'static str {
    match reason {
        Reason::EmergencyTreatment => "They said that it was to treat an emergency.",
        Reason::CoveringColleague => "They said that they stood in for a colleague.",
        Reason::PatientUnresponsive => "They said that the patient could not respond.",
        Reason::PublicHealthEmergency => "They said that it was a public health emergency.",
        Reason::Other => "They said that it was an emergency, for another reason.",
    }
}

impl Review {
    fn of(emergency: &Emergency) -> Self {
        Self {
            reason: emergency.reason,
            verdict: emergency.verdict,
            text: match emergency.verdict {
                None => {
                    "The privacy officer checks every emergency access. This one is not checked yet."
                }
                Some(Verdict::Justified) => "The privacy officer checked it: it was needed.",
                Some(Verdict::NotJustified) => {
                    "The privacy officer checked it: it was not needed. The access was ended."
                }
            },
        }
    }
}

/// Whoever reported it is told what comes of it.
pub const fn reported_already() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "reported-already",
        "The privacy officer knows of this access already",
        "Write to the practice's privacy officer if there is more to say.",
    )
}

impl Report {
    pub fn of(row: &ReportRow) -> Self {
        let resolution = match row.closed {
            Some((Resolved::Resolved(resolution), _)) => Some(resolution),
            _ => None,
        };
        Self {
            reported_at: row.reported_at,
            outcome: resolution,
            resolved_at: row.closed.map(|(_, at)| at),
            text: match resolution {
                None => "It was reported. The privacy officer will look into it.",
                Some(Resolution::NoIssue) => {
                    "The privacy officer looked into it: this access was all right."
                }
                Some(Resolution::Corrected) => {
                    "The privacy officer looked into it: something was wrong and has been put right."
                }
                Some(Resolution::Sanctioned) => {
                    "The privacy officer looked into it: it should not have happened, and the practice \
                     has dealt with it."
                }
                Some(Resolution::BreachNotification) => {
                    "The privacy officer looked into it: it should not have happened. The practice \
                     writes to you about what it means for you."
                }
            },
        }
    }
}

fn outcome(record: &AccessRecord, kind: Kind) -> Outcome {
    let (code, text) = match record.outcome.as_str() {
        "success" if record.reason.as_deref() == Some(BEGUN) => {
            (Ended::NotDone, "It began, and has not finished.")
        }
        "success" if record.reason.as_deref() == Some(UNCHANGED) => {
            (Ended::Done, "It was done. There was nothing new in it.")
        }
        "success" => (Ended::Done, "It was done."),
        "denied" if record.via.is_some() => (
            Ended::NotDone,
            "The portal did not do it. Nothing was changed.",
        ),
        "denied" if kind == Kind::You => {
            (Ended::Refused, "You were not let in. Nothing was shown.")
        }
        "denied" => (
            Ended::Refused,
            "They were not let in. Nothing was shown. This also happens by mistake, as with an old link.",
        ),
        "invalid" => (
            Ended::NotDone,
            "Something in the request was not right. Nothing was shown or changed.",
        ),
        _ if kind == Kind::Portal => (
            Ended::Failed,
            "It did not finish. The practice can see why.",
        ),
        _ => (
            Ended::Failed,
            "The portal had a problem. Nothing was shown or changed.",
        ),
    };
    Outcome { code, text }
}

/// Asks the privacy officer about one access.
pub struct ReportAccessConcern;

/// Which access, and what the patient has to say about it.
pub struct NewReport {
    pub access: AccessId,
    pub explanation: Option<Line<1, 1000>>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Body {
    explanation: Option<Line<1, 1000>>,
}

impl Operation for ReportAccessConcern {
    const SPEC: &'static Spec = &Spec {
        id: "report-access-concern",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/record-access/{access}/report",
            auth: Auth::Token,
        },
        action: "ReportAccessConcern",
        audit: "record-access.report",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPatients,
            ReadRecordAccess,
            ReportConcerns,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = NewReport;
    type Output = Report;

    fn parse(request: &Request) -> Result<NewReport, Problem> {
        request.no_query()?;
        let Body { explanation } = request.body()?;
        Ok(NewReport {
            access: request.path("access")?,
            explanation,
        })
    }
}
