//! Lists a patient's laboratory results, newest first.

use shared::Fault;
use shared::access::Unproven;
use shared::api::lab_results::{LabResult, LabResults, ListLabResults};
use shared::api::page::Page;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{Records, Section};

struct Handler {
    records: Records,
}

impl Read<ListLabResults> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        page: Page,
    ) -> Result<Sealed<LabResults>, Problem> {
        let after = page.after.as_deref();
        let found = self
            .records
            .newest(whose, Section::LabResults, after, page.limit)
            .await?;
        Ok(Sealed::new(move |opener| {
            Ok(LabResults {
                results: found
                    .rows
                    .iter()
                    .map(|row| LabResult::open(row, opener))
                    .collect::<Result<_, _>>()?,
                next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListLabResults>(
        aws,
        Handler {
            records: Records::new(aws)?,
        },
    )
}
