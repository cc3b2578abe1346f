//! Reads a patient's summary.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Caller, Unproven};
use shared::api::appointments::Appointment;
use shared::api::dashboard::{Prescription, Prescriptions};
use shared::api::lab_results::LabResult;
use shared::api::profile::Profile;
use shared::api::summary::{Finding, Findings, GetPatientSummary, Summary};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::{Opener, Sealed};
use shared::serve::Service;
use shared::store::{Appointments, Entries, Records, SealedRow, Section};

/// How many entries are counted.
const COUNTED: u8 = 100;

/// How many entries are shown.
const SHOWN: u8 = 5;

struct Handler {
    records: Records,
    appointments: Appointments,
}

impl Read<GetPatientSummary> for Handler {
    async fn read(&self, whose: &Unproven<PatientId>, (): ()) -> Result<Sealed<Summary>, Problem> {
        let patient = whose.patient();
        let newest = |section, limit| self.records.newest(whose, section, None, limit);
        let (allergies, conditions, prescriptions, results, appointments) = tokio::try_join!(
            newest(Section::Allergies, COUNTED),
            newest(Section::Conditions, COUNTED),
            newest(Section::ActivePrescriptions, COUNTED),
            newest(Section::LabResults, SHOWN),
            self.appointments.next(whose, Timestamp::now()),
        )?;
        Ok(Sealed::new(move |opener| {
            let profile = Profile::open(patient, opener)?;
            let now = Timestamp::now();
            let next = appointments.first();
            let next = next.map(|row| Appointment::open(row, opener));
            let team = opener.context().care_team().iter();
            let emergency = opener.caller().and_then(|Caller { row, .. }| {
                let context = opener.context();
                let glass = context.break_glass(row.account)?;
                let treats = |who| context.is_on_care_team(who, now);
                let needed = glass.until > now && !row.practitioner.is_some_and(treats);
                needed.then_some(glass.until)
            });
            Ok(Summary {
                id: profile.id,
                name: profile.name,
                birth_date: profile.birth_date,
                mrn: profile.mrn,
                deceased: profile.deceased,
                record_complete: profile.record_complete,
                allergies: findings(&allergies, opener)?,
                conditions: findings(&conditions, opener)?,
                active_prescriptions: Prescriptions {
                    count: prescriptions.rows.len(),
                    more: prescriptions.next.is_some(),
                    newest: first(&prescriptions, |row| Prescription::open(row, opener))?,
                },
                newest_results: first(&results, |row| LabResult::open(row, opener))?,
                emergency_until: emergency,
                care_team: team.filter(|member| member.is_current(now)).count(),
                next_appointment: next.transpose()?,
            })
        }))
    }
}

fn findings(entries: &Entries, opener: &Opener) -> Result<Findings, Fault> {
    Ok(Findings {
        count: entries.rows.len(),
        more: entries.next.is_some(),
        newest: first(entries, |row| Finding::open(row, opener))?,
    })
}

/// Opens those that are shown.
fn first<T>(
    entries: &Entries,
    open: impl Fn(&SealedRow) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let shown = entries.rows.iter().take(SHOWN.into());
    shown.map(open).collect()
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetPatientSummary>(
        aws,
        Handler {
            records: Records::new(aws)?,
            appointments: Appointments::new(aws)?,
        },
    )
}
