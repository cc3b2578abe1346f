//! Lists the threads that wait with the practice, of patients whom the caller treats (45 CFR
//! 164.514(d): what the practice has to know of others' patients is nothing).

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::message_keys::Group;
use shared::api::page::Page;
use shared::api::threads::{ListInbox, MOST_IN_INBOX, Threads as Answer};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::practice;
use shared::serve::Service;
use shared::store::{Inbox, PatientContext};

struct Handler {
    inbox: Inbox,
    practice: practice::Practice,
}

impl Change<ListInbox> for Handler {
    /// Nothing changes; but whose threads they are must be permitted before they are looked for.
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        page: Page<MOST_IN_INBOX>,
    ) -> Result<Changed<Answer>, Problem> {
        let caller = access.caller();
        let practitioner = caller.row.practitioner;
        let practitioner = practitioner.ok_or(Fault::Defect("a provider who is nobody"))?;
        let now = Timestamp::now();
        let treats = |context: &PatientContext| context.is_on_care_team(practitioner, now);
        let after = page.after.as_deref();
        let found = self
            .inbox
            .list(access, Group::Providers, treats, after, page.limit)
            .await?;
        let threads = found.threads.iter();
        let threads = threads.map(|row| row.view(caller, &self.practice));
        let answer = Answer {
            threads: threads.collect::<Result<_, _>>()?,
            next_cursor: found
                .next
                .map(|next| page.cursor.write(&next))
                .transpose()?,
        };
        Ok(Changed::done(Vec::new(), Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListInbox>(
        aws,
        Handler {
            inbox: Inbox::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
