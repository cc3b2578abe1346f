//! When a provider can be booked: what they set, and what others see of it.

use super::codes::codes;
use super::page::Page;
use super::text::{Clock, Date, Line, Number, Slug, Zone};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::Practice;
use crate::aws::Capability::{
    ReadAccounts, ReadAvailability, ReadDirectory, ReadSchedules, SetAvailability as WriteIt,
    WriteAudit,
};
use crate::http::{FieldError, Object, Problem, Request};
use crate::ids::{AppointmentId, PractitionerId};
use crate::slots::{self, Length, Timetable};
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize};

codes!(
    Day {
        Monday = "monday",
        Tuesday = "tuesday",
        Wednesday = "wednesday",
        Thursday = "thursday",
        Friday = "friday",
        Saturday = "saturday",
        Sunday = "sunday",
    }
);

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Monday => Weekday::Monday,
            Self::Tuesday => Weekday::Tuesday,
            Self::Wednesday => Weekday::Wednesday,
            Self::Thursday => Weekday::Thursday,
            Self::Friday => Weekday::Friday,
            Self::Saturday => Weekday::Saturday,
            Self::Sunday => Weekday::Sunday,
        }
    }
}

codes!(
    /// How patient and provider meet.
    Modality {
        InPerson = "in-person",
        Video = "video",
        Phone = "phone",
    }
);

/// An appointment with its buffers takes at most so many minutes. A quantum of the provider's and one
/// of the patient's for each five of them are freed and as many taken when it moves, in one
/// transaction of a hundred writes (DynamoDB TransactWriteItems).
const LONGEST: u16 = 110;

const MOST_TYPES: usize = 20;
const MOST_HOURS: usize = 70;
const MOST_EXCEPTIONS: usize = 200;

/// A provider's availability, as they set it and as it is stored. It holds nothing of any patient.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Availability {
    pub specialty: Slug,
    pub time_zone: Zone,
    /// How long before its start an appointment can be booked.
    pub minimum_notice_minutes: Number<0, 43_200>,
    /// How far ahead an appointment can be booked.
    pub horizon_days: Number<1, 365>,
    /// Appointments begin so many minutes after their hours do, or a multiple of it.
    pub start_every_minutes: Number<5, 60>,
    #[serde(deserialize_with = "objects")]
    pub appointment_types: Vec<AppointmentType>,
    #[serde(deserialize_with = "objects")]
    pub weekly: Vec<WeeklyHours>,
    #[serde(default, deserialize_with = "objects")]
    pub exceptions: Vec<DatedException>,
}

/// What patients can come for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AppointmentType {
    pub code: Slug,
    pub name: Line<1, 60>,
    pub minutes: Number<5, LONGEST>,
    /// Time of the provider's before and after it, which the patient does not see.
    #[serde(default)]
    pub buffer_before: Number<0, LONGEST>,
    #[serde(default)]
    pub buffer_after: Number<0, LONGEST>,
    pub modality: Modality,
}

impl AppointmentType {
    pub fn length(&self) -> Length {
        Length {
            minutes: self.minutes.get(),
            buffer_before: self.buffer_before.get(),
            buffer_after: self.buffer_after.get(),
        }
    }
}

/// Hours of a weekday.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WeeklyHours {
    pub day: Day,
    pub from: Clock,
    pub to: Clock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Line<1, 100>>,
    /// Codes of the appointment types that they are for.
    pub types: Vec<Slug>,
}

/// A date that is closed, whatever its weekday's hours are, or hours that a date has besides.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DatedException {
    pub date: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Clock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Clock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Line<1, 100>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<Slug>>,
}

/// JSON objects, where serde alone would take arrays of their fields' values as well.
fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects: Vec<Object<T>> = Vec::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

/// Hours that are to be looked at together, and where they stand in the document.
struct Placed<'a> {
    pointer: String,
    from: Clock,
    to: Clock,
    types: &'a [Slug],
}

impl Availability {
    pub fn appointment_type(&self, code: &str) -> Option<&AppointmentType> {
        let mut types = self.appointment_types.iter();
        types.find(|one| one.code.as_str() == code)
    }

