//! Lists a patient's prescriptions, active or past, newest first, with their open refill requests.

use shared::Fault;
use shared::access::Unproven;
use shared::api::prescriptions::{ListPrescriptions, Listing, Prescription, Prescriptions};
use shared::api::refills::Refill;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{Records, Requests};

struct Handler {
    records: Records,
    refills: Requests<Refill>,
}

impl Read<ListPrescriptions> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        Listing { group, page }: Listing,
    ) -> Result<Sealed<Prescriptions>, Problem> {
        let after = page.after.as_deref();
        let (found, refills) = tokio::join!(
            self.records
                .newest(whose, group.section(), after, page.limit),
            self.refills.open_about(whose),
        );
        let (found, refills) = (found?, refills?);
        Ok(Sealed::new(move |opener| {
            let rows = found.rows.iter();
            let opened = rows.map(|row| Prescription::open(row, group, &refills, opener));
            Ok(Prescriptions {
                prescriptions: opened.collect::<Result<_, _>>()?,
                next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListPrescriptions>(
        aws,
        Handler {
            records: Records::new(aws)?,
            refills: Requests::new(aws)?,
        },
    )
}
