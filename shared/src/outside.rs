//! What the portal says outside of itself, and when. Whoever sees the phone or carries the mail learns
//! that there is something, and neither what nor of whom.

use crate::{Fault, Reason};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::ops::Range;

/// The hours of the day in which a phone may ring.
const WAKING: Range<i8> = 8..20;

/// What is said, in one language.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Of a mail.
    pub subject: &'static str,
    pub text: &'static str,
}

/// The same in each language that there is.
#[derive(Debug)]
pub struct Said {
    english: Words,
    spanish: Words,
}

pub const APPOINTMENT: Said = Said {
    english: Words {
        subject: "Appointment reminder",
        text: "You have an appointment. Sign in to see it.",
    },
    spanish: Words {
        subject: "Recordatorio de cita",
        text: "Tiene una cita. Inicie sesión para verla.",
    },
};

pub const MESSAGE: Said = Said {
    english: Words {
        subject: "You have a new message",
        text: "You have a new message. Sign in to read it.",
    },
    spanish: Words {
        subject: "Tiene un mensaje nuevo",
        text: "Tiene un mensaje nuevo. Inicie sesión para leerlo.",
    },
};

pub const OPENING: Said = Said {
    english: Words {
        subject: "A time has become free",
        text: "A time has become free. Sign in to see it.",
    },
    spanish: Words {
        subject: "Se ha liberado una hora",
        text: "Se ha liberado una hora. Inicie sesión para verla.",
    },
};

impl Said {
    /// In a language (BCP 47): English unless there are other words.
    pub fn in_language(&self, language: Option<&str>) -> &Words {
        let primary = language.and_then(|tag| tag.split('-').next());
        match primary {
            Some(tag) if tag.eq_ignore_ascii_case("es") => &self.spanish,
            _ => &self.english,
        }
    }
}

/// Are people up, in that zone?
pub fn is_waking(zone: &TimeZone, now: Timestamp) -> bool {
    WAKING.contains(&now.to_zoned(zone.clone()).hour())
}

/// When people are up next, in that zone: now, if they are.
pub fn waking(zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Fault> {
    if is_waking(zone, now) {
        return Ok(now);
    }
    let there = now.to_zoned(zone.clone());
    let day = match there.hour() {
        hour if hour < WAKING.start => Ok(there.date()),
        _ => there.date().tomorrow(),
    };
    day.and_then(|day| day.at(WAKING.start, 0, 0, 0).to_zoned(zone.clone()))
        .map(|morning| morning.timestamp())
        .map_err(|_| Fault::Defect("a day at the end of time"))
}

/// Mail and texts that got no answer may have arrived; anything else has not.
pub fn may_have_arrived(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Unavailable {
            reason: Reason::TimedOut,
            service: "SES" | "SNS",
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_its_first_part() {
        for said in [APPOINTMENT, MESSAGE, OPENING] {
            for spanish in ["es", "es-MX", "ES"] {
                assert_eq!(said.in_language(Some(spanish)), &said.spanish);
            }
            for other in [None, Some("en-US"), Some("est"), Some(""), Some("fr")] {
                assert_eq!(said.in_language(other), &said.english);
            }
        }
    }

    #[test]
    fn the_morning_begins_at_eight_whatever_the_clocks_do() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (now, morning) in [
            ("2026-07-01T11:59:59Z", "2026-07-01T12:00:00Z"),
            ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),
            ("2026-07-01T23:59:59Z", "2026-07-01T23:59:59Z"),
            ("2026-07-02T00:00:00Z", "2026-07-02T12:00:00Z"),
            // Daylight saving time ends in that night.
            ("2026-11-01T03:00:00Z", "2026-11-01T13:00:00Z"),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(waking(&zone, now).unwrap(), morning.parse().unwrap());
        }
    }
}
