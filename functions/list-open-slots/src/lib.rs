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

struct Handler {
    schedule: Schedule,
    practice: Practice,
}

impl Read<ListOpenSlots> for Handler {
    async fn read(
        &self,
        _: &Unproven<access::Practice>,
        wanted: Wanted,
    ) -> Result<Sealed<OpenSlots>, Problem> {
        let now = Timestamp::now();
        let span = self.practice.start_of(wanted.from)?..self.practice.end_of(wanted.to)?;
        let (practitioners, complete) = match &wanted.whose {
            Whose::Provider(practitioner) => (vec![*practitioner], true),
            Whose::Specialty(specialty) => {
                let specialty = Some(specialty.as_str());
                let page = self.schedule.providers(specialty, None, PROVIDERS).await?;
                let providers = page.providers.iter();
                let ids = providers.map(|provider| provider.practitioner).collect();
                (ids, page.next.is_none())
            }
        };
        let offers = practitioners
            .into_iter()
            .map(|practitioner| self.schedule.offer(practitioner, span.clone()));
        let offers = try_join_all(offers).await?.into_iter().flatten();
        let mut slots = Vec::new();
        for offer in offers {
            let Some(kind) = kind(&offer, &wanted) else {
                continue;
            };
            slots.extend(offer.open(kind, span.clone(), now).take(SLOTS + 1));
        }
        slots.sort_by_key(|slot| (slot.start, slot.practitioner));
        let complete = complete && slots.len() <= SLOTS;
        slots.truncate(SLOTS);
        Ok(Sealed::unkeyed(move |_| Ok(OpenSlots { slots, complete })))
    }
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
            schedule: Schedule::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
