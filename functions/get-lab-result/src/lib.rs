//! Reads one laboratory result.

use shared::Fault;
use shared::access::Unproven;
use shared::api::lab_results::{GetLabResult, LabResult};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::{PatientId, RecordId};
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{Records, Section};

struct Handler {
    records: Records,
}

impl Read<GetLabResult> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        result: RecordId,
    ) -> Result<Sealed<LabResult>, Problem> {
        let found = self.records.entry(whose, Section::LabResults, result);
        let row = found.await?.ok_or(Problem::not_found())?;
        Ok(Sealed::new(move |opener| LabResult::open(&row, opener)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetLabResult>(
        aws,
        Handler {
            records: Records::new(aws)?,
        },
    )
}
