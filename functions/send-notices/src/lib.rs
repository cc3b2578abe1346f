//! Tells those who have not read a message for some minutes that there is one, by mail or text message
//! as they chose. It says nothing else: who wrote, of whom and what, is for who signs in.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::Fault;
use shared::api::events::Event;
use shared::api::notices::SEND_NOTICES;
use shared::api::profile::Channel;
use shared::audit::{Audit, Outcome, Receipt, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::identity::Users;
use shared::ids::PatientId;
use shared::mail::Mailer;
use shared::outside::{MESSAGE, may_have_arrived, waking};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Audience, Notice, Notices, Preferences};
use shared::telemetry;
use shared::texts::Texts;

/// What was not sent is tried again after this time.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

struct Handler<C> {
    notices: Notices,
    audience: Audience,
    preferences: Preferences,
    users: Users,
    mailer: Mailer,
    texts: Texts,
    audit: Audit,
    practice: Practice,
    clock: C,
}

/// What becomes of a notice that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sent,
    /// There is no way that they chose.
    Settled,
    /// Their phone would ring at night.
    PutOff(Timestamp),
}

impl<C: Fn() -> Timestamp + Send + Sync + 'static> Handle for Handler<C> {
    async fn handle(&self, _: Value, record: &mut Record) -> Result<Handled, Fault> {
        let now = (self.clock)();
        let (mut sent, mut not_sent) = (0, 0);
        for notice in self.notices.due(now).await? {
            match self.send(&notice, record, now).await {
                Ok(told) => sent += usize::from(told),
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

impl<C: Fn() -> Timestamp + Send + Sync + 'static> Handler<C> {
    /// Sends one, to who may still read the message and wants to hear of it so. It is taken first: what
    /// may have arrived is not sent again, and of two runs one sends.
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
        let record = |outcome| Record {
            resource: Some(notice.account.to_string()),
            ..run.about(notice.patient, outcome)
        };
        let receipt = self.audit.write(&record(Outcome::Success)).await?;
        match self.tell(notice, row.patient, receipt, run, now).await {
            Ok(Fate::PutOff(until)) => {
                self.notices.put_off(notice, until).await?;
                Ok(false)
            }
            Ok(fate) => Ok(fate == Fate::Sent),
            Err(fault) => {
                if !may_have_arrived(fault) {
                    self.notices.put_off(notice, now + AGAIN).await?;
                }
                self.audit.write(&record(Outcome::Failure)).await?;
                Err(fault)
            }
        }
    }

    /// Tells the account by the way that its own profile says, if it is a patient's.
    async fn tell(
        &self,
        notice: &Notice,
        own: Option<PatientId>,
        receipt: Receipt,
        run: &Record,
        now: Timestamp,
    ) -> Result<Fate, Fault> {
        // The record of the notice is the patient's whose thread it is; whoever acts for them has a
        // profile of their own, which is opened as well.
        let profile = match own {
            Some(own) if own == notice.patient => Some(self.preferences.of(&receipt, own).await?),
            Some(own) => {
                let receipt = self.audit.write(&run.about(own, Outcome::Success)).await?;
                Some(self.preferences.of(&receipt, own).await?)
            }
            // A proxy who is no patient of the practice has made no choice.
            None => None,
        };
        if profile.as_ref().is_some_and(|profile| profile.deceased) {
            return Ok(Fate::Settled);
        }
        let chosen = profile
            .as_ref()
            .map_or(Channel::Email, |profile| profile.notifications.messages);
        let details = profile.map(|profile| profile.details);
        let language = details
            .as_ref()
            .and_then(|details| details.preferred_language.as_ref()?.code.as_deref());
        let words = MESSAGE.in_language(language);
        let phone = details
            .as_ref()
            .and_then(|details| details.contact.phone.as_deref());
        match (chosen, phone) {
            (Channel::Email, _) => {
                let address = self.users.address(notice.account).await?.email;
                let text = format!("{}\n", words.text);
                let mail = self.mailer.send_once(&address, words.subject, &text);
                mail.await?;
            }
            (Channel::Sms, Some(phone)) => {
                let morning = waking(self.practice.zone(), now)?;
                if now < morning {
                    return Ok(Fate::PutOff(morning));
                }
                self.texts.send_once(phone, words.text).await?;
            }
            (Channel::Sms | Channel::None, _) => return Ok(Fate::Settled),
        }
        Ok(Fate::Sent)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    service_at(aws, Timestamp::now)
}

/// The same by another clock.
pub fn service_at(
    aws: &Aws,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<Service, Fault> {
    let handler = Handler {
        notices: Notices::new(aws)?,
        audience: Audience::new(aws)?,
        preferences: Preferences::new(aws)?,
        users: Users::new(aws)?,
        mailer: Mailer::new(aws)?,
        texts: Texts::new(aws)?,
        audit: Audit::new(aws)?,
        practice: aws.practice().clone(),
        clock,
    };
    events(aws, &SEND_NOTICES, handler)
}
