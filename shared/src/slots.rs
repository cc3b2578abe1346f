//! When a provider can be seen: weekly hours and exceptions as the clock on the wall tells them,
//! minus what is taken.
//!
//! Nothing here turns a rule into instants. Time is cut into quanta of five minutes, and each is open
//! if the clock shows an open time when it begins. What a change of daylight saving time skips is
//! never shown by a clock, and what it repeats is shown twice: no rule needs to know of it.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use std::ops::Range;

/// Five minutes: taken or free as a whole. Every offset from UTC in use is a multiple of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantum(i64);

impl Quantum {
    pub const MINUTES: u16 = 5;
    const SECONDS: i64 = 300;

    /// The quantum that begins at an instant, if one does.
    pub fn starting(at: Timestamp) -> Option<Self> {
        let first = Self::from(at);
        (first.start() == at).then_some(first)
    }

    /// The first quantum that begins at an instant or after it.
    pub fn from(at: Timestamp) -> Self {
        let second = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
        Self(-(-second).div_euclid(Self::SECONDS))
    }

    pub fn start(self) -> Timestamp {
        Timestamp::from_second(self.0 * Self::SECONDS).unwrap_or(Timestamp::MAX)
    }

    pub fn plus(self, minutes: u16) -> Self {
        Self(self.0 + i64::from(minutes / Self::MINUTES))
    }

    pub fn minus(self, minutes: u16) -> Self {
        Self(self.0 - i64::from(minutes / Self::MINUTES))
    }

    pub fn all(span: Range<Self>) -> impl Iterator<Item = Self> {
        (span.start.0..span.end.0).map(Self)
    }
}

/// Open hours on the clock: `from` to before `to`, in minutes of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    pub from: u16,
    pub to: u16,
    pub location: Option<String>,
    /// The appointment types they are for.
    pub types: Vec<String>,
}

/// What a date has in place of its weekday's hours, or beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exception {
    Closed(Date),
    Extra(Date, Hours),
}

/// What an appointment of a type takes, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    pub minutes: u16,
    /// Time of the provider's alone, which may lie outside the open hours.
    pub buffer_before: u16,
    pub buffer_after: u16,
}

impl Length {
    /// What an appointment that begins with a quantum takes of its patient's time.
    pub fn lasts(&self, start: Quantum) -> Range<Quantum> {
        start..start.plus(self.minutes)
    }

    /// What it takes of its provider's.
    pub fn takes(&self, start: Quantum) -> Range<Quantum> {
        start.minus(self.buffer_before)..start.plus(self.minutes).plus(self.buffer_after)
    }
}

/// When a provider is there, whatever is booked.
#[derive(Debug, Clone)]
pub struct Timetable {
    pub zone: TimeZone,
    /// Appointments begin so many minutes after their hours do, or a multiple of it.
    pub start_every: u16,
    pub weekly: Vec<(Weekday, Hours)>,
    pub exceptions: Vec<Exception>,
}

impl Timetable {
    /// The hours that are open when a quantum begins, and how many minutes they have been.
    fn hours(&self, at: Quantum) -> Option<(&Hours, u16)> {
        let clock = self.zone.to_datetime(at.start());
        let minute = minute(clock.time());
        let mut exceptions = self.exceptions.iter();
        let closed = exceptions.any(|exception| *exception == Exception::Closed(clock.date()));
        let weekly = self.weekly.iter().filter_map(|(day, hours)| {
            (!closed && *day == clock.date().weekday()).then_some(hours)
        });
        let extra = self
            .exceptions
            .iter()
            .filter_map(|exception| match exception {
                Exception::Extra(date, hours) if *date == clock.date() => Some(hours),
                _ => None,
            });
        let mut there = weekly.chain(extra);
        let open = there.find(|hours| (hours.from..hours.to).contains(&minute))?;
        Some((open, minute - open.from))
    }

    /// The minute of the day that the clock shows at an instant.
    pub fn minute(&self, at: Timestamp) -> u16 {
        minute(self.zone.to_datetime(at).time())
    }

    /// The hours for a type within which the whole of a span lies.
    pub fn around(&self, kind: &str, span: Range<Quantum>) -> Option<&Hours> {
        let (hours, _) = self.hours(span.start)?;
        let same = |at| {
            self.hours(at)
                .is_some_and(|(there, _)| std::ptr::eq(there, hours))
        };
        let is_for = hours.types.iter().any(|code| code == kind);
        (is_for && Quantum::all(span).all(same)).then_some(hours)
    }

    /// Whether an appointment of a type may begin with a quantum, whatever is booked: within which
    /// hours it lies then. Its buffers may lie outside of them.
    pub fn offers(&self, kind: &str, length: &Length, start: Quantum) -> Option<&Hours> {
        let (_, since) = self.hours(start)?;
        if !since.is_multiple_of(self.start_every) {
            return None;
        }
        self.around(kind, length.lasts(start))
    }
}

