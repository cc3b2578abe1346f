//! Lists a patient's refill requests with their history, newest first.

use shared::Fault;
use shared::access::Unproven;
use shared::api::page::Page;
use shared::api::refills::{ListRefillRequests, Refill, RefillRequest, RefillRequests};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{Records, Requests, Section};

struct Handler {
    records: Records,
    refills: Requests<Refill>,
}

impl Read<ListRefillRequests> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        page: Page,
    ) -> Result<Sealed<RefillRequests>, Problem> {
        let after = page.after.as_deref();
        let (found, active) = tokio::join!(
            self.refills.newest(whose, after, page.limit),
            self.records.ids(whose, Section::ActivePrescriptions),
        );
        let (found, active) = (found?, active?);
        Ok(Sealed::new(move |opener| {
            let requests = found.rows.iter().map(|row| {
                let refill = Requests::<Refill>::open(row, opener)?.asked;
                Ok(RefillRequest {
                    prescription_active: active.contains(&refill.prescription),
                    refill,
                })
            });
            Ok(RefillRequests {
                requests: requests.collect::<Result<_, Fault>>()?,
                next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListRefillRequests>(
        aws,
        Handler {
            records: Records::new(aws)?,
            refills: Requests::new(aws)?,
        },
    )
}
