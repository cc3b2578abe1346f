//! The integration tests, as one binary: every operation with the real AWS clients against the
//! emulator, the policy and the template against the code, and the journey on a deployed stack.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(unreachable_pub, reason = "a test binary has no callers")]

mod access_matrix;
mod accounting;
mod accounts;
mod administration;
mod amendments;
mod appointments;
mod archive;
mod attempts;
mod audit_coverage;
mod audit_log;
mod bad_input;
mod calendars;
mod canary;
mod care;
mod chaos;
mod docs;
mod documents;
mod email_change;
mod emergencies;
mod exports;
mod harness;
mod hpke;
mod import;
mod labs;
mod messages;
mod misuse;
mod prescriptions;
mod profile;
mod proxies;
mod realtime;
mod record_access;
mod reminders;
mod round_trips;
mod sessions;
mod template;
mod template_conditions;
mod watch;
