//! Lists who acts for a patient.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::profile::Profile;
use shared::api::proxies::{Granted, GrantedProxies, ListProxies, Person};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;

struct Handler {
    practice: Practice,
}

impl Read<ListProxies> for Handler {
    /// All there is to read came with the patient's context.
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        (): (),
    ) -> Result<Sealed<GrantedProxies>, Problem> {
        let patient = whose.patient();
        let practice = self.practice.clone();
        Ok(Sealed::new(move |opener| {
            let now = Timestamp::now();
            let age = Profile::age(opener, &practice, now)?;
            let proxies = opener.context().proxies().iter().map(|proxy| {
                let person = Person::open(proxy, opener)?;
                Granted::new(patient, proxy, person, age, &practice, now)
            });
            Ok(GrantedProxies {
                proxies: proxies.collect::<Result<_, Fault>>()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListProxies>(
        aws,
        Handler {
            practice: aws.practice().clone(),
        },
    )
}
