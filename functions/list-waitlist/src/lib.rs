//! Lists what a patient waits for, and what is offered to them.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::waitlist::{ListWaitlist, Place, Places};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::Schedule;

struct Handler {
    schedule: Schedule,
}

impl Read<ListWaitlist> for Handler {
    async fn read(&self, whose: &Unproven<PatientId>, (): ()) -> Result<Sealed<Places>, Problem> {
        let now = Timestamp::now();
        let entries = self.schedule.waitlist_of(whose, now).await?;
        Ok(Sealed::new(move |_| {
            let places = entries.iter().map(|entry| Place::new(entry, now));
            Ok(Places {
                places: places.collect(),
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListWaitlist>(
        aws,
        Handler {
            schedule: Schedule::new(aws)?,
        },
    )
}