fn minute(time: Time) -> u16 {
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{SignedDuration, ToSpan};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const VISIT: &str = "visit";

    fn length(minutes: u16, buffer_before: u16, buffer_after: u16) -> Length {
        Length {
            minutes,
            buffer_before,
            buffer_after,
        }
    }

    fn hours(from: u16, to: u16) -> Hours {
        Hours {
            from,
            to,
            location: None,
            types: vec![VISIT.to_owned()],
        }
    }

    fn on_sundays(zone: &str, from: u16, to: u16) -> Timetable {
        Timetable {
            zone: TimeZone::get(zone).unwrap(),
            start_every: 30,
            weekly: vec![(Weekday::Sunday, hours(from, to))],
            exceptions: Vec::new(),
        }
    }

    fn quantum(at: &str) -> Quantum {
        Quantum::starting(at.parse().unwrap()).unwrap()
    }

    /// The starts within a day in UTC and the one before it, as the wall shows them.
    fn starts(table: &Timetable, length: &Length, day: &str) -> Vec<String> {
        let day: Date = day.parse().unwrap();
        let midnight = day.yesterday().unwrap().to_zoned(TimeZone::UTC).unwrap();
        let first = Quantum::from(midnight.timestamp());
        Quantum::all(first..first.plus(2 * 24 * 60))
            .filter(|start| table.offers(VISIT, length, *start).is_some())
            .map(|start| {
                let there = start.start().to_zoned(table.zone.clone());
                there.strftime("%H:%M%:z").to_string()
            })
            .collect()
    }

    #[test]
    fn quanta_begin_at_multiples_of_five_minutes() {
        for (at, first) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00.000000001Z", "2026-01-01T00:05:00Z"),
            ("2026-01-01T00:04:59Z", "2026-01-01T00:05:00Z"),
            ("1969-12-31T23:57:00Z", "1970-01-01T00:00:00Z"),
            ("1969-12-31T23:55:00Z", "1969-12-31T23:55:00Z"),
        ] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(Quantum::from(at).start(), first.parse().unwrap());
            assert_eq!(
                Quantum::starting(at).is_some(),
                at == first.parse().unwrap()
            );
        }
    }

    #[test]
    fn hours_that_a_change_of_the_clock_skips_are_not_there() {
        let half = length(30, 0, 0);
        // 02:00 to 03:00 does not exist.
        let table = on_sundays("America/New_York", 60, 210);
        assert_eq!(
            starts(&table, &half, "2026-03-08"),
            ["01:00-05:00", "01:30-05:00", "03:00-04:00"]
        );
        // An hour's appointment runs across the gap.
        assert_eq!(
            starts(&table, &length(60, 0, 0), "2026-03-08"),
            ["01:00-05:00", "01:30-05:00"]
        );
        // The half hour from 02:00 to 02:30 does not exist.
        let table = on_sundays("Australia/Lord_Howe", 60, 210);
        assert_eq!(
            starts(&table, &half, "2026-10-04"),
            ["01:00+10:30", "01:30+10:30", "02:30+11:00", "03:00+11:00"]
        );
        let table = on_sundays("UTC", 60, 210);
        assert_eq!(
            starts(&table, &half, "2026-03-08"),
            [
                "01:00+00:00",
                "01:30+00:00",
                "02:00+00:00",
                "02:30+00:00",
                "03:00+00:00"
            ]
        );
    }

    #[test]
    fn hours_that_a_change_of_the_clock_repeats_are_there_twice() {
        let half = length(30, 0, 0);
        let table = on_sundays("America/New_York", 60, 150);
        assert_eq!(
            starts(&table, &half, "2026-11-01"),
            [
                "01:00-04:00",
                "01:30-04:00",
                "01:00-05:00",
                "01:30-05:00",
                "02:00-05:00"
            ]
        );
        let table = on_sundays("Australia/Lord_Howe", 60, 150);
        assert_eq!(
            starts(&table, &half, "2026-04-05"),
            ["01:00+11:00", "01:30+11:00", "01:30+10:30", "02:00+10:30"]
        );
    }

    #[test]
    fn exceptions_close_a_date_or_open_it() {
        let mut table = on_sundays("UTC", 540, 600);
        let (closed, extra) = ("2026-11-22".parse().unwrap(), "2026-11-23".parse().unwrap());
        table.exceptions = vec![
            Exception::Closed(closed),
            Exception::Extra(extra, hours(600, 660)),
        ];
        let half = length(30, 0, 0);
        assert!(starts(&table, &half, "2026-11-22").is_empty());
        assert_eq!(
            starts(&table, &half, "2026-11-23"),
            ["10:00+00:00", "10:30+00:00"]
        );
        assert_eq!(starts(&table, &half, "2026-11-29").len(), 2);
    }

    #[test]
    fn an_appointment_lies_within_hours_for_its_type() {
        let table = on_sundays("UTC", 540, 600);
        let start = quantum("2026-11-22T09:30:00Z");
        assert!(table.offers(VISIT, &length(30, 15, 60), start).is_some());
        assert!(table.offers(VISIT, &length(35, 0, 0), start).is_none());
        assert!(table.offers("call", &length(30, 0, 0), start).is_none());
        let beside = quantum("2026-11-22T09:15:00Z");
        assert!(table.offers(VISIT, &length(30, 0, 0), beside).is_none());
        assert!(
            table
                .around(VISIT, length(30, 0, 0).lasts(beside))
                .is_some()
        );
        let takes = length(30, 15, 60).takes(start);
        assert_eq!(takes.start, quantum("2026-11-22T09:15:00Z"));
        assert_eq!(takes.end, quantum("2026-11-22T11:00:00Z"));
    }

    const ZONES: [&str; 7] = [
        "America/New_York",
        "Australia/Lord_Howe",
        "UTC",
        "Europe/London",
        "Asia/Kathmandu",
        "America/St_Johns",
        "Pacific/Apia",
    ];

    fn clock() -> impl Strategy<Value = (u16, u16)> {
        (0_u16..288, 1_u16..=288).prop_map(|(from, long)| (from * 5, (from + long).min(288) * 5))
    }

    /// Minute by minute: what the clock shows says which hours are open, if any.
    fn open_at(table: &Timetable, minute: Timestamp) -> Option<(usize, &Hours)> {
        let there = minute.to_zoned(table.zone.clone()).datetime();
        let shown =
            u16::try_from(there.hour()).unwrap() * 60 + u16::try_from(there.minute()).unwrap();
        let closed = table.exceptions.contains(&Exception::Closed(there.date()));
        let weekly = table
            .weekly
            .iter()
            .map(|(day, hours)| (!closed && *day == there.date().weekday(), hours));
        let extra = table.exceptions.iter().filter_map(|one| match one {
            Exception::Extra(date, hours) => Some((*date == there.date(), hours)),
            Exception::Closed(_) => None,
        });
        weekly
            .chain(extra)
            .enumerate()
            .find(|(_, (today, hours))| *today && hours.from <= shown && shown < hours.to)
            .map(|(at, (_, hours))| (at, hours))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The same as whoever looks at the clock each minute would say, near both changes of it.
        #[test]
        fn slots_are_what_the_clock_says(
            zone in proptest::sample::select(ZONES.to_vec()),
            near in proptest::sample::select(vec![
                "2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01",
            ]),
            weekly in proptest::collection::vec((1_i8..=7, clock()), 1..6),
            extra in proptest::collection::vec((-2_i32..=2, clock()), 0..3),
            closed in proptest::option::of(-2_i32..=2),
            start_every in proptest::sample::select(vec![5_u16, 10, 15, 20, 30, 60]),
            minutes in (1_u16..=22).prop_map(|quanta| quanta * 5),
        ) {
            let near: Date = near.parse().unwrap();
            let date = |days: i32| near.checked_add(days.days()).unwrap();
            let weekly = weekly.into_iter().map(|(day, (from, to))| {
                (Weekday::from_monday_one_offset(day).unwrap(), hours(from, to))
            });
            let extra = extra
                .into_iter()
                .map(|(days, (from, to))| Exception::Extra(date(days), hours(from, to)));
            let table = Timetable {
                zone: TimeZone::get(zone).unwrap(),
                start_every,
                weekly: weekly.collect(),
                exceptions: extra.chain(closed.map(|days| Exception::Closed(date(days)))).collect(),
            };
            let length = length(minutes, 0, 0);
            let first = Quantum::from(date(-2).to_zoned(TimeZone::UTC).unwrap().timestamp());
            let open: Vec<_> = (0..5 * 24 * 60_i64)
                .map(|minute| open_at(&table, first.start() + SignedDuration::from_mins(minute)))
                .collect();
            for (number, start) in Quantum::all(first..first.plus(4 * 24 * 60)).enumerate() {
                let shown = start.start().to_zoned(table.zone.clone());
                let shown = u16::try_from(shown.hour()).unwrap() * 60
                    + u16::try_from(shown.minute()).unwrap();
                let naive = open[number * 5].filter(|(which, hours)| {
                    let mut lasts = open[number * 5..].iter().take(usize::from(minutes));
                    (shown - hours.from).is_multiple_of(start_every)
                        && lasts.all(|other| other.map(|(other, _)| other) == Some(*which))
                });
                let offered = table.offers(VISIT, &length, start);
                prop_assert_eq!(offered.is_some(), naive.is_some(), "{}", start.start());
            }
        }

        #[test]
        fn what_an_appointment_takes_is_its_length(
            minutes in 1_u16..=22, before in 0_u16..=5, after in 0_u16..=5, at in 0_i64..1_000_000,
        ) {
            let length = length(minutes * 5, before * 5, after * 5);
            let taken: BTreeSet<_> = Quantum::all(length.takes(Quantum(at))).collect();
            prop_assert_eq!(taken.len(), usize::from(minutes + before + after));
            prop_assert!(Quantum::all(length.lasts(Quantum(at))).all(|one| taken.contains(&one)));
        }
    }
}
