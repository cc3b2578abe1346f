//! Leaves a thread out of a party's list, or shows it again. It stays as it is: nothing is ever
//! deleted, and the next message shows it by itself.

use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::message_keys::Party;
use shared::api::threads::{Hidden, HideThread, Through};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{ThreadRow, Threads};

struct Handler {
    threads: Threads,
}

impl Revise<HideThread> for Handler {
    type Found = Option<ThreadRow>;
    const ATTEMPTS: u32 = 12;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        hide: &Through,
    ) -> Result<Option<ThreadRow>, Problem> {
        Ok(self.threads.thread(whose, hide.thread).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        row: Option<ThreadRow>,
        Through { thread, through }: Through,
    ) -> Result<Changed<Hidden>, Problem> {
        let mut row = row.ok_or(Problem::not_found())?;
        if through > row.last {
            return Err(Problem::field(
                "/through",
                "must be the sequence of a message, or 0",
            ));
        }
        let party = Party::of(access.caller());
        let mut writes = Vec::new();
        if through != row.hidden_through(party) {
            row.hide(party, through);
            writes.push(self.threads.change(access, &row)?);
        }
        let answer = Hidden {
            thread,
            hidden: row.is_hidden(party),
        };
        let changed = Changed::done(writes, Phi::new(answer)).regarding(thread);
        Ok(changed)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<HideThread>(
        aws,
        Handler {
            threads: Threads::new(aws)?,
        },
    )
}
