//! Who treats the patient: from active care teams, and from the encounters of the last 24 months
//! that are recorded.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::datatypes::{CodeableConcept, Link, Period};
use super::entry::{is_practitioner, reference};
use super::index::{Index, Reference, Resource};
use super::json::Object;
use super::reason::Reason;
use super::time::ClinicalTime;

/// How far back from the patient's newest encounter a visit still puts someone on the care team.
const MONTHS: i64 = 24;

/// How long an encounter that nobody has ended counts as a visit: systems leave some open for ever.
const OPEN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How the portal knows that someone treats the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    CareTeam,
    Encounter,
}

/// A practitioner who may see the patient's record: a care team is what access rests on, so
/// whatever is in doubt (no status, a cancelled visit, a period that is over) puts nobody on it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct CareTeamMember {
    pub practitioner: Reference,
    pub display: Option<String>,
    pub role: Option<String>,
    pub source: Source,
    pub since: Option<ClinicalTime>,
    /// Start of the newest encounter with the patient, if it is from encounters that we know.
    /// Where a record is spread over files, the 24 months count from the newest of all of them.
    pub last_seen: Option<ClinicalTime>,
}

/// An encounter with those who took part.
pub(super) struct Visit {
    start: ClinicalTime,
    /// Until when it lasted; `None` if that is no time.
    until: Option<Timestamp>,
    members: Vec<CareTeamMember>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Participant {
    #[serde(default)]
    role: Vec<CodeableConcept>,
    #[serde(default, rename = "type")]
    kind: Vec<CodeableConcept>,
    member: Option<Link>,
    individual: Option<Link>,
    period: Option<Period>,
}

/// The practitioners of an active CareTeam (<https://hl7.org/fhir/R4/careteam.html>).
pub(super) fn listed(
    resource: &Resource<'_>,
    object: &Object<'_>,
    index: &Index<'_>,
    now: Timestamp,
) -> Result<Vec<CareTeamMember>, Reason> {
    let status = object.text("status")?;
    let period: Option<Period> = object.get("period")?;
    let participants: Vec<Participant> = object.list("participant")?;
    if status.as_deref() != Some("active") || !is_current(period.as_ref(), now)? {
        return Ok(Vec::new());
    }
    let mut members = Vec::new();
    for participant in participants {
        if !is_current(participant.period.as_ref(), now)? {
            continue;
        }
        let since = participant
            .period
            .as_ref()
            .or(period.as_ref())
            .and_then(Period::starts);
        let role = participant
            .role
            .iter()
            .find_map(|role| role.label().map(str::to_owned));
        let member = participant
            .member
            .and_then(|link| member(link, resource, index, Source::CareTeam, role, since));
        members.extend(member);
    }
    Ok(members)
}

/// The encounter, if it took or takes place (<https://hl7.org/fhir/R4/encounter.html>).
pub(super) fn visit(
    resource: &Resource<'_>,
    object: &Object<'_>,
    index: &Index<'_>,
) -> Result<Option<Visit>, Reason> {
    let status = object.text("status")?;
    let period: Option<Period> = object.get("period")?;
    let participants: Vec<Participant> = object.list("participant")?;
    let ongoing = match status.as_deref() {
        Some("arrived" | "triaged" | "in-progress" | "onleave") => true,
        Some("finished") => false,
        _ => return Ok(None),
    };
    let Some(start) = period.as_ref().and_then(Period::starts) else {
        return Ok(None);
    };
    let end = period
        .and_then(|period| period.end)
        .and_then(|end| ClinicalTime::parse(&end));
    let until = match end {
        Some(end) => end.last_instant(),
        None if ongoing => start.instant().and_then(|at| at.checked_add(OPEN).ok()),
        None => start.instant(),
    };
    let mut members = Vec::new();
    for participant in participants {
        let role = participant
            .kind
            .iter()
            .find_map(|kind| kind.label().map(str::to_owned));
        let since = Some(start.clone());
        let member = participant
            .individual
            .and_then(|link| member(link, resource, index, Source::Encounter, role, since));
        members.extend(member);
    }
    Ok(Some(Visit {
        start,
        until,
        members,
    }))
}

fn member(
    link: Link,
    resource: &Resource<'_>,
    index: &Index<'_>,
    source: Source,
    role: Option<String>,
    since: Option<ClinicalTime>,
) -> Option<CareTeamMember> {
    let practitioner = reference(index, index.practitioner(&link, resource));
    let member = CareTeamMember {
        practitioner,
        display: link.display,
        role,
        source,
        since,
        last_seen: None,
    };
    is_practitioner(&member.practitioner).then_some(member)
}

/// Whether the period has begun and is not over. A bound that is no date is an error, not a guess.
fn is_current(period: Option<&Period>, now: Timestamp) -> Result<bool, Reason> {
    let Some(period) = period else {
        return Ok(true);
    };
    if !period.is_sound() {
        return Err(Reason::Malformed("period"));
    }
    let start = period.starts().and_then(|start| start.instant());
    let end = period.end.as_deref().and_then(ClinicalTime::parse);
    let end = end.and_then(|end| end.last_instant());
    Ok(start.is_none_or(|start| start <= now) && end.is_none_or(|end| end >= now))
}

/// Puts both together, each practitioner once: a care team's word on the role comes first.
pub(super) fn team(
    listed: Vec<CareTeamMember>,
    visits: &[Visit],
    now: Timestamp,
) -> Vec<CareTeamMember> {
    let past = || {
        visits
            .iter()
            .filter(move |visit| visit.start.instant().is_some_and(|start| start <= now))
    };
    let cutoff = past()
        .filter_map(|visit| visit.start.instant())
        .max()
        .and_then(|newest| {
            newest
                .to_zoned(TimeZone::UTC)
                .checked_sub(MONTHS.months())
                .ok()
        })
        .map(|cutoff| cutoff.timestamp());
    let recent = past().filter(|visit| {
        cutoff.is_some_and(|cutoff| visit.until.is_some_and(|until| until >= cutoff))
    });
    let mut team: Vec<CareTeamMember> = Vec::new();
    let mut places: HashMap<Reference, usize> = HashMap::new();
    let seen = recent.flat_map(|visit| {
        visit.members.iter().map(|member| CareTeamMember {
            last_seen: Some(visit.start.clone()),
            ..member.clone()
        })
    });
    for member in listed.into_iter().chain(seen) {
        let place = *places
            .entry(member.practitioner.clone())
            .or_insert(team.len());
        match team.get_mut(place) {
            Some(known) => {
                if known.source == member.source {
                    known.since = earliest(known.since.take(), member.since);
                }
                known.last_seen = known.last_seen.take().max(member.last_seen);
                known.role = known.role.take().or(member.role);
                known.display = known.display.take().or(member.display);
            }
            None => team.push(member),
        }
    }
    team
}

fn earliest(one: Option<ClinicalTime>, other: Option<ClinicalTime>) -> Option<ClinicalTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
