//! DynamoDB as the portal uses it: keys, sealed rows, and changes committed with their audit record.

pub mod accesses;
pub mod accounts;
pub mod administrators;
pub mod appointments;
pub mod audience;
pub mod audit_log;
pub mod break_glass;
pub mod calendars;
pub mod care_team;
pub mod channels;
pub mod concerns;
pub mod directory;
pub mod disclosures;
pub mod document_buckets;
pub mod documents;
pub mod email_changes;
pub mod entries;
pub mod exports;
pub mod find_index;
pub mod holds;
pub mod import_bucket;
pub mod imports;
pub mod message_keys;
pub mod notices;
pub mod objects;
pub mod panel;
pub mod patients;
pub mod proxies;
pub mod records;
pub mod reminders;
pub mod requests;
pub mod roster;
pub mod schedule;
pub mod suspensions;
pub mod threads;
pub mod waitlist;
pub mod watches;

pub use accesses::{AccessLog, AccessNotes, AccessRecord, Emergency, Position, Range, ReportRow};
pub use accounts::{
    AccountRow, Accounts, Activation, ActivationRow, Allowance, Codes, Session, Status, Turn,
};
pub use administrators::{Administrators, Approval, Consent};
pub use appointments::{Appointments, AppointmentsPage, Booked, HeldSlot, Kept, NewState, Taking};
pub use audience::Audience;
pub use audit_log::{AuditLog, RecordsFound, StoredRecord};
pub use break_glass::Hour;
pub use calendars::{CalendarReader, Calendars, Followed};
pub use care_team::{CareTeamMember, Membership, Particulars};
pub use channels::{Channels, Connection, EVENTS_AT_ONCE, EventPage};
pub use concerns::{Casebook, Concerns};
pub use directory::{Change, Colleague, Directory, Listed};
pub use disclosures::{DisclosureHour, PracticeKeyAdmissions};
pub use document_buckets::{Admitted, DocumentFiles, Quarantine, file_key, key_of_file};
pub use documents::{Announced, Claim, Claimed, Documents, KeptFile, Quota, Uploads};
pub use email_changes::{EmailChange, EmailChanges};
pub use entries::{EntryKey, NewEntry, Stored, report_digest};
pub use exports::{Begun, Exports, ExportsBucket, Made, WholeRecord};
pub use find_index::Sought;
pub use holds::{Hold, HoldPage, Holds};
pub use import_bucket::ImportBucket;
pub use imports::{CareTeamRow, Imports, KnownNumber, Member, NewPatient, Standing};
pub use message_keys::{Admission, MessageKeys, PrivateKey};
pub use notices::{Notice, Notices, Preferences};
pub use objects::Opened;
pub use panel::Panel;
pub use patients::{
    AppointmentTie, Basis, BreakGlass, Disclosure, ImportState, PatientContext, Patients, Proxy,
};
pub use proxies::{Proxied, ProxiedPage, Proxies, ProxyIndex};
pub use records::{
    Counts, Entries, LinkedPractitioner, LinkedReport, Links, Records, Section, Span, StoredEntry,
};
pub use reminders::{Due, Lead, Recipient, Reminders};
pub use requests::{Asked, Requests, WorkList};
pub use roster::Roster;
pub use schedule::{Offer, ProvidersPage, Schedule, SchedulePage, StoredAvailability, Taken};
pub use threads::{Beginning, Inbox, Outgoing, SentBefore, SentBy, ThreadPage, ThreadRow, Threads};
pub use waitlist::{Entry, NextInTurn, Offered, Opening, Waiting, Waitlist, kept_until};
pub use watches::{Tally, Watches};

use crate::aws::fault;
use crate::http::Problem;
use crate::phi::{Opener, Place};
use crate::{Fault, Reason};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, WriteRequest};
use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// The attribute that holds everything that is PHI and not a key.
pub const SEALED: &str = "sealed";

