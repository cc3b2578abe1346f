//! A patient's appointments in other programs: a file of one, and a calendar that programs follow by a
//! secret address.

use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{AppointmentOf, Portal};
use crate::aws::Capability::{
    CountRequests, KeepCalendars, ReadAccounts, ReadAppointments, ReadCalendars, ReadPatients,
    UnwrapDataKeys, WriteAudit,
};
use crate::http::{Content, Problem, Request};
use crate::ids::{AccountId, CalendarId, PatientId};
use ::http::StatusCode;
use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// A calendar file (RFC 5545).
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct CalendarFile(pub String);

impl CalendarFile {
    const MEDIA_TYPE: &'static str = "text/calendar; charset=utf-8";

    fn content(&self, name: &'static str) -> Content {
        Content::file(Self::MEDIA_TYPE, name, self.0.clone())
    }
}

/// One appointment as a file.
pub struct GetCalendar;

impl Operation for GetCalendar {
    const SPEC: &'static Spec = &Spec {
        id: "get-calendar",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/appointments/{appointment}/calendar",
            auth: Auth::Token,
        },
        action: "GetCalendar",
        audit: "appointment.calendar",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAppointments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = AppointmentOf;
    type Input = ();
    type Output = CalendarFile;

    const MEDIA_TYPE: &'static str = CalendarFile::MEDIA_TYPE;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }

    fn content(file: &CalendarFile) -> Result<Content, Fault> {
        Ok(file.content("appointment.ics"))
    }
}

/// Keeps the ids of calendars apart from other ids that are made of names.
const CALENDARS: Uuid = Uuid::from_u128(0x9b5c_21d8_4e0f_4c36_a1f7_02d6_8e93_5ab1);

/// An account has one calendar of a patient's appointments.
pub fn calendar_of(account: AccountId, patient: PatientId) -> CalendarId {
    let name = format!("{account} {patient}");
    CalendarId::new(Uuid::new_v5(&CALENDARS, name.as_bytes()))
}

/// The part of a calendar's address that nobody guesses: which calendar it is, and 256 random bits.
/// Whoever knows it reads the calendar, so the portal keeps a hash of it and never writes it anywhere.
pub struct Address {
    pub calendar: CalendarId,
    secret: [u8; 32],
}

impl Address {
    pub fn new(calendar: CalendarId) -> Result<Self, Fault> {
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| Fault::Defect("random numbers"))?;
        Ok(Self { calendar, secret })
    }

    /// Reads an address; none if it can be nobody's.
    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (calendar, secret) = bytes.split_at_checked(16)?;
        Some(Self {
            calendar: CalendarId::new(Uuid::from_slice(calendar).ok()?),
            secret: secret.try_into().ok()?,
        })
    }

    /// The path at which calendar programs find it.
    pub fn path(&self) -> String {
        let bytes = [self.calendar.uuid().as_bytes().as_slice(), &self.secret].concat();
        format!(
            "/v1/calendars/{}/appointments.ics",
            URL_SAFE_NO_PAD.encode(bytes)
        )
    }

    /// What is kept of it. Nobody finds 256 random bits by their hash.
    pub fn proof(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.secret)
            .as_ref()
            .to_vec()
    }

    pub fn is_proven_by(&self, proof: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.proof(), proof).is_ok()
    }
}

/// A calendar that follows a patient's appointments, under a new address; a former one is good no more.
pub struct OpenCalendar;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OpenedCalendar {
    /// To be put behind the address of the API. It is told once, and opens the calendar to whoever has
    /// it.
    pub path: String,
    pub opened_at: Timestamp,
}

const KEEPING: &[crate::aws::Capability] = &[
    ReadAccounts,
    ReadPatients,
    KeepCalendars,
    UnwrapDataKeys,
    WriteAudit,
];

impl Operation for OpenCalendar {
    const SPEC: &'static Spec = &Spec {
        id: "open-calendar",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/calendar",
            auth: Auth::Token,
        },
        action: "OpenCalendar",
        audit: "calendar.open",
        needs: KEEPING,
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = ();
    type Output = OpenedCalendar;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// The end of a calendar: its address leads nowhere.
pub struct RevokeCalendar;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RevokedCalendar {
    pub revoked_at: Timestamp,
}

impl Operation for RevokeCalendar {
    const SPEC: &'static Spec = &Spec {
        id: "revoke-calendar",
        trigger: Trigger::Http {
            method: Method::Delete,
            path: "/v1/patients/{patient}/calendar",
            auth: Auth::Token,
        },
        action: "RevokeCalendar",
        audit: "calendar.revoke",
        needs: KEEPING,
    };
    type Subject = PatientId;
    type Input = ();
    type Output = RevokedCalendar;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// The calendar at a secret address, for programs that cannot sign in.
pub struct ReadCalendar;

impl Operation for ReadCalendar {
    const SPEC: &'static Spec = &Spec {
        id: "read-calendar",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/calendars/{address}/appointments.ics",
            auth: Auth::Open,
        },
        action: "ReadCalendar",
        audit: "calendar.read",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadCalendars,
            ReadPatients,
            ReadAppointments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = Portal;
    /// None for what is no address: the answer is that of a wrong one.
    type Input = Option<Address>;
    type Output = CalendarFile;

    const MEDIA_TYPE: &'static str = CalendarFile::MEDIA_TYPE;

    fn parse(request: &Request) -> Result<Option<Address>, Problem> {
        request.no_query()?;
        let address: String = request.path("address")?;
        Ok(Address::read(&address))
    }

    fn content(file: &CalendarFile) -> Result<Content, Fault> {
        Ok(file.content("appointments.ics"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_proves_itself_and_no_other() {
        let calendar = CalendarId::new(Uuid::nil());
        let [one, other] = [(); 2].map(|()| Address::new(calendar).unwrap());
        let path = one.path();
        let text = path.split('/').nth(3).unwrap();
        assert_eq!(text.len(), 64);
        let read = Address::read(text).unwrap();
        assert_eq!(read.calendar, calendar);
        assert!(read.is_proven_by(&one.proof()));
        assert!(!read.is_proven_by(&other.proof()) && !read.is_proven_by(b""));
        for wrong in [
            "",
            "a",
            &text[1..],
            &format!("{text}A"),
            &text.replace(&text[..1], "*"),
        ] {
            assert!(Address::read(wrong).is_none(), "{wrong}");
        }
    }
}
