//! Lists a patient's laboratory results, newest first.

use shared::Fault;
use shared::access::Unproven;
use shared::api::lab_results::{LabResult, LabResults, ListLabResults, Listing};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::Records;

struct Handler {
    records: Records,
}

impl Read<ListLabResults> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        listing: Listing,
    ) -> Result<Sealed<LabResults>, Problem> {
        let page = &listing.page;
        let found = self
            .records
            .newest_of(whose, &listing.span(), page.after.as_deref(), page.limit)
            .await?;
        Ok(Sealed::new(move |opener| {
            let results = found.rows.iter().map(|row| LabResult::open(row, opener));
            let mut results = results.collect::<Result<Vec<_>, _>>()?;
            results.retain(|result| listing.holds(result));
            let cursor = &listing.page.cursor;
            Ok(LabResults {
                results,
                next_cursor: found.next.map(|sk| cursor.write(&sk)).transpose()?,
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