    /// The rules as instants are compared with them.
    pub fn timetable(&self) -> Result<Timetable, Fault> {
        const TORN: Fault = Fault::Corrupt("an availability");
        let hours = |from: Clock, to: Clock, location: &Option<Line<1, 100>>, types: &[Slug]| {
            let types = types.iter().map(|code| code.as_str().to_owned());
            slots::Hours {
                from: from.minutes(),
                to: to.minutes(),
                location: location.as_ref().map(|name| name.as_str().to_owned()),
                types: types.collect(),
            }
        };
        let weekly = self.weekly.iter().map(|one| {
            let hours = hours(one.from, one.to, &one.location, &one.types);
            (one.day.weekday(), hours)
        });
        let exceptions = self.exceptions.iter().map(|one| {
            let date = one.date.day().ok_or(TORN)?;
            let (Some(from), Some(to), Some(types)) = (one.from, one.to, &one.types) else {
                return Ok(slots::Exception::Closed(date));
            };
            let hours = hours(from, to, &one.location, types);
            Ok(slots::Exception::Extra(date, hours))
        });
        Ok(Timetable {
            zone: TimeZone::get(self.time_zone.as_str()).map_err(|_| TORN)?,
            start_every: self.start_every_minutes.get(),
            weekly: weekly.collect(),
            exceptions: exceptions.collect::<Result<_, _>>()?,
        })
    }

    /// What its fields have to be together. Every wrong one is named.
    fn check(&self) -> Result<(), Problem> {
        let mut wrong = Wrong(Vec::new());
        if ![5, 10, 15, 20, 30, 60].contains(&self.start_every_minutes.get()) {
            let must = "must be 5, 10, 15, 20, 30 or 60";
            wrong.is("/start_every_minutes", must);
        }
        self.check_types(&mut wrong);
        self.check_hours(&mut wrong);
        wrong.into_problem()
    }

    fn check_types(&self, wrong: &mut Wrong) {
        let types = &self.appointment_types;
        if !(1..=MOST_TYPES).contains(&types.len()) {
            wrong.is("/appointment_types", "must hold 1 to 20 appointment types");
        }
        for (at, one) in types.iter().enumerate() {
            let pointer = |field: &str| format!("/appointment_types/{at}/{field}");
            let mut before = types.iter().take(at);
            if before.any(|other| other.code == one.code) {
                wrong.is(pointer("code"), "must be a code that no type before it has");
            }
            let lengths = [
                ("minutes", one.minutes.get()),
                ("buffer_before", one.buffer_before.get()),
                ("buffer_after", one.buffer_after.get()),
            ];
            for (field, minutes) in lengths {
                if !minutes.is_multiple_of(5) {
                    wrong.is(pointer(field), "must be a multiple of 5");
                }
            }
            if lengths.iter().map(|(_, minutes)| minutes).sum::<u16>() > LONGEST {
                let must = "must be 110 at most, together with both buffers";
                wrong.is(pointer("minutes"), must);
            }
        }
    }

    fn check_hours(&self, wrong: &mut Wrong) {
        if self.weekly.len() > MOST_HOURS {
            wrong.is("/weekly", "must hold 70 entries at most");
        }
        if self.exceptions.len() > MOST_EXCEPTIONS {
            wrong.is("/exceptions", "must hold 200 entries at most");
        }
        for (at, one) in self.weekly.iter().enumerate() {
            let hours = Placed {
                pointer: format!("/weekly/{at}"),
                from: one.from,
                to: one.to,
                types: &one.types,
            };
            self.check_one(&hours, wrong);
            let before = self.weekly.iter().take(at);
            let mut same_day = before.filter(|other| other.day == one.day);
            if same_day.any(|other| overlap((one.from, one.to), (other.from, other.to))) {
                wrong.is(format!("/weekly/{at}/from"), OVERLAP);
            }
        }
        for (at, one) in self.exceptions.iter().enumerate() {
            self.check_exception(at, one, wrong);
        }
    }

    fn check_exception(&self, at: usize, one: &DatedException, wrong: &mut Wrong) {
        let pointer = format!("/exceptions/{at}");
        let same_date = |other: &&DatedException| other.date == one.date;
        let before = || self.exceptions.iter().take(at).filter(same_date);
        let (from, to, types) = match (one.closed, one.from, one.to, &one.types) {
            (Some(true), None, None, None) if one.location.is_none() => {
                if before().any(|other| other.closed.is_some()) {
                    wrong.is(pointer + "/date", "must be closed once");
                }
                return;
            }
            (None, Some(from), Some(to), Some(types)) => (from, to, types),
            _ => {
                let must = "must have either closed, which is true, or from, to and types";
                return wrong.is(pointer, must);
            }
        };
        let hours = Placed {
            pointer: pointer.clone(),
            from,
            to,
            types,
        };
        self.check_one(&hours, wrong);
        let closed = self.exceptions.iter().filter(same_date);
        let is_closed = closed.into_iter().any(|other| other.closed.is_some());
        let weekday = one.date.day().map(jiff::civil::Date::weekday);
        let weekly = self.weekly.iter();
        let mut weekly = weekly.filter(|other| !is_closed && Some(other.day.weekday()) == weekday);
        let extra = before().filter_map(|other| Some((other.from?, other.to?)));
        let collides = weekly.any(|other| overlap((from, to), (other.from, other.to)))
            || extra.into_iter().any(|other| overlap((from, to), other));
        if collides {
            wrong.is(pointer + "/from", OVERLAP);
        }
    }

