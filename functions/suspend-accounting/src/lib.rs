//! Leaves disclosures to a health oversight agency or a law enforcement official out of a patient's
//! accounting, for the time that they ask for. Nothing is gone: afterwards they are in it again.

use jiff::{Span, Timestamp};
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::accounting::{
    Form, KeyedStatement, ORAL_DAYS, Statement, SuspendAccounting, Suspended, Suspension, Withheld,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{AccessNotes, Patients};
use uuid::Uuid;

/// After so long, nothing of today is left to account for (45 CFR 164.528(a)(1)).
const YEARS: i32 = 6;

struct Handler {
    patients: Patients,
    practice: Practice,
}

impl Revise<SuspendAccounting> for Handler {
    type Found = AccessNotes;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        _: &KeyedStatement,
    ) -> Result<AccessNotes, Problem> {
        Ok(self.patients.disclosure_notes(whose).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        notes: AccessNotes,
        KeyedStatement {
            statement,
            idempotency_key,
        }: KeyedStatement,
    ) -> Result<Changed<Suspended>, Problem> {
        let now = Timestamp::now();
        let name = format!(
            "suspension {} {}",
            access.account(),
            idempotency_key.as_str()
        );
        let id = Uuid::new_v5(&access.patient().uuid(), name.as_bytes());
        let mut suspensions = notes.suspensions(opener)?;
        let (suspension, writes) = match suspensions.iter().find(|former| former.id == id) {
            // This request was here before, and its answer got lost.
            Some(former) if former.statement == statement => (former.clone(), Vec::new()),
            Some(_) => return Err(Problem::key_used_before()),
            None => {
                let until = self.checked(&statement, &suspensions, now)?;
                let suspension = Suspension {
                    id,
                    since: now,
                    until,
                    statement,
                };
                let write = self.patients.suspend(access, opener, &suspension)?;
                (suspension, vec![write])
            }
        };
        let until = suspension.until;
        suspensions.push(suspension);
        let answer = Phi::new(Suspended {
            suspension: id,
            until,
            withheld: Withheld::by(suspensions, now, &notes, opener)?.count(),
        });
        Ok(Changed::done(writes, answer).granting(id))
    }
}

impl Handler {
    /// When the suspension ends, if the agency may have it.
    fn checked(
        &self,
        statement: &Statement,
        former: &[Suspension],
        now: Timestamp,
    ) -> Result<Timestamp, Problem> {
        const UNKNOWN: Fault = Fault::Defect("a date");
        let today = self.practice.today(now);
        let stated_on = statement.stated_on.day().ok_or(UNKNOWN)?;
        let until = statement.until.day().ok_or(UNKNOWN)?;
        if stated_on > today {
            return Err(Problem::field("/stated_on", "must not be after today"));
        }
        if until < today {
            return Err(Problem::field("/until", "must not be before today"));
        }
        if until > today.saturating_add(Span::new().years(YEARS)) {
            return Err(Problem::field("/until", "must be at most six years ahead"));
        }
        if statement.form == Form::Oral {
            let last = stated_on.saturating_add(Span::new().days(ORAL_DAYS));
            if until > last {
                return Err(Problem::field(
                    "/until",
                    "must be at most 30 days after an oral statement",
                ));
            }
            // One oral statement does not prolong another (45 CFR 164.528(a)(2)(ii)(C)).
            let mut oral = former.iter().filter(|former| {
                former.statement.form == Form::Oral
                    && former.statement.is_of_the_same(statement)
                    && former.statement.until.day() >= Some(stated_on)
            });
            if oral.next().is_some() {
                return Err(Problem::field(
                    "/form",
                    "must be written: there was an oral statement before, which it would prolong",
                ));
            }
        }
        Ok(self.practice.end_of(until)?)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<SuspendAccounting>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
