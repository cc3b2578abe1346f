//! FHIR dates and times: kept as written, with a sortable form in UTC beside them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

/// A date, dateTime or instant (<https://hl7.org/fhir/R4/datatypes.html#dateTime>).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct ClinicalTime {
    /// `2019-04-01T13:05:09.250Z`, always 24 characters in UTC. What is missing counts as the
    /// earliest, so `2019` sorts before everything known to be later in 2019.
    pub sort: String,
    /// As the source wrote it: with its precision and zone, which display must not exceed.
    pub original: String,
}

impl ClinicalTime {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let instant = instant(text)?;
        Some(Self {
            sort: sortable(instant),
            original: text.to_owned(),
        })
    }

    pub(super) fn instant(&self) -> Option<Timestamp> {
        self.sort.parse().ok()
    }

    /// The latest instant that it may mean: the end of a period given as a date includes that day
    /// (<https://hl7.org/fhir/R4/datatypes.html#Period>).
    pub(super) fn last_instant(&self) -> Option<Timestamp> {
        let span = match self.original.len() {
            4 => 1.year(),
            7 => 1.month(),
            10 => 1.day(),
            _ => return self.instant(),
        };
        let next = self
            .instant()?
            .to_zoned(TimeZone::UTC)
            .checked_add(span)
            .ok()?;
        next.timestamp().checked_sub(1.nanosecond()).ok()
    }
}

/// A date that may lack its day or month (<https://hl7.org/fhir/R4/datatypes.html#date>).
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct PartialDate(String);

impl PartialDate {
    pub(super) fn parse(text: &str) -> Option<Self> {
        (text.len() <= 10).then(|| first_day(text)).flatten()?;
        Some(Self(text.to_owned()))
    }

    /// As the source wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the two are the same in the part that both have.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let mut both = self.0.bytes().zip(other.0.bytes());
        both.all(|(one, other)| one == other)
    }

    /// The earliest day that it may mean.
    pub fn earliest(&self) -> Option<Date> {
        first_day(&self.0)
    }

    /// The date, if year, month and day are all known.
    pub fn full(&self) -> Option<Date> {
        (self.0.len() == 10).then(|| first_day(&self.0)).flatten()
    }
}

/// The earliest instant that the text may mean.
fn instant(text: &str) -> Option<Timestamp> {
    if text.len() <= 10 {
        return first_day(text)?
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|day| day.timestamp());
    }
    let bytes = text.as_bytes();
    let shaped = bytes.get(4) == Some(&b'-')
        && bytes.get(7) == Some(&b'-')
        && bytes.get(10) == Some(&b'T')
        && bytes.get(13) == Some(&b':')
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_digit() || b"-+:.TZ".contains(byte));
    if !shaped {
        return None;
    }
    // R4 wants an offset with every time; systems that leave it out are read as UTC, for order only.
    text.parse::<Timestamp>().ok().or_else(|| {
        let local = text.parse::<DateTime>().ok()?;
        local
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|time| time.timestamp())
    })
}

/// The first day of a date of 4, 7 or 10 characters.
fn first_day(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    if parts.next().is_some() || year == 0 {
        return None;
    }
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn number(digits: &str, length: usize) -> Option<i16> {
    let shaped = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    shaped.then(|| digits.parse().ok()).flatten()
}

fn sortable(instant: Timestamp) -> String {
    let at = instant.to_zoned(TimeZone::UTC).datetime();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(text: &str) -> Option<String> {
        ClinicalTime::parse(text).map(|time| time.sort)
    }

    #[test]
    fn sorts_in_utc_and_keeps_what_was_written() {
        for (text, expected) in [
            ("2019", "2019-01-01T00:00:00.000Z"),
            ("2019-04", "2019-04-01T00:00:00.000Z"),
            ("2019-04-30", "2019-04-30T00:00:00.000Z"),
            ("2019-12-31T23:00:00-05:00", "2020-01-01T04:00:00.000Z"),
            ("2019-04-30T10:00:00.1239+00:00", "2019-04-30T10:00:00.123Z"),
            ("2019-04-30T10:00:00Z", "2019-04-30T10:00:00.000Z"),
            ("2019-04-30T10:00:00", "2019-04-30T10:00:00.000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(sort(text).as_deref(), Some(expected), "{text}");
            assert_eq!(ClinicalTime::parse(text).unwrap().original, text);
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in [
            "",
            "19",
            "2019-",
            "2019-13",
            "2019-02-30",
            "0000",
            "2019-4-1",
            "20190401",
            "+019",
            "2019-04-30 10:00:00Z",
            "2019-04-30T25:00:00Z",
            "2019-04-30T",
            "tomorrow",
            "2019-04-30T10:00:00[Europe/Paris]",
            "２０１９",
            "2019-04-30T10:00:00Z\n",
        ] {
            assert_eq!(sort(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_lasts_to_its_end() {
        for (text, expected) in [
            ("2019", "2019-12-31T23:59:59.999999999Z"),
            ("2020-02", "2020-02-29T23:59:59.999999999Z"),
            ("2020-02-01", "2020-02-01T23:59:59.999999999Z"),
            ("2020-02-01T10:00:00Z", "2020-02-01T10:00:00Z"),
        ] {
            let last = ClinicalTime::parse(text).unwrap().last_instant().unwrap();
            assert_eq!(last.to_string(), expected);
        }
    }

    #[test]
    fn only_a_full_date_is_full() {
        assert!(PartialDate::parse("1978-05-12").unwrap().full().is_some());
        assert_eq!(PartialDate::parse("1978-05").unwrap().full(), None);
        assert!(PartialDate::parse("1978-05-12T00:00:00Z").is_none());
    }
}