    fn check_one(&self, hours: &Placed<'_>, wrong: &mut Wrong) {
        let pointer = &hours.pointer;
        if hours.to <= hours.from {
            wrong.is(format!("{pointer}/to"), "must be later than from");
        }
        if hours.types.is_empty() {
            let must = "must name at least one appointment type";
            wrong.is(format!("{pointer}/types"), must);
        }
        for (at, code) in hours.types.iter().enumerate() {
            if self.appointment_type(code.as_str()).is_none() {
                let must = "must be the code of one of the appointment types";
                wrong.is(format!("{pointer}/types/{at}"), must);
            }
        }
    }
}

const OVERLAP: &str = "must not lie within other hours of the same day";

fn overlap(one: (Clock, Clock), other: (Clock, Clock)) -> bool {
    one.0 < other.1 && other.0 < one.1
}

/// The fields that are not acceptable.
struct Wrong(Vec<FieldError>);

impl Wrong {
    fn is(&mut self, pointer: impl Into<String>, must: &'static str) {
        self.0.push(FieldError {
            pointer: pointer.into(),
            detail: must.into(),
        });
    }

    fn into_problem(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Problem {
            errors: self.0,
            ..Problem::field("", "")
        })
    }
}

/// A provider reads their own.
pub struct GetAvailability;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OwnAvailability {
    /// None until it was set.
    pub availability: Option<Availability>,
    /// Counts the changes; the ETag. 0 until it was set.
    #[serde(skip)]
    pub version: u64,
}

impl Operation for GetAvailability {
    const SPEC: &'static Spec = &Spec {
        id: "get-availability",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/availability",
            auth: Auth::Token,
        },
        action: "GetAvailability",
        audit: "availability.read",
        needs: &[ReadAccounts, ReadAvailability, WriteAudit],
    };
    type Subject = Practice;
    type Input = ();
    type Output = OwnAvailability;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }

    fn etag(own: &OwnAvailability) -> Option<u64> {
        Some(own.version)
    }
}

/// A provider sets their own, whole.
pub struct SetAvailability;

/// An availability and the version that it replaces.
pub struct VersionedAvailability {
    pub version: u64,
    pub availability: Availability,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AvailabilitySet {
    pub availability: Availability,
    /// Appointments that are booked and lie outside the new hours. They stay until somebody moves
    /// or cancels them.
    pub booked_outside: Vec<BookedOutside>,
    #[serde(skip)]
    pub version: u64,
}

/// An appointment that the hours do not have any more.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct BookedOutside {
    pub appointment: AppointmentId,
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Operation for SetAvailability {
    const SPEC: &'static Spec = &Spec {
        id: "set-availability",
        trigger: Trigger::Http {
            method: Method::Put,
            path: "/v1/availability",
            auth: Auth::Token,
        },
        action: "SetAvailability",
        audit: "availability.set",
        needs: &[
            ReadAccounts,
            ReadAvailability,
            ReadSchedules,
            ReadDirectory,
            WriteIt,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = VersionedAvailability;
    type Output = AvailabilitySet;

    fn parse(request: &Request) -> Result<VersionedAvailability, Problem> {
        request.no_query()?;
        let version = request.if_match()?;
        let availability: Availability = request.body()?;
        availability.check()?;
        Ok(VersionedAvailability {
            version,
            availability,
        })
    }

    fn etag(set: &AvailabilitySet) -> Option<u64> {
        Some(set.version)
    }
}

/// Whom patients can book.
pub struct ListProviders;

/// A provider who takes appointments, as everybody sees them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Provider {
    pub practitioner: PractitionerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub specialty: String,
    pub time_zone: String,
    pub locations: Vec<String>,
    pub appointment_types: Vec<OfferedType>,
}

/// What they can be booked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OfferedType {
    pub code: String,
    pub name: String,
    pub minutes: u16,
    pub modality: Modality,
}

