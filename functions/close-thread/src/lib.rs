//! Ends a thread. It stays as it is: nothing is ever deleted.

use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::threads::{CloseThread, Standing, State};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{PatientId, ThreadId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{ThreadRow, Threads};

struct Handler {
    threads: Threads,
}

impl Revise<CloseThread> for Handler {
    type Found = Option<ThreadRow>;
    const ATTEMPTS: u32 = 12;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        thread: &ThreadId,
    ) -> Result<Option<ThreadRow>, Problem> {
        Ok(self.threads.thread(whose, *thread).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        row: Option<ThreadRow>,
        thread: ThreadId,
    ) -> Result<Changed<Standing>, Problem> {
        let mut row = row.ok_or(Problem::not_found())?;
        let mut writes = Vec::new();
        if row.state == State::Open {
            row.state = State::Closed;
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
    revises::<CloseThread>(
        aws,
        Handler {
            threads: Threads::new(aws)?,
        },
    )
}
