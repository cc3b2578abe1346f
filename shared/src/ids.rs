//! The portal's opaque identifiers, a type each, so that one cannot stand in for another.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Text that is not a UUID in its usual form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a UUID such as 7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11")
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            /// Only the hyphenated lower-case form: one id has one spelling.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let id = Uuid::try_parse(text).map_err(|_| NotAnId)?;
                if id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text {
                    Ok(Self(id))
                } else {
                    Err(NotAnId)
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id!(
    /// A patient of the practice, with or without an account.
    PatientId
);
id!(
    /// An account: the subject (`sub`) of its Cognito user.
    AccountId
);
id!(
    /// A practitioner of the practice.
    PractitionerId
);
id!(
    /// A sign-in, and all tokens that descend from it.
    SessionId
);
id!(
    /// What somebody was granted as a patient's proxy.
    ProxyId
);
id!(
    /// An entry of a patient's record.
    RecordId
);
id!(
    /// A request to refill a prescription. Younger ones sort behind older ones.
    RefillId
);
id!(
    /// A request to amend the record. Younger ones sort behind older ones.
    AmendmentId
);
id!(
    /// What a patient's results of one analyte have in common: a MAC under the patient's data key.
    SeriesId
);
id!(
    /// A document: what a patient handed in, or an entry of the record that is one.
    DocumentId
);
id!(
    /// A copy of a patient's record that somebody asked for.
    ExportId
);
id!(
    /// A concern about an access. Younger ones sort behind older ones.
    ConcernId
);
id!(
    /// A patient's appointment.
    AppointmentId
);
id!(
    /// A calendar that follows a patient's appointments for an account.
    CalendarId
);
id!(
    /// A time that is kept for a patient for some minutes.
    HoldId
);
id!(
    /// What a patient waits for: a place on the waitlist.
    WaitlistId
);
id!(
    /// An access to a patient's record: the id of its audit record.
    AccessId
);

impl AccessId {
    /// When the record was made, to the millisecond; none if no record has such an id.
    pub fn made(self) -> Option<Timestamp> {
        let (seconds, nanoseconds) = self.0.get_timestamp()?.to_unix();
        let seconds = i64::try_from(seconds).ok()?;
        Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
    }
}
id!(
    /// A thread of messages, named by the browser that starts it.
    ThreadId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_has_one_spelling() {
        let id = "7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11";
        assert_eq!(id.parse::<PatientId>().unwrap().to_string(), id);
        for other in [
            "7F1C2B7E-3A52-4A0E-9F86-2F5D7A1F6C11",
            "7f1c2b7e3a524a0e9f862f5d7a1f6c11",
            "urn:uuid:7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11",
            "{7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11}",
            "",
            "../../etc",
        ] {
            assert_eq!(other.parse::<PatientId>(), Err(NotAnId), "{other}");
        }
    }
}
