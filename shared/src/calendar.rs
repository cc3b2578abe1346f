//! What other programs see of appointments: iCalendar (RFC 5545, RFC 7986).
//!
//! Calendars are shared with a family, synchronized by others and shown on locked screens. So a title
//! says that there is an appointment with the practice, and neither with whom nor what for.

use crate::Fault;
use crate::api::appointments::Status;
use crate::practice::Practice;
use crate::store::Booked;
use icalendar::{Component, Event, Property};
use jiff::Timestamp;

/// How long a calendar program may wait before it looks again (RFC 5545, section 3.3.6).
const REFRESH: &str = "PT1H";

/// Appointments as a calendar file. Times are in UTC, so that no reader needs rules of time zones.
pub fn file(practice: &Practice, appointments: &[Booked], now: Timestamp) -> Result<String, Fault> {
    let mut calendar = icalendar::Calendar::empty();
    calendar
        .append_property(("VERSION", "2.0"))
        .append_property(("PRODID", "-//Patient portal//Appointments//EN"))
        .append_property(("CALSCALE", "GREGORIAN"))
        .append_property(("METHOD", "PUBLISH"))
        .append_property(text("NAME", practice.name()))
        .append_property(text("X-WR-CALNAME", practice.name()))
        .append_property(
            Property::new("REFRESH-INTERVAL", REFRESH)
                .add_parameter("VALUE", "DURATION")
                .done(),
        )
        .append_property(("X-PUBLISHED-TTL", REFRESH));
    for appointment in appointments {
        calendar.push(event(practice, appointment, now)?);
    }
    Ok(calendar.to_string())
}

fn event(practice: &Practice, booked: &Booked, now: Timestamp) -> Result<Event, Fault> {
    let cancelled = booked.status == Status::Cancelled;
    let changed = booked.transitions.last().map_or(now, |step| step.at);
    let sequence = u32::try_from(booked.sequence).map_err(|_| Fault::Corrupt("a sequence"))?;
    let mut event = Event::new();
    event
        // The same for as long as there is the appointment, so that readers know it again.
        .uid(&booked.id.to_string())
        // Rises with each move and the cancellation, so that they take the newer one.
        .sequence(sequence)
        .add_property("DTSTAMP", utc(now))
        .add_property("LAST-MODIFIED", utc(changed))
        .add_property("DTSTART", utc(booked.start))
        .add_property("DTEND", utc(booked.end))
        .summary(&format!("Appointment: {}", practice.name()))
        .class(icalendar::Class::Private)
        .status(if cancelled {
            icalendar::EventStatus::Cancelled
        } else {
            icalendar::EventStatus::Confirmed
        })
        // A cancelled one takes no time.
        .add_property("TRANSP", if cancelled { "TRANSPARENT" } else { "OPAQUE" });
    Ok(event.done())
}

/// Text of a property that the crate does not know to be text, and would not escape.
fn text(name: &str, value: &str) -> Property {
    Property::new(name, value)
        .add_parameter("VALUE", "TEXT")
        .done()
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}
