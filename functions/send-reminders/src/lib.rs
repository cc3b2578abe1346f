//! Reminds patients of their appointments, a week and a day before, by e-mail or text message as they
//! chose.

mod texts;
mod words;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use shared::api::appointments::Status;
use shared::api::profile::{Channel, Profile};
use shared::api::reminders::SEND_REMINDERS;
use shared::audit::{Audit, Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::mail::Mailer;
use shared::phi::Opener;
use shared::serve::Service;
use shared::store::{Booked, Due, Lead, Recipient, Reminders};
use shared::{Fault, Reason, telemetry};
use std::ops::Range;
use std::time::{Duration, Instant};
use texts::Texts;

/// The hours of the day, where the appointment is, in which a phone may ring.
const WAKING: Range<i8> = 8..20;

/// How long a run goes on before it leaves the rest to the next: Lambda ends one after 15 minutes.
const BUDGET: Duration = Duration::from_secs(12 * 60);

/// Reminders seen to at a time. SES begins with one mail a second; what it refuses is tried again by
/// the next run.
const AT_ONCE: usize = 4;

struct Handler<C> {
    reminders: Reminders,
    mailer: Mailer,
    texts: Texts,
    audit: Audit,
    clock: C,
}

/// What became of a reminder that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sent,
    /// There is nobody to remind, or no way that they chose.
    Settled,
    /// It is not the time for it, or not a reminder any more.
    Left,
    Failed,
}

impl<C: Fn() -> Timestamp + Send + Sync + 'static> Handle for Handler<C> {
    async fn handle(&self, _: Value, record: &mut Record) -> Result<Handled, Fault> {
        let started = Instant::now();
        let (mut sent, mut failed, mut complete) = (0, 0, true);
        for lead in Lead::ALL {
            let due = self.reminders.due(lead, (self.clock)()).await?;
            let mut fates = stream::iter(due)
                .map(|due| self.try_to_remind(due, record))
                .buffer_unordered(AT_ONCE);
            while let Some(fate) = fates.next().await {
                sent += usize::from(fate == Fate::Sent);
                failed += usize::from(fate == Fate::Failed);
                if started.elapsed() > BUDGET {
                    complete = false;
                    break;
                }
            }
        }
        for _ in 0..sent {
            telemetry::count(SEND_REMINDERS.id, "RemindersSent");
        }
        for _ in 0..failed {
            telemetry::count(SEND_REMINDERS.id, "RemindersFailed");
        }
        Ok(Handled {
            answer: json!({"sent": sent, "failed": failed, "complete": complete}),
            writes: Vec::new(),
            outcome: Outcome::Success,
            reason: None,
        })
    }
}

impl<C: Fn() -> Timestamp + Send + Sync + 'static> Handler<C> {
    /// Whatever goes wrong with one, the others are seen to.
    async fn try_to_remind(&self, due: Due, run: &Record) -> Fate {
        match self.remind(&due, run).await {
            Ok(fate) => fate,
            Err(fault) => {
                tracing::error!(request_id = %run.request_id, %fault, "a reminder failed");
                Fate::Failed
            }
        }
    }

    async fn remind(&self, due: &Due, run: &Record) -> Result<Fate, Fault> {
        let now = (self.clock)();
        let recipient = self.reminders.recipient(due, now).await?;
        let is_for_now = match &recipient.booked {
            Some(booked) => is_due(due, booked) && is_waking(booked, now)?,
            None => false,
        };
        if !is_for_now || !self.reminders.take(due, now).await? {
            return Ok(Fate::Left);
        }
        if !recipient.is_reached {
            return Ok(Fate::Settled);
        }
        let mut record = run.about(due.patient, Outcome::Success);
        record.resource = Some(due.appointment.to_string());
        let told = self.tell(due, recipient, &record).await;
        let Err(fault) = told else {
            return told;
        };
        // What got no answer may have arrived; anything else has not.
        let maybe = matches!(
            fault,
            Fault::Unavailable {
                reason: Reason::TimedOut,
                service: "SES" | "SNS",
            }
        );
        if !maybe {
            self.reminders.give_back(due, now).await?;
        }
        let mut record = run.about(due.patient, Outcome::Failure);
        record.resource = Some(due.appointment.to_string());
        record.reason = Some("unavailable");
        self.audit.write(&record).await?;
        Err(fault)
    }

    async fn tell(&self, due: &Due, recipient: Recipient, record: &Record) -> Result<Fate, Fault> {
        let receipt = self.audit.write(record).await?;
        let opener: Opener = self.reminders.opener(&receipt, due, recipient).await?;
        let profile = Profile::open(due.patient, &opener)?;
        if profile.deceased {
            return Ok(Fate::Settled);
        }
        let language = profile.details.preferred_language.as_ref();
        let words = words::of(language.and_then(|language| language.code.as_deref()));
        let contact = &profile.details.contact;
        match (
            profile.notifications.appointments,
            &contact.email,
            &contact.phone,
        ) {
            (Channel::Email, Some(address), _) => {
                let text = format!("{}\n", words.text);
                self.mailer.send_once(address, words.subject, &text).await?;
            }
            (Channel::Sms, _, Some(phone)) => {
                let number = texts::e164(phone);
                self.texts.send_once(&number, words.text).await?;
            }
            _ => return Ok(Fate::Settled),
        }
        Ok(Fate::Sent)
    }
}

/// Was there such an appointment when the reminder became due? Whoever made it later knows of it.
fn is_due(due: &Due, booked: &Booked) -> bool {
    let mut steps = booked.transitions.iter().rev();
    let scheduled = steps.find(|step| step.status == Status::Scheduled);
    scheduled.is_some_and(|step| booked.start.duration_since(step.at) >= due.lead.before())
}

/// Are people up, where the appointment is?
fn is_waking(booked: &Booked, now: Timestamp) -> Result<bool, Fault> {
    let zone = TimeZone::get(&booked.time_zone).map_err(|_| Fault::Corrupt("a time zone"))?;
    Ok(WAKING.contains(&now.to_zoned(zone).hour()))
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
        reminders: Reminders::new(aws)?,
        mailer: Mailer::new(aws)?,
        texts: Texts::new(aws)?,
        audit: Audit::new(aws)?,
        clock,
    };
    events(aws, &SEND_REMINDERS, handler)
}
