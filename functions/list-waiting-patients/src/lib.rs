//! Lists who waits for a time of the caller's.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{self, Access};
use shared::api::page::Page;
use shared::api::schedule::MOST;
use shared::api::waitlist::{ListWaitingPatients, WaitingPatient, WaitingPatients};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::Opener;
use shared::serve::Service;
use shared::store::{Entry, Panel, Waitlist};
use std::collections::BTreeSet;

struct Handler {
    waitlist: Waitlist,
    panel: Panel,
}

impl Change<ListWaitingPatients> for Handler {
    /// Nothing changes; but whose waitlist it is only the account row tells.
    async fn change(
        &self,
        access: &Access<access::Practice>,
        _: &Opener,
        page: Page<MOST>,
    ) -> Result<Changed<WaitingPatients>, Problem> {
        let now = Timestamp::now();
        let practitioner = access.caller().row.practitioner;
        let practitioner = practitioner.ok_or(Fault::Defect("a provider who is nobody"))?;
        let (places, stored) = tokio::try_join!(
            self.waitlist.all(access),
            self.waitlist.schedule.availability(practitioner),
        )?;
        let theirs = |entry: &Entry| {
            let rules = stored.as_ref().map(|stored| &stored.availability);
            rules.is_some_and(|rules| {
                now < entry.ends
                    && entry.wish.is_for(practitioner, rules.specialty.as_str())
                    && (rules.appointment_types.iter())
                        .any(|kind| entry.wish.suits(kind.code.as_str(), kind.modality))
            })
        };
        let later = |entry: &Entry| {
            page.after
                .as_ref()
                .is_none_or(|after| entry.turn() > *after)
        };
        let mut places: Vec<_> = places
            .into_iter()
            .filter(|entry| theirs(entry) && later(entry))
            .collect();
        let limit = usize::from(page.limit);
        let more = places.len() > limit;
        places.truncate(limit);
        let next = places.last().filter(|_| more).map(Entry::turn);
        let next_cursor = next.map(|turn| page.cursor.write(&turn)).transpose()?;

        let patients: BTreeSet<PatientId> = places.iter().map(|entry| entry.patient).collect();
        let patients = patients.into_iter().collect();
        let contexts = self.panel.contexts(access, patients).await?;
        let opened = contexts.iter().map(|(patient, _)| *patient).collect();
        let open = |patient, opener: &Opener| {
            let own = places.iter().filter(|entry| entry.patient == patient);
            let own = own.map(|entry| {
                let waiting = WaitingPatient::open(entry, opener, now)?;
                Ok((entry.turn(), waiting))
            });
            own.collect::<Result<Vec<_>, Fault>>()
        };
        let waiting = self.panel.open(access, contexts, open).await?;
        let answer = waiting.map(|lists| {
            let mut all: Vec<_> = lists.into_iter().flatten().collect();
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            WaitingPatients {
                waiting: all.into_iter().map(|(_, one)| one).collect(),
                next_cursor,
            }
        });
        Ok(Changed::done(Vec::new(), answer).opening(opened))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListWaitingPatients>(
        aws,
        Handler {
            waitlist: Waitlist::new(aws)?,
            panel: Panel::new(aws)?,
        },
    )
}
