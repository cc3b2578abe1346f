//! Lists a patient's appointments: those to come, or those that are over.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::appointments::{Appointment, Appointments, ListAppointments, Listing};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store;

struct Handler {
    appointments: store::Appointments,
}

impl Read<ListAppointments> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        Listing { when, page }: Listing,
    ) -> Result<Sealed<Appointments>, Problem> {
        let (after, now) = (page.after.as_deref(), Timestamp::now());
        let found = self
            .appointments
            .list(whose, when, after, page.limit, now)
            .await?;
        Ok(Sealed::new(move |opener| {
            let rows = found.rows.iter();
            let appointments = rows.map(|row| Appointment::open(row, opener));
            Ok(Appointments {
                appointments: appointments.collect::<Result<_, _>>()?,
                next_cursor: found.next.map(|at| page.cursor.write(&at)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListAppointments>(
        aws,
        Handler {
            appointments: store::Appointments::new(aws)?,
        },
    )
}
