//! Mails those who have not read a message for some minutes that there is one. The mail says nothing
//! else: who wrote, of whom and what, is for who signs in.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::Fault;
use shared::api::events::Event;
use shared::api::notices::SEND_NOTICES;
use shared::api::profile::Channel;
use shared::audit::{Audit, Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::identity::Users;
use shared::mail::Mailer;
use shared::serve::Service;
use shared::store::{Audience, Notice, Notices, Preferences};
use shared::telemetry;

const SUBJECT: &str = "You have a new message";
const TEXT: &str = "You have a new message. Sign in to read it.\n";

struct Handler {
    notices: Notices,
    audience: Audience,
    preferences: Preferences,
    users: Users,
    mailer: Mailer,
    audit: Audit,
}

impl Handle for Handler {
    async fn handle(&self, _: Value, record: &mut Record) -> Result<Handled, Fault> {
        let now = Timestamp::now();
        let (mut sent, mut not_sent) = (0, 0);
        for notice in self.notices.due(now).await? {
            match self.send(&notice, record, now).await {
                Ok(mailed) => sent += usize::from(mailed),
                Err(fault) => {
                    tracing::error!(%fault, "a notice was not sent");
                    telemetry::count(SEND_NOTICES.id, "MessageNoticesNotSent");
                    not_sent += 1;
                }
            }
        }
        Ok(Handled {
            answer: json!({"sent": sent, "not_sent": not_sent}),
            writes: Vec::new(),
            outcome: Outcome::Success,
            reason: None,
        })
    }
}

impl Handler {
    /// Sends one, to who may still read the message and wants to hear of it so. It is taken first: a
    /// mail that is lost is not sent again within the hour, and none is sent twice.
    async fn send(&self, notice: &Notice, run: &Record, now: Timestamp) -> Result<bool, Fault> {
        let event = Event::MessageNew {
            patient: notice.patient,
            thread: notice.thread,
        };
        if !self.notices.take(notice, now).await? {
            return Ok(false);
        }
        let Some(row) = self.audience.has(notice.account, &event, now).await? else {
            return Ok(false);
        };
        // A proxy who is no patient of the practice has made no choice.
        if let Some(patient) = row.patient
            && self.preferences.of(patient).await?.messages != Channel::Email
        {
            return Ok(false);
        }
        let address = self.users.address(notice.account).await?;
        let told = Record {
            resource: Some(notice.account.to_string()),
            ..run.about(notice.patient, Outcome::Success)
        };
        self.audit.write(&told).await?;
        if let Err(fault) = self.mailer.send(&address.email, SUBJECT, TEXT).await {
            let not_told = Record {
                resource: told.resource,
                ..run.about(notice.patient, Outcome::Failure)
            };
            self.audit.write(&not_told).await?;
            return Err(fault);
        }
        Ok(true)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &SEND_NOTICES,
        Handler {
            notices: Notices::new(aws)?,
            audience: Audience::new(aws)?,
            preferences: Preferences::new(aws)?,
            users: Users::new(aws)?,
            mailer: Mailer::new(aws)?,
            audit: Audit::new(aws)?,
        },
    )
}
