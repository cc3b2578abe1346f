//! Lists a patient's threads, newest activity first.

use shared::Fault;
use shared::access::Unproven;
use shared::api::page::Page;
use shared::api::threads::{ListThreads, Threads as Answer};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::Threads;

struct Handler {
    threads: Threads,
}

impl Read<ListThreads> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        page: Page,
    ) -> Result<Sealed<Answer>, Problem> {
        let found = self.threads.list(whose, page.after.as_deref(), page.limit);
        let found = found.await?;
        Ok(Sealed::unkeyed(move |opener| {
            let caller = opener.caller().ok_or(Fault::Defect("a read of nobody"))?;
            let threads = found.threads.iter().map(|row| row.view(caller));
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
        },
    )
}
