//! `CALENDAR#<calendar>` rows of the accounts table: whose appointments a calendar shows, for whom, and
//! what its address is proven by.

use super::{
    AccountRow, Accounts, Appointments, Basis, Booked, Item, PatientContext, Patients, Status,
    Write, b, bytes, s, string,
};
use crate::Fault;
use crate::access::{Access, Decision, Permitted, Policies, Principal, Unproven};
use crate::api::Operation;
use crate::api::calendars::{Address, OpenCalendar, calendar_of};
use crate::api::profile::Profile;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, CalendarId, PatientId};
use crate::phi::{DataKeys, Opener};
use crate::practice::Practice;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How long an appointment stays in a calendar after its time, or after the time that it would have had.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The calendars that accounts keep.
pub struct Calendars {
    client: Client,
    table: String,
}

impl Calendars {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::AccountsTable)?,
        })
    }

    /// The write that puts the caller's calendar of the patient at an address.
    pub fn open(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        address: &Address,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let (account, patient) = (access.account(), access.patient());
        let mut put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(key(address.calendar)))
            .item("account", s(account.to_string()))
            .item("patient", s(patient.to_string()))
            .item("proof", b(address.proof()))
            .item("opened_at", s(now.to_string()));
        // What ends with a grant does not come back with another one.
        if let Some(proxy) = opener.context().proxy(account) {
            put = put.item("grant", s(proxy.grant.to_string()));
        }
        let put = put.build().map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// The write that ends it, if there is one.
    pub fn revoke(&self, access: &Access<PatientId>) -> Result<Write, Fault> {
        let calendar = calendar_of(access.account(), access.patient());
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", s(key(calendar)))
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        Ok(Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// What is at an address; none if it is a wrong one, whatever is wrong with it.
    async fn at(&self, address: &Address) -> Result<Option<Row>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(key(address.calendar)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let row = answer.item.as_ref().map(Row::from_item).transpose()?;
        Ok(row.filter(|row| address.is_proven_by(&row.proof)))
    }
}

fn key(calendar: CalendarId) -> String {
    format!("CALENDAR#{calendar}")
}

struct Row {
    account: AccountId,
    patient: PatientId,
    grant: Option<Uuid>,
    proof: Vec<u8>,
}

impl Row {
    fn from_item(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a calendar's row");
        let text = |name| string(item, name);
        let grant = text("grant").map(str::parse).transpose();
        Ok(Self {
            account: text("account").and_then(|id| id.parse().ok()).ok_or(TORN)?,
            patient: text("patient").and_then(|id| id.parse().ok()).ok_or(TORN)?,
            grant: grant.map_err(|_| TORN)?,
            proof: bytes(item, "proof").ok_or(TORN)?.to_vec(),
        })
    }
}

/// A calendar as it may be shown.
pub struct Followed {
    pub account: AccountRow,
    pub patient: PatientId,
    /// What permits it to the account at this moment.
    pub permitted: Permitted,
    pub appointments: Vec<Booked>,
}

/// Reads calendars by their addresses. An address is not more than its account: whether that may open
/// such a calendar is asked each time.
pub struct CalendarReader {
    calendars: Calendars,
    accounts: Accounts,
    patients: Patients,
    appointments: Appointments,
    keys: DataKeys,
    practice: Practice,
}

impl CalendarReader {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            calendars: Calendars::new(aws)?,
            accounts: Accounts::new(aws)?,
            patients: Patients::new(aws)?,
            appointments: Appointments::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
            practice: aws.practice().clone(),
        })
    }

    /// What is at an address and may be shown there.
    pub async fn read(&self, address: &Address, now: Timestamp) -> Result<Option<Followed>, Fault> {
        let Some(row) = self.calendars.at(address).await? else {
            return Ok(None);
        };
        let whose = Unproven::new(row.patient);
        let since = now.checked_sub(KEPT).unwrap_or(now);
        let (account, context, appointments) = tokio::try_join!(
            self.accounts.account(row.account),
            self.patients.context(&whose),
            self.appointments.since(&whose, since),
        )?;
        let account = account.filter(|account| account.status == Status::Active);
        let proxy = context.proxy(row.account).map(|proxy| proxy.grant);
        let Some(account) = account.filter(|_| row.grant == proxy) else {
            return Ok(None);
        };
        let context = self.aged(&account, row.patient, context, now).await?;
        let decision = Policies::load()?.decide(
            Principal::Account(&account),
            OpenCalendar::SPEC.action,
            &row.patient,
            &context,
            now,
        )?;
        Ok(match decision {
            Decision::Permit(permitted) => Some(Followed {
                account,
                patient: row.patient,
                permitted,
                appointments,
            }),
            Decision::Deny => None,
        })
    }

    /// What a parent may see depends on how old the patient is.
    async fn aged(
        &self,
        account: &AccountRow,
        patient: PatientId,
        context: PatientContext,
        now: Timestamp,
    ) -> Result<PatientContext, Fault> {
        let proxy = context.proxy(account.account);
        if proxy.is_none_or(|proxy| proxy.basis != Basis::Parental) {
            return Ok(context);
        }
        let wrapped = context
            .wrapped_key()
            .ok_or(Fault::Corrupt("the patient has no data key"))?;
        let mut opener = Opener {
            key: Some(self.keys.unwrap(patient, wrapped).await?),
            context,
            caller: None,
        };
        if let Some(age) = Profile::age(&opener, &self.practice, now)? {
            opener.context.set_age(age);
        }
        Ok(opener.context)
    }
}
