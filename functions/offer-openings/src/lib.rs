//! Offers what is free to those who wait, in their turn.
//!
//! It looks at what is free now, not at what became free: whether a time was cancelled, moved, held and
//! not booked, or offered and let go, the next run finds it. Each offer is a transaction of its own, so
//! of two runs at once one makes it.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::Fault;
use shared::api::profile::{Channel, Profile};
use shared::api::waitlist::OFFER_OPENINGS;
use shared::audit::{Audit, Commit, Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::ids::PractitionerId;
use shared::mail::Mailer;
use shared::openings::Seeker;
use shared::outside::{OPENING, is_waking};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::schedule::FOR_WAITLIST;
use shared::store::{Entry, HeldSlot, Offer, Opening, Schedule, Taken, Waiting};
use shared::texts::Texts;
use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a run goes on before it leaves the rest to the next.
const BUDGET: Duration = Duration::from_secs(40);

/// Of a specialty so many providers are looked at.
const PROVIDERS: u8 = 100;

struct Handler<C> {
    waiting: Waiting,
    mailer: Mailer,
    texts: Texts,
    audit: Audit,
    practice: Practice,
    clock: C,
}

/// What a run knows of the providers: each is read once.
struct Providers<'a> {
    schedule: &'a Schedule,
    span: Range<Timestamp>,
    offers: HashMap<PractitionerId, Option<Offer>>,
    specialties: HashMap<String, Vec<PractitionerId>>,
}

impl Providers<'_> {
    /// Whom somebody waits for.
    async fn wanted(&mut self, entry: &Entry) -> Result<Vec<PractitionerId>, Fault> {
        let practitioners = match (&entry.wish.practitioner, &entry.wish.specialty) {
            (Some(practitioner), _) => vec![*practitioner],
            (None, Some(specialty)) => {
                let specialty = specialty.as_str();
                if !self.specialties.contains_key(specialty) {
                    let page = self.schedule.providers(Some(specialty), None, PROVIDERS);
                    let providers = page.await?.providers;
                    let ids = providers.iter().map(|one| one.practitioner).collect();
                    self.specialties.insert(specialty.to_owned(), ids);
                }
                self.specialties.get(specialty).cloned().unwrap_or_default()
            }
            (None, None) => Vec::new(),
        };
        for practitioner in &practitioners {
            if !self.offers.contains_key(practitioner) {
                let offer = self.schedule.offer(*practitioner, self.span.clone());
                self.offers.insert(*practitioner, offer.await?);
            }
        }
        Ok(practitioners)
    }

    /// The first time that any of them has for whoever seeks it.
    fn first(
        &self,
        wanted: &[PractitionerId],
        seeker: &Seeker<'_>,
        elsewhere: Option<&Taken>,
    ) -> Result<Option<(Opening, Timestamp)>, Fault> {
        let mut first: Option<(Opening, Timestamp)> = None;
        for practitioner in wanted {
            let Some(Some(offer)) = self.offers.get(practitioner) else {
                continue;
            };
            if let Some(found) = seeker.first(offer, elsewhere)?
                && first
                    .as_ref()
                    .is_none_or(|(known, _)| found.0.slot.start < known.slot.start)
            {
                first = Some(found);
            }
        }
        Ok(first)
    }

    fn take(&mut self, opening: &Opening) {
        if let Some(Some(offer)) = self.offers.get_mut(&opening.slot.practitioner) {
            offer.take(opening.busy.clone(), Uuid::nil());
        }
    }
}

