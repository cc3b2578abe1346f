//! Says who of the care team takes care of a thread.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::threads::{AssignThread, Assignment, Standing, not_on_care_team};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{ThreadRow, Threads};

struct Handler {
    threads: Threads,
}

impl Revise<AssignThread> for Handler {
    type Found = Option<ThreadRow>;
    const ATTEMPTS: u32 = 12;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        assignment: &Assignment,
    ) -> Result<Option<ThreadRow>, Problem> {
        Ok(self.threads.thread(whose, assignment.thread).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        row: Option<ThreadRow>,
        Assignment {
            thread,
            practitioner,
        }: Assignment,
    ) -> Result<Changed<Standing>, Problem> {
        let mut row = row.ok_or(Problem::not_found())?;
        let context = opener.context();
        if practitioner.is_some_and(|one| !context.is_on_care_team(one, Timestamp::now())) {
            return Err(not_on_care_team());
        }
        let mut writes = Vec::new();
        if row.assigned != practitioner {
            row.assigned = practitioner;
            writes.push(self.threads.change(access, &row)?);
        }
        let answer = Standing {
            thread,
            state: row.state,
            assigned: row.assigned,
        };
        let changed = Changed::done(writes, Phi::new(answer)).regarding(thread);
        Ok(changed)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<AssignThread>(
        aws,
        Handler {
            threads: Threads::new(aws)?,
        },
    )
}
