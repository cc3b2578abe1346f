//! Ends the caller's calendar of a patient's appointments.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::calendars::{RevokeCalendar, RevokedCalendar, calendar_of};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Calendars;

struct Handler {
    calendars: Calendars,
}

impl Change<RevokeCalendar> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        (): (),
    ) -> Result<Changed<RevokedCalendar>, Problem> {
        let write = self.calendars.revoke(access)?;
        let answer = RevokedCalendar {
            revoked_at: Timestamp::now(),
        };
        let calendar = calendar_of(access.account(), access.patient());
        let changed = Changed::done(vec![write], Phi::new(answer));
        Ok(changed.regarding(calendar.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<RevokeCalendar>(
        aws,
        Handler {
            calendars: Calendars::new(aws)?,
        },
    )
}
