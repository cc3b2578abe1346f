//! Begins a thread: its key, wrapped to the patient and the practice, its subject and first message.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::message_keys::{Group, Party};
use shared::api::threads::{NewThread, Sent, StartThread, may_share, thread_taken, wrong_parties};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{AccountId, PatientId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Beginning, MessageKeys, Outgoing, SentBefore, ThreadRow, Threads};

struct Handler {
    keys: MessageKeys,
    threads: Threads,
}

/// What there is already.
struct Found {
    thread: Option<ThreadRow>,
    sent: Option<SentBefore>,
    /// The account by which the patient takes part.
    patient: Option<AccountId>,
}

impl Revise<StartThread> for Handler {
    type Found = Found;
    const ATTEMPTS: u32 = 2;

    async fn find(&self, whose: &Unproven<PatientId>, new: &NewThread) -> Result<Found, Problem> {
        let (account, key) = (new.message.sender, new.idempotency_key.as_str());
        let (thread, sent, patient) = tokio::join!(
            self.threads.thread(whose, new.thread),
            self.threads.sent_before(whose, new.thread, account, key),
            self.keys.account_of(whose),
        );
        Ok(Found {
            thread: thread?,
            sent: sent?,
            patient: patient?,
        })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Found,
        new: NewThread,
    ) -> Result<Changed<Sent>, Problem> {
        let now = Timestamp::now();
        let thread = new.thread;
        new.subject.is_by("/subject", access.account())?;
        new.message.is_by("/message", access.account())?;
        let message = new.message.as_slice();
        if let Some(sent) = found.sent {
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
        if found.thread.is_some() {
            return Err(thread_taken());
        }
        // Everybody who takes part can read it from the start. A child has no key of their own, and
        // then it is for a parent.
        let sender = Party::of(access.caller());
        let keys = new.keys.0;
        let practice = Party::Group(Group::Providers);
        let has = |party| keys.iter().any(|key| key.party == party);
        let is_for_the_patient = match found.patient {
            Some(patient) => has(Party::Account(patient)),
            None => keys.iter().any(|key| key.party != practice),
        };
        if !is_for_the_patient || !has(practice) || !has(sender) {
            return Err(wrong_parties());
        }
        may_share(
            access.patient(),
            opener.context(),
            found.patient,
            &keys,
            now,
        )?;
        let beginning = Beginning {
            patient: access.patient(),
            id: thread,
            category: new.category,
            subject: new.subject.as_slice().to_vec(),
            commitment: new.commitment,
            keys,
        };
        let mut row = ThreadRow::begin(beginning, now);
        if !row.is_shared_with(sender, &new.message.key_id)
            || new.subject.key_id != new.message.key_id
        {
            return Err(wrong_parties());
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
    revises::<StartThread>(
        aws,
        Handler {
            keys: MessageKeys::new(aws)?,
            threads: Threads::new(aws)?,
        },
    )
}
