//! Reads a patient's dashboard: what is new, what is next.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::appointments::Appointment;
use shared::api::dashboard::{
    Dashboard, GetDashboard, NewResults, Prescription, Prescriptions, has_appointments,
};
use shared::api::lab_results::LabResult;
use shared::api::profile::Profile;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::{Opener, Sealed};
use shared::serve::Service;
use shared::store::{Appointments, Entries, Records, Section};

/// How many entries are counted.
const COUNTED: u8 = 50;

/// How many entries are shown.
const SHOWN: usize = 5;

/// How many appointments are shown.
const NEXT: usize = 3;

struct Handler {
    records: Records,
    appointments: Appointments,
}

impl Read<GetDashboard> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        (): (),
    ) -> Result<Sealed<Dashboard>, Problem> {
        let patient = whose.patient();
        let (results, prescriptions, appointments) = tokio::try_join!(
            self.records
                .latest_arrivals(whose, Section::LabResults, COUNTED),
            self.records
                .newest(whose, Section::ActivePrescriptions, None, COUNTED),
            self.appointments.next(whose, Timestamp::now()),
        )?;
        Ok(Sealed::new(move |opener| {
            let profile = Profile::open(patient, opener)?;
            let next = has_appointments(patient, opener).then(|| {
                let next = appointments.iter().take(NEXT);
                next.map(|row| Appointment::open(row, opener)).collect()
            });
            Ok(Dashboard {
                name: profile.name,
                mrn: profile.mrn,
                record_complete: profile.record_complete,
                appointments: next.transpose()?,
                unread_messages: 0,
                new_results: new_results(results, opener)?,
                active_prescriptions: Prescriptions {
                    count: prescriptions.rows.len(),
                    more: prescriptions.next.is_some(),
                    newest: prescriptions
                        .rows
                        .iter()
                        .take(SHOWN)
                        .map(|row| Prescription::open(row, opener))
                        .collect::<Result<_, _>>()?,
                },
            })
        }))
    }
}

/// The results that arrived since the visit before this one; at the first visit all are new.
fn new_results(results: Entries, opener: &Opener) -> Result<NewResults, Fault> {
    let last_visit = opener
        .caller()
        .and_then(|caller| caller.row.previous_sign_in);
    let read = results.rows.len();
    let mut new = results.rows;
    if let Some(last_visit) = last_visit {
        new.retain(|row| row.arrived().is_some_and(|arrived| arrived > last_visit));
    }
    let more = new.len() == read && results.next.is_some();
    let count = new.len();
    // The sort key begins with the section and the clinical time.
    new.sort_by(|one, other| other.string("sk").cmp(&one.string("sk")));
    let newest = new
        .iter()
        .take(SHOWN)
        .map(|row| LabResult::open(row, opener));
    Ok(NewResults {
        count,
        more,
        newest: newest.collect::<Result<_, _>>()?,
    })
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetDashboard>(
        aws,
        Handler {
            records: Records::new(aws)?,
            appointments: Appointments::new(aws)?,
        },
    )
}
