//! Cursors of paged lists. A cursor holds a sort key, and with it a date of the record, which must
//! not stand in a URL: it is sealed, and opens only in the session, for the operation and the
//! patient that it was made for.

use super::{Problem, Request};
use crate::Fault;
use crate::phi::{DataKey, Place, open, seal};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Makes and reads the cursors of one request.
pub struct Cursor {
    key: DataKey,
    patient: String,
    operation: &'static str,
}

impl Cursor {
    /// The session is the secret: its id is known to the token's holder, and not to who sees a URL.
    pub fn of(request: &Request, operation: &'static str) -> Result<Self, Problem> {
        let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
        let secret = digest::digest(&digest::SHA256, claims.origin.as_bytes());
        let patient = request.path.iter().find(|(name, _)| name == "patient");
        Ok(Self {
            key: DataKey::new(secret.as_ref())?,
            patient: patient.map(|(_, id)| id.clone()).unwrap_or_default(),
            operation,
        })
    }

    fn place(&self) -> Place<'_> {
        Place {
            table: "cursor",
            pk: &self.patient,
            sk: self.operation,
            attribute: "after",
        }
    }

    pub fn write(&self, sort_key: &str) -> Result<String, Fault> {
        Ok(URL_SAFE_NO_PAD.encode(seal(&self.key, &self.place(), sort_key.as_bytes())?))
    }

    pub fn read(&self, cursor: &str) -> Result<String, Problem> {
        self.read_at("query/cursor", cursor)
    }

    /// The same for a cursor that stands elsewhere in the request.
    pub fn read_at(&self, pointer: &'static str, cursor: &str) -> Result<String, Problem> {
        let opened = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|sealed| open(&self.key, &self.place(), &sealed).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        opened.ok_or_else(|| {
            Problem::field(
                pointer,
                "must be the next_cursor of a former page; after signing in again, start over",
            )
        })
    }
}
