//! Gives a thread's key to another party, or to a party's new key. Somebody who has the thread's key
//! has wrapped it.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::threads::{
    MOST_KEYS, ShareThread, Shared, SharedWith, may_share, too_many_wrapped_keys,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{AccountId, PatientId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{MessageKeys, ThreadRow, Threads};

struct Handler {
    keys: MessageKeys,
    threads: Threads,
}

impl Revise<ShareThread> for Handler {
    /// The thread, and the account by which the patient takes part.
    type Found = (Option<ThreadRow>, Option<AccountId>);
    const ATTEMPTS: u32 = 12;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        shared: &Shared,
    ) -> Result<Self::Found, Problem> {
        let (thread, patient) = tokio::join!(
            self.threads.thread(whose, shared.thread),
            self.keys.account_of(whose),
        );
        Ok((thread?, patient?))
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        (row, patient): Self::Found,
        Shared { thread, keys }: Shared,
    ) -> Result<Changed<SharedWith>, Problem> {
        let mut row = row.ok_or(Problem::not_found())?;
        let now = Timestamp::now();
        may_share(access.patient(), opener.context(), patient, &keys.0, now)?;
        // A key that has it keeps what it has: nobody takes a thread away by wrapping nonsense.
        let before = row.keys.len();
        for key in keys.0 {
            if !row.is_shared_with(key.party, &key.key_id) {
                row.keys.push(key);
            }
        }
        if row.keys.len() > MOST_KEYS {
            return Err(too_many_wrapped_keys());
        }
        let mut writes = Vec::new();
        if row.keys.len() > before {
            writes.push(self.threads.change(access, &row)?);
        }
        let parties = row.parties();
        let answer = Phi::new(SharedWith { thread, parties });
        let changed = Changed::done(writes, answer).regarding(thread);
        Ok(changed)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<ShareThread>(
        aws,
        Handler {
            keys: MessageKeys::new(aws)?,
            threads: Threads::new(aws)?,
        },
    )
}
