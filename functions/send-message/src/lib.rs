//! Writes a message into a thread: behind the last one, whoever else is writing.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::message_keys::Party;
use shared::api::threads::{
    NewMessage, SendMessage, Sent, State, counter_ahead, counter_used, thread_closed, wrong_parties,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Outgoing, SentBefore, ThreadRow, Threads};

struct Handler {
    threads: Threads,
}

impl Revise<SendMessage> for Handler {
    /// The thread, and what the `Idempotency-Key` made before.
    type Found = (Option<ThreadRow>, Option<SentBefore>);
    const ATTEMPTS: u32 = 12;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        new: &NewMessage,
    ) -> Result<Self::Found, Problem> {
        let (account, key) = (new.message.sender, new.idempotency_key.as_str());
        let (thread, sent) = tokio::join!(
            self.threads.thread(whose, new.thread),
            self.threads.sent_before(whose, new.thread, account, key),
        );
        Ok((thread?, sent?))
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        (row, sent): Self::Found,
        new: NewMessage,
    ) -> Result<Changed<Sent>, Problem> {
        let now = Timestamp::now();
        let thread = new.thread;
        new.message.is_by("/message", access.account())?;
        let message = new.message.as_slice();
        let mut row = row.ok_or(Problem::not_found())?;
        if let Some(sent) = sent {
            if !sent.is(message) {
                return Err(Problem::key_used_before());
            }
            let answer = Phi::new(Sent {
                thread,
                sequence: sent.sequence,
                sent_at: sent.at,
            });
            let changed = Changed::done(Vec::new(), answer).regarding(thread);
            return Ok(changed);
        }
        if row.state == State::Closed {
            return Err(thread_closed());
        }
        if !row.is_shared_with(Party::of(access.caller()), &new.message.key_id) {
            return Err(wrong_parties());
        }
        let counter = row.counter(access.account());
        if new.message.counter <= counter {
            return Err(counter_used());
        }
        // The one before may be on its way.
        if new.message.counter - counter > 1 {
            return Ok(Changed::not_yet(counter_ahead()));
        }
        let outgoing = Outgoing {
            ciphertext: message,
            counter: new.message.counter,
            idempotency_key: new.idempotency_key.as_str(),
            at: now,
        };
        let (sequence, writes) = self.threads.append(access, &mut row, &outgoing)?;
        let answer = Phi::new(Sent {
            thread,
            sequence,
            sent_at: now,
        });
        let changed = Changed::done(writes, answer).regarding(thread);
        Ok(changed)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<SendMessage>(
        aws,
        Handler {
            threads: Threads::new(aws)?,
        },
    )
}
