//! Notes up to where a party has read a thread.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::message_keys::Party;
use shared::api::threads::{MarkThreadRead, Marked, Through};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{SentBy, ThreadRow, Threads};

struct Handler {
    threads: Threads,
}

impl Revise<MarkThreadRead> for Handler {
    /// The thread, and who had sent how much by the message that was read last.
    type Found = (Option<ThreadRow>, Option<SentBy>);
    const ATTEMPTS: u32 = 12;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        read: &Through,
    ) -> Result<Self::Found, Problem> {
        let (thread, sent) = tokio::join!(
            self.threads.thread(whose, read.thread),
            self.threads.sent_by(whose, read.thread, read.through),
        );
        Ok((thread?, sent?))
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        (row, sent): Self::Found,
        Through { thread, through }: Through,
    ) -> Result<Changed<Marked>, Problem> {
        let mut row = row.ok_or(Problem::not_found())?;
        let sent =
            sent.ok_or_else(|| Problem::field("/through", "must be the sequence of a message"))?;
        let party = Party::of(access.caller());
        let mut writes = Vec::new();
        // Somebody else of the party may have read on.
        if through > row.read_through(party) {
            row.mark_read(party, through, sent.of(party), Timestamp::now());
            writes = self.threads.read_on(access, &row)?;
        }
        let answer = Marked {
            thread,
            through: row.read_through(party),
            unread: row.unread(party),
        };
        let changed = Changed::done(writes, Phi::new(answer)).regarding(thread);
        Ok(changed)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<MarkThreadRead>(
        aws,
        Handler {
            threads: Threads::new(aws)?,
        },
    )
}