/// One write of a change, and what to answer if its condition does not hold.
pub struct Write {
    pub item: TransactWriteItem,
    pub conflict: Problem,
}

/// A row of a patient's partition whose content is sealed.
#[derive(Clone)]
pub struct SealedRow {
    pub(crate) table: &'static str,
    pub(crate) item: Item,
}

impl SealedRow {
    pub const fn new(table: &'static str, item: Item) -> Self {
        Self { table, item }
    }

    /// The sort key.
    pub fn sk(&self) -> Result<&str, Fault> {
        string(&self.item, "sk").ok_or(Fault::Corrupt("a row without a sort key"))
    }

    /// Whose row it is.
    pub fn patient(&self) -> Result<crate::ids::PatientId, Fault> {
        let pk = string(&self.item, "pk").and_then(|pk| pk.strip_prefix("PATIENT#"));
        pk.and_then(|id| id.parse().ok())
            .ok_or(Fault::Corrupt("a row that is no patient's"))
    }

    /// A plain attribute.
    pub fn string(&self, name: &str) -> Option<&str> {
        string(&self.item, name)
    }

    /// A plain attribute that may be missing, and is not to be anything else than a `T`.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        self.string(name)
            .map(str::parse)
            .transpose()
            .map_err(|_| Fault::Corrupt("an attribute of a row"))
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        number(&self.item, name)
    }

    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        bytes(&self.item, name)
    }

    /// Opens the sealed content.
    pub fn open(&self, opener: &Opener) -> Result<Vec<u8>, Fault> {
        let place = Place {
            table: self.table,
            pk: string(&self.item, "pk").ok_or(Fault::Corrupt("a row without a key"))?,
            sk: self.sk()?,
            attribute: SEALED,
        };
        let sealed =
            bytes(&self.item, SEALED).ok_or(Fault::Corrupt("a row without sealed content"))?;
        opener.open(&place, sealed)
    }
}

pub(crate) fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(crate) fn bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    item.get(name)?.as_b().ok().map(AsRef::as_ref)
}

pub(crate) fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[expect(clippy::needless_pass_by_value, reason = "numbers are copied")]
pub(crate) fn n(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn b(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(value))
}

/// How many writes one call of DynamoDB's BatchWriteItem takes.
pub const BATCH: usize = 25;

/// How often a batch is sent again that DynamoDB did not take whole. The waits add up to 13 s.
const ATTEMPTS: u32 = 9;

/// Writes up to [`BATCH`] items. A partition takes 1,000 write units a second: whatever DynamoDB
/// sends back is sent again, later and later.
pub(crate) async fn write_batch(
    client: &Client,
    table: &str,
    mut left: Vec<WriteRequest>,
) -> Result<(), Fault> {
    const THROTTLED: Fault = Fault::Unavailable {
        service: "DynamoDB",
        reason: Reason::Throttled,
    };
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(50) * 2_u32.pow(attempt - 1)).await;
        }
        let answer = client
            .batch_write_item()
            .request_items(table, left.clone())
            .send()
            .await;
        left = match answer {
            Ok(answer) => answer
                .unprocessed_items
                .and_then(|mut tables| tables.remove(table))
                .unwrap_or_default(),
            Err(error) => match fault("DynamoDB", &error) {
                THROTTLED => left,
                other => return Err(other),
            },
        };
        if left.is_empty() {
            return Ok(());
        }
    }
    Err(THROTTLED)
}

/// Stands for an unknown clinical time: before every time that FHIR can write, so that what has it
/// comes last in a list that begins with the newest.
pub const TIME_UNKNOWN: &str = "0000-01-01T00:00:00.000Z";

/// The partition of a patient, in every table that has one.
pub(crate) fn patient_key(patient: crate::ids::PatientId) -> String {
    format!("PATIENT#{patient}")
}

/// An instant as it stands in keys: UTC, to the millisecond, so that text sorts as time.
pub fn sortable(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
