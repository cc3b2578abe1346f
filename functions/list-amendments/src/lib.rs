//! Lists a patient's requests to amend the record, newest first.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::amendments::{Amendment, AmendmentRequest, Amendments, ListAmendments};
use shared::api::page::Page;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::Requests;

struct Handler {
    amendments: Requests<Amendment>,
    practice: Practice,
}

impl Read<ListAmendments> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        page: Page,
    ) -> Result<Sealed<Amendments>, Problem> {
        let after = page.after.as_deref();
        let found = self.amendments.newest(whose, after, page.limit).await?;
        let practice = self.practice.clone();
        Ok(Sealed::new(move |opener| {
            let now = Timestamp::now();
            let amendments = found.rows.iter().map(|row| {
                let amendment = Requests::<Amendment>::open(row, opener)?.asked;
                Ok(AmendmentRequest::new(amendment, &practice, now))
            });
            Ok(Amendments {
                amendments: amendments.collect::<Result<_, Fault>>()?,
                next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListAmendments>(
        aws,
        Handler {
            amendments: Requests::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
