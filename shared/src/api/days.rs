//! A stretch of days, by the dates that stand in the record.

use super::text::Date;
use crate::http::Problem;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Offsets of UTC that are in use: -12 to +14 hours. A recorded date is nearer to its instant.
const EARLIEST: SignedDuration = SignedDuration::from_hours(-14);
const LATEST: SignedDuration = SignedDuration::from_hours(24 + 12);

/// From one day to another, both included; open where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Days {
    from: Option<Date>,
    to: Option<Date>,
}

impl Days {
    pub(crate) fn of(from: Option<Date>, to: Option<Date>) -> Result<Self, Problem> {
        match (&from, &to) {
            (Some(from), Some(to)) if to.as_str() < from.as_str() => {
                Err(Problem::field("query/to", "must not be before from"))
            }
            _ => Ok(Self { from, to }),
        }
    }

    /// Are these all days?
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// No instant of these days is before it.
    pub fn earliest(&self) -> Option<Timestamp> {
        moved(self.from.as_ref()?, EARLIEST)
    }

    /// Every instant of these days is before it.
    pub fn latest(&self) -> Option<Timestamp> {
        moved(self.to.as_ref()?, LATEST)
    }

    /// Is a date or time, as it was recorded, one of these days? What was recorded as a year or a
    /// month counts as its first day, and what was not recorded is in no stretch.
    pub fn hold(&self, recorded: Option<&str>) -> bool {
        if self.is_open() {
            return true;
        }
        let Some(recorded) = recorded else {
            return false;
        };
        let first_day = match recorded.len() {
            4 => format!("{recorded}-01-01"),
            7 => format!("{recorded}-01"),
            _ => recorded.chars().take(10).collect(),
        };
        let from = self.from.as_ref().map_or("", Date::as_str);
        from <= first_day.as_str() && self.to.as_ref().is_none_or(|to| *to.as_str() >= *first_day)
    }
}

fn moved(date: &Date, by: SignedDuration) -> Option<Timestamp> {
    let midnight = date.day()?.to_datetime(Time::midnight());
    let midnight = midnight.to_zoned(TimeZone::UTC).ok()?.timestamp();
    midnight.checked_add(by).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: &str, to: &str) -> Days {
        let date = |text: &str| Date::try_from(text.to_owned()).ok();
        Days::of(date(from), date(to)).unwrap()
    }

    #[test]
    fn days_are_those_of_the_record() {
        let april = days("2019-04-01", "2019-04-30");
        for within in [
            "2019-04",
            "2019-04-01",
            "2019-04-30T23:59:59-05:00",
            "2019-04-01T00:00:00+14:00",
        ] {
            assert!(april.hold(Some(within)), "{within}");
            let instant = within.parse::<Timestamp>();
            if let Ok(instant) = instant {
                assert!(april.earliest().unwrap() <= instant, "{within}");
                assert!(instant < april.latest().unwrap(), "{within}");
            }
        }
        for without in ["2019", "2019-03-31", "2019-05", "2019-05-01T00:00:00Z"] {
            assert!(!april.hold(Some(without)), "{without}");
        }
        assert!(!april.hold(None));
        assert!(Days::default().hold(None));
        assert!(days("2019-04-01", "").hold(Some("9999-12-31")));
        assert!(days("", "2019-04-01").hold(Some("0001")));
    }

    #[test]
    fn the_end_of_the_calendar_is_no_fault() {
        assert_eq!(days("", "9999-12-31").latest(), None);
        assert!(days("0001-01-01", "").earliest().is_some());
        let date = |text: &str| Date::try_from(text.to_owned()).ok();
        assert!(Days::of(date("2019-04-02"), date("2019-04-01")).is_err());
    }
}
