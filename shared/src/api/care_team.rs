//! Care teams: who treats a patient, and so may see the record.

use super::text::Instant;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{
    ReadAccounts, ReadDirectory, ReadPatients, UnwrapDataKeys, WriteAudit, WriteCareTeam,
};
use crate::http::{Object, Problem, Request};
use crate::ids::{PatientId, PractitionerId};
use crate::phi::Opener;
use crate::store::Membership;
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// A care team as it is read.
pub struct GetCareTeam;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CareTeam {
    /// Those who treat the patient now, last seen first, and then those who did.
    pub members: Vec<Member>,
    /// Counts the portal's changes; the ETag.
    #[serde(skip)]
    pub version: u64,
}

/// A practitioner who is or was on the care team.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Member {
    pub practitioner: PractitionerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Is the membership over?
    pub former: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The start of the newest encounter with the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// When the membership ends or ended; absent if nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How it came about: `care-team` or `encounter` of the practice's records, or `portal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl CareTeam {
    /// Opens a patient's care team.
    pub fn open(opener: &Opener, now: Timestamp) -> Result<Self, Fault> {
        let context = opener.context();
        let members = context.care_team().iter().map(|member| {
            let particulars = member.particulars(opener)?;
            Ok(Member {
                practitioner: member.practitioner,
                name: particulars.name,
                role: particulars.role,
                former: !member.is_current(now),
                since: member.since().map(str::to_owned),
                last_seen: member.last_seen().map(str::to_owned),
                until: member.until,
                source: member.row.string("source").map(str::to_owned),
            })
        });
        let mut team = Self {
            members: members.collect::<Result<_, Fault>>()?,
            version: context.care_team_version(),
        };
        team.sort();
        Ok(team)
    }

    fn sort(&mut self) {
        self.members.sort_by_cached_key(|member| {
            let last_seen = Reverse(member.last_seen.clone());
            (member.former, last_seen, member.practitioner)
        });
    }

    /// The team after a change in the portal.
    pub fn with(mut self, membership: &Membership, now: Timestamp) -> Self {
        let practitioner = membership.practitioner;
        self.members
            .retain(|member| member.practitioner != practitioner);
        self.members.push(Member {
            practitioner,
            name: membership.particulars.name.clone(),
            role: membership.particulars.role.clone(),
            former: membership.until.is_some_and(|until| until <= now),
            since: membership.since.clone(),
            last_seen: membership.last_seen.clone(),
            until: membership.until,
            source: Some("portal".to_owned()),
        });
        self.version = self.version.saturating_add(1);
        self.sort();
        self
    }
}

impl Operation for GetCareTeam {
    const SPEC: &'static Spec = &Spec {
        id: "get-care-team",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/care-team",
            auth: Auth::Token,
        },
        action: "GetCareTeam",
        audit: "care-team.read",
        needs: &[ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit],
    };
    type Subject = PatientId;
    type Input = ();
    type Output = CareTeam;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }

    fn etag(team: &CareTeam) -> Option<u64> {
        Some(team.version)
    }
}

/// A change of one membership, by somebody on the team.
pub struct ChangeCareTeam;

/// One of the three.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Body {
    add: Option<Object<Add>>,
    remove: Option<Object<Remove>>,
    expire: Option<Object<Expire>>,
}

/// Puts a practitioner of the directory on the team.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Add {
    pub practitioner: PractitionerId,
    pub until: Option<Instant>,
}

/// Takes somebody off the team, at once.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remove {
    pub practitioner: PractitionerId,
}

/// Says when somebody's membership ends.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Expire {
    pub practitioner: PractitionerId,
    pub until: Instant,
}

pub enum TeamChange {
    Add(Add),
    Remove(Remove),
    Expire(Expire),
}

/// A change and the version it was made on.
pub struct VersionedChange {
    pub version: u64,
    pub change: TeamChange,
}

/// Somebody has to treat the patient: emergency access is no way to run a practice.
pub const fn last_member() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "last-member",
        "This would leave the patient with nobody",
        "Put a colleague on the care team first, without an end or with a later one.",
    )
}

impl Operation for ChangeCareTeam {
    const SPEC: &'static Spec = &Spec {
        id: "change-care-team",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/care-team",
            auth: Auth::Token,
        },
        action: "ChangeCareTeam",
        audit: "care-team.change",
        needs: &[
            ReadAccounts,
            ReadPatients,
            WriteCareTeam,
            ReadDirectory,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = VersionedChange;
    type Output = CareTeam;

    fn parse(request: &Request) -> Result<VersionedChange, Problem> {
        request.no_query()?;
        let version = request.if_match()?;
        let change = match request.body()? {
            Body {
                add: Some(Object(add)),
                remove: None,
                expire: None,
            } => TeamChange::Add(add),
            Body {
                add: None,
                remove: Some(Object(remove)),
                expire: None,
            } => TeamChange::Remove(remove),
            Body {
                add: None,
                remove: None,
                expire: Some(Object(expire)),
            } => TeamChange::Expire(expire),
            _ => {
                return Err(Problem::field(
                    "",
                    "must name one of add, remove and expire",
                ));
            }
        };
        Ok(VersionedChange { version, change })
    }

    fn etag(team: &CareTeam) -> Option<u64> {
        Some(team.version)
    }
}
