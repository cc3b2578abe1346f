//! Reads a thread's messages, oldest first. Reading marks nothing: a browser says what it could verify
//! with mark-thread-read.

use shared::Fault;
use shared::access::Unproven;
use shared::api::threads::{After, Conversation, ReadThread};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::Threads;

/// So many messages a page has at most: the largest ones make a page of 4.5 MB, and Lambda takes 6.
const MOST: u8 = 50;

struct Handler {
    threads: Threads,
    practice: Practice,
}

impl Read<ReadThread> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        After { thread, after }: After,
    ) -> Result<Sealed<Conversation>, Problem> {
        let (row, messages) = tokio::join!(
            self.threads.thread(whose, thread),
            self.threads.messages(whose, thread, after, MOST),
        );
        let (row, messages) = (row?.ok_or(Problem::not_found())?, messages?);
        let practice = self.practice.clone();
        Ok(Sealed::unkeyed(move |opener| {
            let caller = opener.caller().ok_or(Fault::Defect("a read of nobody"))?;
            let read = messages.last().map_or(after, |last| last.sequence);
            Ok(Conversation {
                thread: row.view(caller, &practice)?,
                more: read < row.last,
                messages,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ReadThread>(
        aws,
        Handler {
            threads: Threads::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
