//! One appointment with its steps; with the visit's notes for providers.

use shared::Fault;
use shared::access::{AppointmentOf, Unproven};
use shared::api::appointments::{AppointmentDetail, GetAppointment};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::Appointments;

struct Handler {
    appointments: Appointments,
}

impl Read<GetAppointment> for Handler {
    async fn read(
        &self,
        whose: &Unproven<AppointmentOf>,
        (): (),
    ) -> Result<Sealed<AppointmentDetail>, Problem> {
        let row = self.appointments.appointment(whose).await?;
        let row = row.ok_or(Problem::not_found())?;
        Ok(Sealed::new(move |opener| {
            AppointmentDetail::open(&row, opener)
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetAppointment>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
        },
    )
}
