//! Which open time suits whoever waits.

use crate::Fault;
use crate::practice::Practice;
use crate::slots::Quantum;
use crate::store::{Entry, Offer, Opening, Taken};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How long an offer lasts.
const LASTS: SignedDuration = SignedDuration::from_hours(2);

/// Whoever is offered a time has at least so long to take it.
const AT_LEAST: SignedDuration = SignedDuration::from_mins(15);

/// Who looks, and for whom.
pub struct Seeker<'a> {
    pub entry: &'a Entry,
    /// What took a time for the waitlist, and takes it from nobody who waits.
    pub from: &'a [Uuid],
    pub practice: &'a Practice,
    pub now: Timestamp,
}

impl Seeker<'_> {
    /// The first time of a provider's that suits, and until when it can be offered. A time that was
    /// offered to the same place before does not, nor one at which the patient is elsewhere.
    pub fn first(
        &self,
        offer: &Offer,
        elsewhere: Option<&Taken>,
    ) -> Result<Option<(Opening, Timestamp)>, Fault> {
        let rules = &offer.stored.availability;
        let wish = &self.entry.wish;
        if !wish.is_for(offer.practitioner, rules.specialty.as_str()) {
            return Ok(None);
        }
        let mut types = rules.appointment_types.iter();
        let Some(kind) = types.find(|kind| wish.suits(kind.code.as_str(), kind.modality)) else {
            return Ok(None);
        };
        let Some(from) = wish.from.day() else {
            return Err(Fault::Corrupt("a wish without a day"));
        };
        let first = Quantum::from(self.practice.start_of(from)?.max(self.now));
        let length = kind.length();
        let mut starts = Quantum::all(first..Quantum::from(self.entry.ends));
        let found = starts.find_map(|at| {
            if !offer.is_free(kind, at, self.from, self.now) {
                return None;
            }
            let slot = offer.slot(kind, at, self.now)?;
            let until = self.until(offer, slot.start)?;
            let is_elsewhere =
                || elsewhere.is_some_and(|taken| !taken.is_free(length.lasts(at), &[], self.now));
            if self.entry.let_go(&slot) || !self.is_in_time(offer, &slot) || is_elsewhere() {
                return None;
            }
            let busy = length.takes(at);
            Some((Opening { slot, busy }, until))
        });
        Ok(found)
    }

    /// Until when a time can be offered that has to be booked before the provider's notice.
    fn until(&self, offer: &Offer, start: Timestamp) -> Option<Timestamp> {
        let notice = offer.stored.availability.minimum_notice_minutes.get();
        let notice = SignedDuration::from_mins(notice.into());
        let last = start.checked_sub(notice).ok()?;
        let until = self.now.checked_add(LASTS).ok()?.min(last);
        let until = Timestamp::from_second(until.as_second()).ok()?;
        (until.duration_since(self.now) >= AT_LEAST).then_some(until)
    }

    fn is_in_time(&self, offer: &Offer, slot: &crate::api::open_slots::OpenSlot) -> bool {
        let wish = &self.entry.wish;
        let begins = offer.minute(slot.start);
        // What ends at midnight ends with the day.
        let ends = match offer.minute(slot.end) {
            0 => 24 * 60,
            minute => minute,
        };
        wish.after.is_none_or(|after| after.minutes() <= begins)
            && wish
                .before
                .is_none_or(|before| begins < before.minutes() && ends <= before.minutes())
    }
}
