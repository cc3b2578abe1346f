//! What the practice decides: where it is, and how old children are when their parents' access ends.

use crate::Fault;
use crate::watch::Watch;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Serialize;

/// How old a patient is in the eyes of the law on minors (45 CFR 164.502(g)(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeBand {
    Child,
    /// Old enough to keep part of the record from the parents.
    Adolescent,
    Adult,
}

impl AgeBand {
    pub const ALL: [Self; 3] = [Self::Child, Self::Adolescent, Self::Adult];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Child => "child",
            Self::Adolescent => "adolescent",
            Self::Adult => "adult",
        }
    }
}

/// What a deployment sets for all functions: parameters of template.yaml.
#[derive(Debug, Clone)]
pub struct Practice {
    zone: TimeZone,
    adolescent_age: i16,
    adult_age: i16,
    cancellation: SignedDuration,
    open_appointments: usize,
    name: String,
    retention: i16,
    reply: Reply,
    watch: Watch,
}

/// What people are told before they write to the practice: messages are not for emergencies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Reply {
    /// So many hours after a message somebody is expected to have answered it.
    #[serde(rename = "reply_within_hours")]
    pub within_hours: u16,
    /// Whom to call in an emergency, as it is dialled.
    pub emergency_number: String,
}

impl Practice {
    /// From the name of an IANA time zone and two ages in years.
    pub fn new(zone: &str, adolescent_age: i16, adult_age: i16) -> Result<Self, Fault> {
        if adolescent_age < 0 || adult_age < adolescent_age {
            return Err(Fault::Misconfigured("ADOLESCENT_AGE is above ADULT_AGE"));
        }
        Ok(Self {
            zone: TimeZone::get(zone).map_err(|_| Fault::Misconfigured("PRACTICE_TIME_ZONE"))?,
            adolescent_age,
            adult_age,
            cancellation: SignedDuration::from_hours(24),
            open_appointments: 10,
            name: "Our practice".to_owned(),
            retention: 10,
            reply: Reply {
                within_hours: 48,
                emergency_number: "911".to_owned(),
            },
            watch: Watch::default(),
        })
    }

    /// The same with another [`Self::cancellation`], in hours.
    pub fn cancelling(self, hours: u16) -> Self {
        Self {
            cancellation: SignedDuration::from_hours(hours.into()),
            ..self
        }
    }

