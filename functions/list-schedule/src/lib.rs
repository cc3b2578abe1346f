//! Lists a provider's own appointments of a day or a week, and who comes.

use shared::Fault;
use shared::access::{self, Access};
use shared::api::schedule::{Days, ListSchedule, Schedule, ScheduledPatient};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::Opener;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{self, Panel};
use std::collections::BTreeSet;

struct Handler {
    schedule: store::Schedule,
    panel: Panel,
    practice: Practice,
}

impl Change<ListSchedule> for Handler {
    /// Nothing changes; but whose schedule it is only the account row tells.
    async fn change(
        &self,
        access: &Access<access::Practice>,
        _: &Opener,
        Days { from, to, page }: Days,
    ) -> Result<Changed<Schedule>, Problem> {
        let practitioner = access.caller().row.practitioner;
        let practitioner = practitioner.ok_or(Fault::Defect("a provider who is nobody"))?;
        let span = self.practice.start_of(from)?..self.practice.end_of(to)?;
        let index = self
            .schedule
            .appointments_of(
                access,
                practitioner,
                span,
                page.after.as_deref(),
                page.limit,
            )
            .await?;
        let rows = index.appointments;
        let patients: BTreeSet<PatientId> = rows
            .iter()
            .map(|row| row.patient())
            .collect::<Result<_, _>>()?;
        let patients = patients.into_iter().collect();
        let contexts = self.panel.contexts(access, patients).await?;
        let shown = contexts.iter().map(|(patient, _)| *patient).collect();
        let open = |patient, opener: &Opener| {
            let mut comes = Vec::new();
            for row in &rows {
                if row.patient()? == patient {
                    comes.push(ScheduledPatient::open(patient, row, opener)?);
                }
            }
            Ok(comes)
        };
        let opened = self.panel.open(access, contexts, open).await?;
        let next = index.next.map(|next| page.cursor.write(&next));
        let next_cursor = next.transpose()?;
        let answer = opened.map(|comes| {
            let mut appointments: Vec<_> = comes.into_iter().flatten().collect();
            appointments.sort_by_key(|one| (one.appointment.start, one.appointment.id));
            Schedule {
                appointments,
                next_cursor,
            }
        });
        // Why each comes is shown.
        Ok(Changed::done(Vec::new(), answer).opening(shown))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListSchedule>(
        aws,
        Handler {
            schedule: store::Schedule::new(aws)?,
            panel: Panel::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
