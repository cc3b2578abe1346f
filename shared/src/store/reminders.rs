//! Who is to be reminded of which appointment, and who was. The index `by-day` of the schedule table has
//! the appointments that take place; `REMINDERS#<day>` a row `<lead>#<start>#<appointment>` for each
//! reminder that was taken on.
//!
//! A reminder is taken on by a row that only one can make, and sent after that. What is known not to
//! have been sent is free to be taken on again; what may have been sent stays taken. So nobody is
//! reminded twice, and whoever's reminder was on its way when the function ended is not reminded.

use super::appointments::{TORN, day_of};
use super::schedule::TABLE;
use super::{
    Accounts, Appointments, Booked, Item, PatientContext, Patients, SealedRow, Status, n, s,
    sortable, string,
};
use crate::Fault;
use crate::access::Unproven;
use crate::api::Category;
use crate::aws::{Aws, Resource, fault};
use crate::ids::{AppointmentId, PatientId};
use crate::phi::{DataKeys, Opener};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

const BY_DAY: &str = "by-day";

/// How long a row is kept after its appointment began.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// How long before an appointment a reminder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    Week,
    Day,
}

impl Lead {
    pub const ALL: [Self; 2] = [Self::Week, Self::Day];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Day => "day",
        }
    }

    pub const fn before(self) -> SignedDuration {
        match self {
            Self::Week => SignedDuration::from_hours(7 * 24),
            Self::Day => SignedDuration::from_hours(24),
        }
    }

    /// How much later it may still be sent: a night, and some hours without a mail service.
    const fn late(self) -> SignedDuration {
        match self {
            Self::Week => SignedDuration::from_hours(24),
            Self::Day => SignedDuration::from_hours(18),
        }
    }
}

/// A reminder that is due and that nobody has taken on.
#[derive(Debug, Clone)]
pub struct Due {
    pub lead: Lead,
    pub patient: PatientId,
    pub appointment: AppointmentId,
    pub start: Timestamp,
}

impl Due {
    fn from_item(lead: Lead, item: Item) -> Result<Self, Fault> {
        let row = SealedRow::new(TABLE, item);
        let starts = row
            .string("starts")
            .and_then(|starts| starts.split_once('#'));
        let (start, appointment) = starts.ok_or(TORN)?;
        Ok(Self {
            lead,
            patient: row.patient()?,
            appointment: appointment.parse().map_err(|_| TORN)?,
            start: start.parse().map_err(|_| TORN)?,
        })
    }

    /// Of an appointment that moves there is a reminder for each of its times.
    fn sk(&self) -> String {
        let start = sortable(self.start);
        format!("{}#{start}#{}", self.lead.as_str(), self.appointment)
    }
}

/// What there is to know before anybody is reminded.
pub struct Recipient {
    /// None if it does not take place at that time any more.
    pub booked: Option<Booked>,
    /// Can anybody sign in to see it: the patient, or somebody who acts for them?
    pub is_reached: bool,
    context: PatientContext,
}

/// Reminders of appointments.
pub struct Reminders {
    appointments: Appointments,
    accounts: Accounts,
    patients: Patients,
    keys: DataKeys,
}

