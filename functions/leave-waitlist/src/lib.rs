//! Gives a place on the waitlist up; a time that is offered to it goes to the next in turn.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::waitlist::{LeaveWaitlist, Left};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{PatientId, WaitlistId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Entry, Waitlist};

struct Handler {
    waitlist: Waitlist,
}

impl Revise<LeaveWaitlist> for Handler {
    type Found = Option<Entry>;

    /// A time may be offered to the place at the same moment.
    const ATTEMPTS: u32 = 2;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        place: &WaitlistId,
    ) -> Result<Option<Entry>, Problem> {
        Ok(self.waitlist.place(whose, *place).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        found: Option<Entry>,
        place: WaitlistId,
    ) -> Result<Changed<Left>, Problem> {
        let entry = found.ok_or(Problem::not_found())?;
        let writes = self.waitlist.leave(access, &entry, Timestamp::now())?;
        let answer = Phi::new(Left { id: place });
        Ok(Changed::done(writes, answer).regarding(place.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<LeaveWaitlist>(
        aws,
        Handler {
            waitlist: Waitlist::new(aws)?,
        },
    )
}
