//! Protected health information (45 CFR 160.103) and the only way out of the process for it.
//!
//! What a store reads is [`Sealed`]: ciphertext and the knowledge of how to open it. It opens only
//! in the pipeline, into [`Phi`], which cannot be printed, serialized or looked into. A
//! [`Receipt`] of the audit log turns it into the response.

mod envelope;
mod index;
mod keys;
mod private_keys;

pub use envelope::{DataKey, Place, blind_id, digest, open, seal};
pub use index::{BlindIndex, Term};
pub use keys::DataKeys;
pub use private_keys::PrivateKeys;

use crate::Fault;
use crate::access::Caller;
use crate::audit::Receipt;
use crate::store::PatientContext;
use futures_util::future::{BoxFuture, TryFutureExt, ready};
use std::sync::Arc;

/// A value with PHI in it: no Debug, no Display, no Serialize, no public field.
pub struct Phi<T>(T);

impl<T> Phi<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Makes one value of PHI into another, without letting go of it.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Phi<U> {
        Phi(change(self.0))
    }

    /// Hands the value over for the response: a receipt proves that the access is in the audit log.
    pub fn disclose(self, _receipt: &Receipt) -> T {
        self.0
    }
}

/// What opens sealed values of one patient: their data key and the context rows around it.
pub struct Opener {
    pub(crate) key: Option<Arc<DataKey>>,
    pub(crate) context: PatientContext,
    pub(crate) caller: Option<Caller>,
}

impl Opener {
    pub(crate) fn key(&self) -> Result<&DataKey, Fault> {
        self.key
            .as_deref()
            .ok_or(Fault::Corrupt("the patient has no data key"))
    }

    /// The patient's rows: profile, contact, care team.
    pub const fn context(&self) -> &PatientContext {
        &self.context
    }

    /// Who asks, if anybody is signed in.
    pub const fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Opens one sealed attribute of a row.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        open(self.key()?, place, sealed)
    }

    /// Seals one attribute of a row of this patient.
    pub fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Fault> {
        seal(self.key()?, place, plaintext)
    }
}

type Opening<T> = Box<dyn FnOnce(&Opener) -> Result<T, Fault> + Send>;

/// What a read found, still sealed: nothing can be learned from it before it is opened.
pub struct Sealed<T> {
    found: BoxFuture<'static, Result<Found<T>, Fault>>,
    pub(crate) keyed: bool,
}

/// All of what a read found.
pub(crate) struct Found<T>(Opening<T>);

impl<T> Found<T> {
    pub(crate) fn open(self, opener: &Opener) -> Result<Phi<T>, Fault> {
        (self.0)(opener).map(Phi)
    }
}

impl<T: Send + 'static> Sealed<T> {
    /// Rows that open with the patient's data key.
    pub fn new(opening: impl FnOnce(&Opener) -> Result<T, Fault> + Send + 'static) -> Self {
        let found = Found(Box::new(opening));
        Self {
            found: Box::pin(ready(Ok(found))),
            keyed: true,
        }
    }

    /// An answer that needs no data key.
    pub fn unkeyed(opening: impl FnOnce(&Opener) -> Result<T, Fault> + Send + 'static) -> Self {
        Self {
            keyed: false,
            ..Self::new(opening)
        }
    }

    /// An answer that needs no data key, and of which what was found so far only says where it is: it
    /// is fetched while the audit record is written, once the policy has permitted it.
    pub fn unkeyed_after(rest: impl Future<Output = Result<T, Fault>> + Send + 'static) -> Self {
        let found = rest.map_ok(|answer| {
            let opening: Opening<T> = Box::new(move |_| Ok(answer));
            Found(opening)
        });
        Self {
            found: Box::pin(found),
            keyed: false,
        }
    }

    pub(crate) async fn found(self) -> Result<Found<T>, Fault> {
        self.found.await
    }
}
