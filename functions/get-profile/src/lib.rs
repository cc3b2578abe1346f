//! Reads a patient's profile.

use shared::Fault;
use shared::access::Unproven;
use shared::api::profile::{GetProfile, Profile};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;

struct Handler;

impl Read<GetProfile> for Handler {
    /// The profile is part of the context that the pipeline reads anyway.
    async fn read(&self, whose: &Unproven<PatientId>, (): ()) -> Result<Sealed<Profile>, Problem> {
        let patient = whose.patient();
        Ok(Sealed::new(move |opener| Profile::open(patient, opener)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetProfile>(aws, Handler)
}
