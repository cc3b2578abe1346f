//! Changes who treats a patient: adds, removes, or says until when.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::care_team::{
    Add, CareTeam, ChangeCareTeam, Expire, Remove, TeamChange, VersionedChange, last_member,
};
use shared::api::text::Instant;
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::{PatientId, PractitionerId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Directory, Membership, Particulars, Patients, sortable};

struct Handler {
    patients: Patients,
    directory: Directory,
}

impl Change<ChangeCareTeam> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        VersionedChange { version, change }: VersionedChange,
    ) -> Result<Changed<CareTeam>, Problem> {
        let now = Timestamp::now();
        let team = CareTeam::open(opener, now)?;
        if team.version != version {
            return Err(Problem::changed_meanwhile());
        }
        let membership = match change {
            TeamChange::Add(add) => self.added(opener, add, now).await?,
            TeamChange::Remove(Remove { practitioner }) => {
                ended(opener, practitioner, now, now, "/remove/practitioner")?
            }
            TeamChange::Expire(Expire {
                practitioner,
                until: Instant(until),
            }) => {
                is_to_come(until, now, "/expire/until")?;
                ended(opener, practitioner, until, now, "/expire/practitioner")?
            }
        };
        let writes = self
            .patients
            .change_care_team(access, opener, version, &membership, now)?;
        let team = team.with(&membership, now);
        Ok(Changed::done(writes, Phi::new(team)).regarding(membership.practitioner.to_string()))
    }
}

impl Handler {
    async fn added(
        &self,
        opener: &Opener,
        add: Add,
        now: Timestamp,
    ) -> Result<Membership, Problem> {
        let until = add.until.map(|Instant(until)| until);
        if let Some(until) = until {
            is_to_come(until, now, "/add/until")?;
        }
        let wrong = |must| Problem::field("/add/practitioner", must);
        let colleague = self.directory.practitioner(add.practitioner).await?;
        let colleague = colleague.ok_or_else(|| wrong("must be listed in the directory"))?;
        let former = opener.context().care_team_member(colleague.practitioner);
        if former.is_some_and(|member| member.is_current(now)) {
            return Err(wrong("must not be on the care team already"));
        }
        Ok(Membership {
            practitioner: colleague.practitioner,
            since: Some(sortable(now)),
            last_seen: former
                .and_then(|member| member.last_seen())
                .map(str::to_owned),
            until,
            particulars: Particulars {
                role: None,
                name: colleague.name,
            },
        })
    }
}

/// The same membership with an end, if somebody outlasts it.
fn ended(
    opener: &Opener,
    practitioner: PractitionerId,
    until: Timestamp,
    now: Timestamp,
    pointer: &'static str,
) -> Result<Membership, Problem> {
    let context = opener.context();
    let member = context
        .care_team_member(practitioner)
        .filter(|member| member.is_current(now))
        .ok_or_else(|| Problem::field(pointer, "must be on the care team"))?;
    let mut others = context.care_team().iter();
    if !others.any(|other| other.practitioner != practitioner && other.is_current(until)) {
        return Err(last_member());
    }
    Ok(Membership {
        practitioner,
        since: member.since().map(str::to_owned),
        last_seen: member.last_seen().map(str::to_owned),
        until: Some(until),
        particulars: member.particulars(opener)?,
    })
}

fn is_to_come(until: Timestamp, now: Timestamp, pointer: &'static str) -> Result<(), Problem> {
    if until <= now {
        return Err(Problem::field(pointer, "must be in the future"));
    }
    Ok(())
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ChangeCareTeam>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
            directory: Directory::new(aws)?,
        },
    )
}
