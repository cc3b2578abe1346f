//! Lists the times at which a provider, or the providers of a specialty, can be booked.

use futures_util::future::try_join_all;
use jiff::Timestamp;
use shared::Fault;
use shared::access::{self, Unproven};
use shared::api::open_slots::{ListOpenSlots, OpenSlots, PROVIDERS, SLOTS, Wanted, Whose};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Offer, Schedule};
use std::ops::Range;
use std::sync::Arc;

struct Handler {
    schedule: Arc<Schedule>,
    practice: Practice,
}

impl Read<ListOpenSlots> for Handler {
    async fn read(
        &self,
        _: &Unproven<access::Practice>,
        wanted: Wanted,
    ) -> Result<Sealed<OpenSlots>, Problem> {
        let span = self.practice.start_of(wanted.from)?..self.practice.end_of(wanted.to)?;
        match &wanted.whose {
            Whose::Provider(practitioner) => {
                let offer = self.schedule.offer(*practitioner, span.clone()).await?;
                let slots = open(offer, true, &wanted, &span);
                Ok(Sealed::unkeyed(move |_| Ok(slots)))
            }
            Whose::Specialty(specialty) => {
                let specialty = Some(specialty.as_str());
                let page = self.schedule.providers(specialty, None, PROVIDERS).await?;
                let schedule = Arc::clone(&self.schedule);
                Ok(Sealed::unkeyed_after(async move {
                    let providers = page.providers.iter();
                    let offers = try_join_all(
                        providers.map(|one| schedule.offer(one.practitioner, span.clone())),
                    );
                    let offers = offers.await?.into_iter().flatten();
                    Ok(open(offers, page.next.is_none(), &wanted, &span))
                }))
            }
        }
    }
}

/// The times that are open in what providers offer, if those are all of them.
fn open(
    offers: impl IntoIterator<Item = Offer>,
    complete: bool,
    wanted: &Wanted,
    span: &Range<Timestamp>,
) -> OpenSlots {
    let now = Timestamp::now();
    let mut slots = Vec::new();
    for offer in offers {
        if let Some(kind) = kind(&offer, wanted) {
            slots.extend(offer.open(kind, span.clone(), now).take(SLOTS + 1));
        }
    }
    slots.sort_by_key(|slot| (slot.start, slot.practitioner));
    let complete = complete && slots.len() <= SLOTS;
    slots.truncate(SLOTS);
    OpenSlots { slots, complete }
}

/// The type that is looked for, if the provider offers it.
fn kind<'a>(
    offer: &'a Offer,
    wanted: &Wanted,
) -> Option<&'a shared::api::availability::AppointmentType> {
    let code = wanted.appointment_type.as_str();
    let kind = offer.stored.availability.appointment_type(code)?;
    let suits = wanted
        .modality
        .is_none_or(|modality| modality == kind.modality);
    suits.then_some(kind)
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListOpenSlots>(
        aws,
        Handler {
            schedule: Arc::new(Schedule::new(aws)?),
            practice: aws.practice().clone(),
        },
    )
}
