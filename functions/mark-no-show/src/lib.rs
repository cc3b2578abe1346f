//! Says that the patient did not come.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, AppointmentOf, Unproven};
use shared::api::appointments::{
    AppointmentDetail, MarkNoShow, Particulars, Status, not_begun, wrong_status,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Appointments, Booked, NewState, SealedRow};

struct Handler {
    appointments: Appointments,
}

impl Revise<MarkNoShow> for Handler {
    type Found = Option<SealedRow>;

    async fn find(
        &self,
        whose: &Unproven<AppointmentOf>,
        _: &u64,
    ) -> Result<Option<SealedRow>, Problem> {
        Ok(self.appointments.appointment(whose).await?)
    }

    async fn revise(
        &self,
        access: &Access<AppointmentOf>,
        opener: &Opener,
        found: Option<SealedRow>,
        version: u64,
    ) -> Result<Changed<AppointmentDetail>, Problem> {
        let row = found.ok_or(Problem::not_found())?;
        let former = Booked::from_row(&row)?;
        if former.version != version {
            return Err(Problem::changed_meanwhile());
        }
        if !former.status.may_become(Status::NoShow) {
            return Err(wrong_status());
        }
        let now = Timestamp::now();
        if now < former.start {
            return Err(not_begun());
        }
        let booked =
            former
                .clone()
                .step(Status::NoShow, access.caller(), access.patient(), None, now);
        let particulars = Particulars::open(&row, opener)?;
        let new = NewState {
            booked: &booked,
            particulars: &particulars,
        };
        let writes = self.appointments.mark(access, opener, &former, new)?;
        let answer = AppointmentDetail::new(booked, particulars, opener);
        Ok(Changed::done(writes, Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<MarkNoShow>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
        },
    )
}