impl Provider {
    pub fn new(
        practitioner: PractitionerId,
        name: Option<String>,
        availability: &Availability,
    ) -> Self {
        let weekly = availability.weekly.iter().map(|hours| &hours.location);
        let exceptions = availability.exceptions.iter().map(|one| &one.location);
        let locations = weekly.chain(exceptions).flatten();
        let mut locations: Vec<_> = locations.map(|name| name.as_str().to_owned()).collect();
        locations.sort_unstable();
        locations.dedup();
        let types = availability.appointment_types.iter();
        let types = types.map(|one| OfferedType {
            code: one.code.as_str().to_owned(),
            name: one.name.as_str().to_owned(),
            minutes: one.minutes.get(),
            modality: one.modality,
        });
        Self {
            practitioner,
            name,
            specialty: availability.specialty.as_str().to_owned(),
            time_zone: availability.time_zone.as_str().to_owned(),
            locations,
            appointment_types: types.collect(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Providers {
    pub providers: Vec<Provider>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Operation for ListProviders {
    const SPEC: &'static Spec = &Spec {
        id: "list-providers",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/providers",
            auth: Auth::Token,
        },
        action: "ListProviders",
        audit: "provider.list",
        needs: &[ReadAccounts, ReadAvailability, WriteAudit],
    };
    type Subject = Practice;
    type Input = Page;
    type Output = Providers;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document() -> Value {
        json!({
            "specialty": "family-medicine",
            "time_zone": "America/New_York",
            "minimum_notice_minutes": 60,
            "horizon_days": 90,
            "start_every_minutes": 15,
            "appointment_types": [
                {"code": "visit", "name": "Office visit", "minutes": 30, "buffer_after": 10,
                 "modality": "in-person"},
                {"code": "call", "name": "Call", "minutes": 15, "modality": "phone"},
            ],
            "weekly": [
                {"day": "monday", "from": "09:00", "to": "12:00", "location": "Main Street",
                 "types": ["visit", "call"]},
                {"day": "monday", "from": "13:00", "to": "17:00", "types": ["call"]},
            ],
            "exceptions": [
                {"date": "2026-12-25", "closed": true},
                {"date": "2026-12-28", "from": "18:00", "to": "20:00", "types": ["visit"]},
            ],
        })
    }

    fn errors(pointer: &str, value: Value) -> Vec<String> {
        let mut document = document();
        *document.pointer_mut(pointer).unwrap() = value;
        let availability: Availability = serde_json::from_value(document).unwrap();
        let errors = availability.check().err().map(|problem| problem.errors);
        let errors = errors.unwrap_or_default().into_iter();
        errors.map(|error| error.pointer).collect()
    }

    #[test]
    fn what_is_right_is_taken_and_kept() {
        assert!(errors("/horizon_days", json!(90)).is_empty());
        let availability: Availability = serde_json::from_value(document()).unwrap();
        let stored = serde_json::to_vec(&availability).unwrap();
        let again: Availability = serde_json::from_slice(&stored).unwrap();
        let table = again.timetable().unwrap();
        assert_eq!(table.weekly.len(), 2);
        assert_eq!(table.exceptions.len(), 2);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let hours = |from, to| json!({"day": "monday", "from": from, "to": to, "types": ["call"]});
        let dated =
            |date, from| json!({"date": date, "from": from, "to": "20:00", "types": ["call"]});
        for (pointer, value, expected) in [
            ("/start_every_minutes", json!(25), "/start_every_minutes"),
            ("/appointment_types", json!([]), "/appointment_types"),
            (
                "/appointment_types/1/code",
                json!("visit"),
                "/appointment_types/1/code",
            ),
            (
                "/appointment_types/0/minutes",
                json!(31),
                "/appointment_types/0/minutes",
            ),
            (
                "/appointment_types/0/minutes",
                json!(105),
                "/appointment_types/0/minutes",
            ),
            ("/weekly/1", hours("11:55", "13:00"), "/weekly/1/from"),
            ("/weekly/1", hours("13:00", "13:00"), "/weekly/1/to"),
            ("/weekly/1/types", json!([]), "/weekly/1/types"),
            ("/weekly/1/types/0", json!("other"), "/weekly/1/types/0"),
            (
                "/exceptions/0",
                json!({"date": "2026-12-25"}),
                "/exceptions/0",
            ),
            (
                "/exceptions/0",
                json!({"date": "2026-12-25", "closed": false}),
                "/exceptions/0",
            ),
            (
                "/exceptions/1",
                json!({"date": "2026-12-25", "closed": true}),
                "/exceptions/1/date",
            ),
            (
                "/exceptions/1",
                dated("2026-12-28", "16:55"),
                "/exceptions/1/from",
            ),
        ] {
            let mut found = errors(pointer, value.clone());
            // No type is known any more.
            found.retain(|found| pointer != "/appointment_types" || !found.contains("/types/"));
            if pointer == "/appointment_types/1/code" {
                found.retain(|found| !found.contains("/types/"));
            }
            let first = found.first().map(String::as_str);
            assert_eq!(first, Some(expected), "{pointer} {value}: {found:?}");
        }
    }

    #[test]
    fn a_closed_date_has_room_for_other_hours() {
        let mut document = document();
        document["exceptions"] = json!([
            {"date": "2026-12-28", "closed": true},
            {"date": "2026-12-28", "from": "09:00", "to": "10:00", "types": ["call"]},
        ]);
        let availability: Availability = serde_json::from_value(document).unwrap();
        assert!(availability.check().is_ok());
    }
}
