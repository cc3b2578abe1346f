//! Reads who treats a patient.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::care_team::{CareTeam, GetCareTeam};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;

struct Handler;

impl Read<GetCareTeam> for Handler {
    /// The team is among the context rows, which the pipeline reads anyway.
    async fn read(&self, _: &Unproven<PatientId>, (): ()) -> Result<Sealed<CareTeam>, Problem> {
        Ok(Sealed::new(|opener| {
            CareTeam::open(opener, Timestamp::now())
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetCareTeam>(aws, Handler)
}