impl Reminders {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            appointments: Appointments::new(aws)?,
            accounts: Accounts::new(aws)?,
            patients: Patients::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
        })
    }

    /// Those that are due now.
    pub async fn due(&self, lead: Lead, now: Timestamp) -> Result<Vec<Due>, Fault> {
        const TIME: Fault = Fault::Defect("a week from now");
        let to = now.checked_add(lead.before()).map_err(|_| TIME)?;
        let from = to.checked_sub(lead.late()).map_err(|_| TIME)?;
        let mut due = Vec::new();
        let mut day = from.to_zoned(TimeZone::UTC).date();
        while day <= to.to_zoned(TimeZone::UTC).date() {
            let (starting, taken) =
                tokio::try_join!(self.starting(lead, day, from, to), self.taken(lead, day))?;
            due.extend(
                starting
                    .into_iter()
                    .filter(|one| !taken.contains(&one.sk())),
            );
            day = day.tomorrow().map_err(|_| TIME)?;
        }
        Ok(due)
    }

    /// The appointments of a day that begin in a span. The index is a moment late.
    async fn starting(
        &self,
        lead: Lead,
        day: Date,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Due>, Fault> {
        let schedule = &self.appointments.schedule;
        let mut pages = schedule
            .client
            .query()
            .table_name(&schedule.table)
            .index_name(BY_DAY)
            .key_condition_expression("#day = :day AND starts BETWEEN :from AND :to")
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":day", s(day.to_string()))
            .expression_attribute_values(":from", s(sortable(from)))
            .expression_attribute_values(":to", s(sortable(to)))
            .into_paginator()
            .items()
            .send();
        let mut due = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| fault("DynamoDB", &error))?;
            due.push(Due::from_item(lead, item)?);
        }
        Ok(due)
    }

    /// The keys of those of a day that were taken on, and not known to have failed.
    async fn taken(&self, lead: Lead, day: Date) -> Result<BTreeSet<String>, Fault> {
        let schedule = &self.appointments.schedule;
        let mut pages = schedule
            .client
            .query()
            .table_name(&schedule.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :lead)")
            .expression_attribute_values(":pk", s(key(&day.to_string())))
            .expression_attribute_values(":lead", s(format!("{}#", lead.as_str())))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut taken = BTreeSet::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| fault("DynamoDB", &error))?;
            if string(&item, "state") == Some(TAKEN) {
                taken.extend(string(&item, "sk").map(str::to_owned));
            }
        }
        Ok(taken)
    }

    /// What there is to know, as it is at this moment.
    pub async fn recipient(&self, due: &Due, now: Timestamp) -> Result<Recipient, Fault> {
        let whose = Unproven::new(due.patient);
        let (row, context, account) = tokio::try_join!(
            self.appointments.booked(&whose, due.appointment),
            self.patients.context(&whose),
            self.account_is_active(due.patient),
        )?;
        let booked = row.as_ref().map(Booked::from_row).transpose()?;
        let proxied = context.proxies().iter().any(|proxy| {
            let appointments = Category::Appointments.as_str();
            proxy.until.is_none_or(|until| now < until)
                && proxy.categories.iter().any(|name| name == appointments)
        });
        Ok(Recipient {
            booked: booked.filter(|booked| booked.status.is_open() && booked.start == due.start),
            is_reached: account || proxied,
            context,
        })
    }

    async fn account_is_active(&self, patient: PatientId) -> Result<bool, Fault> {
        let Some(account) = self.patients.account_of(patient).await? else {
            return Ok(false);
        };
        let row = self.accounts.account(account).await?;
        Ok(row.is_some_and(|row| row.status == Status::Active))
    }

    /// Takes a reminder on; false if another run did.
    pub async fn take(&self, due: &Due, now: Timestamp) -> Result<bool, Fault> {
        let put = self.put(due, TAKEN, now)?;
        let put = put
            .condition_expression("attribute_not_exists(pk) OR #state = :failed")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":failed", s(FAILED))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(fault("DynamoDB", &error)),
        }
    }

    /// Nothing was sent: the next run may take it on.
    pub async fn give_back(&self, due: &Due, now: Timestamp) -> Result<(), Fault> {
        let put = self.put(due, FAILED, now)?.send().await;
        put.map_err(|error| fault("DynamoDB", &error))?;
        Ok(())
    }

    fn put(
        &self,
        due: &Due,
        state: &str,
        now: Timestamp,
    ) -> Result<aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder, Fault> {
        let schedule = &self.appointments.schedule;
        let forgotten = due.start.as_second() + FORGOTTEN.as_secs();
        Ok(schedule
            .client
            .put_item()
            .table_name(&schedule.table)
            .item("pk", s(key(&day_of(due.start))))
            .item("sk", s(due.sk()))
            .item("state", s(state))
            .item("at", s(now.to_string()))
            .item("expires_at", n(forgotten)))
    }

    /// What opens the patient's profile, to learn how to reach them. The audit record of it comes first.
    pub async fn opener(
        &self,
        _: &crate::audit::Receipt,
        due: &Due,
        recipient: Recipient,
    ) -> Result<Opener, Fault> {
        let context = recipient.context;
        let wrapped = context
            .wrapped_key()
            .ok_or(Fault::Corrupt("the patient has no data key"))?;
        Ok(Opener {
            key: Some(self.keys.unwrap(due.patient, wrapped).await?),
            context,
            caller: None,
        })
    }
}

const TAKEN: &str = "taken";
const FAILED: &str = "failed";

fn key(day: &str) -> String {
    format!("REMINDERS#{day}")
}
