//! Opens a calendar of a patient's appointments to programs, at an address that only the caller is told.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::calendars::{Address, OpenCalendar, OpenedCalendar, calendar_of};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Calendars;

struct Handler {
    calendars: Calendars,
}

impl Change<OpenCalendar> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        (): (),
    ) -> Result<Changed<OpenedCalendar>, Problem> {
        let now = Timestamp::now();
        let calendar = calendar_of(access.account(), access.patient());
        let address = Address::new(calendar)?;
        let write = self.calendars.open(access, opener, &address, now)?;
        let answer = OpenedCalendar {
            path: address.path(),
            opened_at: now,
        };
        let changed = Changed::done(vec![write], Phi::new(answer));
        Ok(changed.regarding(calendar.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<OpenCalendar>(
        aws,
        Handler {
            calendars: Calendars::new(aws)?,
        },
    )
}