impl<C: Fn() -> Timestamp + Send + Sync + 'static> Handle for Handler<C> {
    async fn handle(&self, _: Value, record: &mut Record) -> Result<Handled, Fault> {
        let (started, now) = (Instant::now(), (self.clock)());
        let mut places = self.waiting.all().await?;
        places.retain(|entry| now < entry.ends);
        let lapsed: Vec<_> = places
            .iter()
            .filter_map(|entry| entry.lapsed(now))
            .collect();
        let ends = places.iter().map(|entry| entry.ends).max().unwrap_or(now);
        let mut providers = Providers {
            schedule: &self.waiting.schedule,
            span: now..ends,
            offers: HashMap::new(),
            specialties: HashMap::new(),
        };
        let (mut offered, mut failed) = (0, 0);
        for entry in places.iter().filter(|entry| entry.offer(now).is_none()) {
            if started.elapsed() > BUDGET {
                break;
            }
            match self
                .offer(entry, &lapsed, &mut providers, record, now)
                .await
            {
                Ok(made) => offered += usize::from(made),
                // Whatever goes wrong with one, the others have their turn.
                Err(fault) => {
                    tracing::error!(request_id = %record.request_id, %fault, "nothing was offered");
                    failed += 1;
                }
            }
        }
        let (outcome, reason) = match failed {
            0 => (Outcome::Success, None),
            _ => (Outcome::Failure, Some("not-all-offered")),
        };
        Ok(Handled {
            answer: json!({"waiting": places.len(), "offered": offered, "failed": failed}),
            writes: Vec::new(),
            outcome,
            reason,
        })
    }
}

impl<C: Fn() -> Timestamp + Send + Sync + 'static> Handler<C> {
    /// Offers somebody the first time that suits, if there is one.
    async fn offer(
        &self,
        entry: &Entry,
        lapsed: &[&HeldSlot],
        providers: &mut Providers<'_>,
        record: &Record,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let mut from = vec![FOR_WAITLIST];
        from.extend(lapsed.iter().map(|held| held.id.uuid()));
        let seeker = Seeker {
            entry,
            from: &from,
            practice: &self.practice,
            now,
        };
        let wanted = providers.wanted(entry).await?;
        if providers.first(&wanted, &seeker, None)?.is_none() {
            return Ok(false);
        }
        let elsewhere = self.waiting.taken_of(entry, now..entry.ends).await?;
        let Some((opening, until)) = providers.first(&wanted, &seeker, Some(&elsewhere))? else {
            return Ok(false);
        };
        let Some(next) = self.waiting.whose(entry, now).await? else {
            return Ok(false);
        };
        if next.profile.deceased || !next.acts_still {
            return Ok(false);
        }
        // By night no phone rings, and an offer that nobody hears of would lapse before the morning:
        // they keep their place, and hear of what is free then.
        let by_text = next.profile.notifications.appointments == Channel::Sms;
        if by_text && !is_waking(self.practice.zone(), now) {
            return Ok(false);
        }
        // A condition of DynamoDB names few: those whose time this was.
        let there = |held: &&&HeldSlot| {
            held.practitioner == opening.slot.practitioner
                && held.busy.start < opening.busy.end
                && opening.busy.start < held.busy.end
        };
        let mut from = vec![FOR_WAITLIST];
        from.extend(lapsed.iter().filter(there).map(|held| held.id.uuid()));
        providers.take(&opening);
        let writes = self.waiting.offer(entry, opening, &from, until, now)?;
        let mut record = record.about(entry.patient, Outcome::Success);
        record.resource = Some(entry.id.to_string());
        // Whoever was faster has it, or the place is given up: the next run sees how it stands.
        if let Commit::Conflict(_) = self.audit.commit(&record, &[], writes).await? {
            return Ok(false);
        }
        self.tell(&next.profile).await?;
        Ok(true)
    }

    /// Tells by the way that the patient chose, as reminders go.
    async fn tell(&self, profile: &Profile) -> Result<(), Fault> {
        let language = profile.details.preferred_language.as_ref();
        let language = language.and_then(|language| language.code.as_deref());
        let words = OPENING.in_language(language);
        let contact = &profile.details.contact;
        match (
            profile.notifications.appointments,
            &contact.email,
            &contact.phone,
        ) {
            (Channel::Email, Some(address), _) => {
                let text = format!("{}\n", words.text);
                self.mailer.send(address, words.subject, &text).await
            }
            (Channel::Sms, _, Some(phone)) => self.texts.send_once(phone, words.text).await,
            _ => Ok(()),
        }
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    service_at(aws, Timestamp::now)
}

/// The same by another clock.
pub fn service_at(
    aws: &Aws,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<Service, Fault> {
    let handler = Handler {
        waiting: Waiting::new(aws)?,
        mailer: Mailer::new(aws)?,
        texts: Texts::new(aws)?,
        audit: Audit::new(aws)?,
        practice: aws.practice().clone(),
        clock,
    };
    events(aws, &OFFER_OPENINGS, handler)
}
