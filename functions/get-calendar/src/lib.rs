//! One appointment as a file for calendar programs.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{AppointmentOf, Unproven};
use shared::api::calendars::{CalendarFile, GetCalendar};
use shared::aws::Aws;
use shared::calendar;
use shared::http::{Problem, Read, reads};
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Appointments, Booked};

struct Handler {
    appointments: Appointments,
    practice: Practice,
}

impl Read<GetCalendar> for Handler {
    async fn read(
        &self,
        whose: &Unproven<AppointmentOf>,
        (): (),
    ) -> Result<Sealed<CalendarFile>, Problem> {
        let row = self.appointments.appointment(whose).await?;
        let row = row.ok_or(Problem::not_found())?;
        let practice = self.practice.clone();
        Ok(Sealed::new(move |_| {
            let booked = Booked::from_row(&row)?;
            calendar::file(&practice, &[booked], Timestamp::now()).map(CalendarFile)
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetCalendar>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