    /// The same with another [`Self::name`].
    pub fn called(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// What it calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same with another [`Self::kept_until`], in years.
    pub fn retaining(self, years: i16) -> Self {
        Self {
            retention: years,
            ..self
        }
    }

    /// The last day on which what was written then is certain to be there: messages are kept for ten
    /// years unless the deployment says otherwise.
    pub fn kept_until(&self, written: Timestamp) -> Date {
        let years = Span::new().years(self.retention);
        self.today(written).saturating_add(years)
    }

    /// How long before an appointment a patient can change it without asking; a day unless the
    /// deployment says otherwise.
    pub const fn cancellation(&self) -> SignedDuration {
        self.cancellation
    }

    /// The same with another [`Self::open_appointments`].
    pub fn booking_at_most(self, open_appointments: u16) -> Self {
        Self {
            open_appointments: open_appointments.into(),
            ..self
        }
    }

    /// How many appointments to come patients make for themselves; ten unless the deployment says
    /// otherwise. The practice itself makes as many as it sees fit.
    pub const fn open_appointments(&self) -> usize {
        self.open_appointments
    }

    /// The same with another [`Self::reply`].
    pub fn replying(self, reply: Reply) -> Self {
        Self { reply, ..self }
    }

    /// What people are told before they write to it.
    pub const fn reply(&self) -> &Reply {
        &self.reply
    }

    /// The same with another [`Self::watch`].
    pub fn watching(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// What it takes for unusual.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Where it is, in time.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The practice's date.
    pub fn today(&self, now: Timestamp) -> Date {
        now.to_zoned(self.zone.clone()).date()
    }

    /// When a day of the practice's begins.
    pub fn start_of(&self, day: Date) -> Result<Timestamp, Fault> {
        day.to_zoned(self.zone.clone())
            .map(|midnight| midnight.timestamp())
            .map_err(|_| Fault::Defect("a day at the end of time"))
    }

    /// When a day of the practice's is over.
    pub fn end_of(&self, day: Date) -> Result<Timestamp, Fault> {
        day.tomorrow()
            .and_then(|next| next.to_zoned(self.zone.clone()))
            .map(|midnight| midnight.timestamp())
            .map_err(|_| Fault::Defect("a day at the end of time"))
    }

    /// The last day before an instant that [`Self::end_of`] gave.
    pub fn last_day(&self, end: Timestamp) -> Date {
        self.today(
            end.saturating_sub(SignedDuration::from_nanos(1))
                .unwrap_or(end),
        )
    }

    /// How old somebody born on that day is, on the practice's date. Who was born on 29 February has
    /// their birthday on 1 March in a common year.
    pub fn age(&self, born: Date, now: Timestamp) -> AgeBand {
        let today = self.today(now);
        let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
        let years = today.year() - born.year() - i16::from(!had_birthday);
        if years < self.adolescent_age {
            AgeBand::Child
        } else if years < self.adult_age {
            AgeBand::Adolescent
        } else {
            AgeBand::Adult
        }
    }

    /// Whether somebody born in that year is a child still, whatever their birthday is.
    pub fn is_child_born_in(&self, year: i16, now: Timestamp) -> bool {
        self.today(now).year() < year.saturating_add(self.adolescent_age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(born: &str, now: &str) -> AgeBand {
        let practice = Practice::new("America/New_York", 13, 18).unwrap();
        practice.age(born.parse().unwrap(), now.parse().unwrap())
    }

    #[test]
    fn birthdays_begin_at_the_practices_midnight() {
        let born = "2008-03-10";
        assert_eq!(age(born, "2021-03-10T03:59:59Z"), AgeBand::Child);
        assert_eq!(age(born, "2021-03-10T05:00:00Z"), AgeBand::Adolescent);
        // Summer time began on 8 March 2026: midnight is 04:00 UTC.
        assert_eq!(age(born, "2026-03-10T03:59:59Z"), AgeBand::Adolescent);
        assert_eq!(age(born, "2026-03-10T04:00:00Z"), AgeBand::Adult);
    }

    #[test]
    fn leap_days_have_their_birthday_in_march() {
        let born = "2008-02-29";
        assert_eq!(age(born, "2026-02-28T17:00:00Z"), AgeBand::Adolescent);
        assert_eq!(age(born, "2026-03-01T17:00:00Z"), AgeBand::Adult);
    }

    #[test]
    fn a_year_of_birth_says_child_until_it_may_be_otherwise() {
        let practice = Practice::new("America/New_York", 13, 18).unwrap();
        for (now, child) in [
            ("2021-01-01T04:59:59Z", true),
            ("2021-01-01T05:00:00Z", false),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(practice.is_child_born_in(2008, now), child);
            let born = "2008-01-01".parse().unwrap();
            assert_eq!(practice.age(born, now) == AgeBand::Child, child);
        }
    }

    #[test]
    fn days_end_at_the_practices_midnight() {
        let practice = Practice::new("America/New_York", 13, 18).unwrap();
        // Daylight saving time ends on 1 November 2026, a day of 25 hours.
        for (day, end) in [
            ("2026-10-31", "2026-11-01T04:00:00Z"),
            ("2026-11-01", "2026-11-02T05:00:00Z"),
        ] {
            let day = day.parse().unwrap();
            let end = end.parse().unwrap();
            assert_eq!(practice.end_of(day).unwrap(), end);
            assert_eq!(practice.last_day(end), day);
        }
        assert_eq!(
            practice.today("2026-11-02T04:59:59Z".parse().unwrap()),
            "2026-11-01".parse().unwrap()
        );
    }

    #[test]
    fn messages_are_kept_for_years() {
        let practice = Practice::new("America/New_York", 13, 18).unwrap();
        let written = "2024-02-29T17:00:00Z".parse().unwrap();
        for (practice, until) in [
            (practice.clone(), "2034-02-28"),
            (practice.retaining(6), "2030-02-28"),
        ] {
            assert_eq!(practice.kept_until(written), until.parse().unwrap());
        }
    }

    #[test]
    fn settings_that_make_no_sense_end_the_start() {
        assert!(Practice::new("America/Atlantis", 13, 18).is_err());
        assert!(Practice::new("UTC", 18, 13).is_err());
        assert!(Practice::new("UTC", -1, 18).is_err());
    }
}
