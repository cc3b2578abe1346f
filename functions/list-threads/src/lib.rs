//! Lists a patient's threads, newest activity first.

use shared::Fault;
use shared::access::Unproven;
use shared::api::message_keys::Party;
use shared::api::threads::{HiddenOnes, ListThreads, Listing, Threads as Answer};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{ThreadRow, Threads};

struct Handler {
    threads: Threads,
    practice: Practice,
}

impl Read<ListThreads> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        Listing { hidden, page }: Listing,
    ) -> Result<Sealed<Answer>, Problem> {
        let found = self.threads.list(whose, page.after.as_deref(), page.limit);
        let found = found.await?;
        let practice = self.practice.clone();
        Ok(Sealed::unkeyed(move |opener| {
            let caller = opener.caller().ok_or(Fault::Defect("a read of nobody"))?;
            let party = Party::of(caller);
            let listed = |row: &&ThreadRow| hidden == HiddenOnes::Listed || !row.is_hidden(party);
            let threads = found.threads.iter().filter(listed);
            let threads = threads.map(|row| row.view(caller, &practice));
            Ok(Answer {
                threads: threads.collect::<Result<_, _>>()?,
                next_cursor: found
                    .next
                    .map(|next| page.cursor.write(&next))
                    .transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListThreads>(
        aws,
        Handler {
            threads: Threads::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
