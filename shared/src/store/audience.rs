//! Who hears of an event: those who may look at what happened, as rows and policy are at that moment.

use super::{AccountRow, Accounts, PatientContext, Patients};
use crate::Fault;
use crate::access::Unproven;
use crate::api::events::Event;
use crate::aws::Aws;
use crate::ids::{AccountId, PractitionerId, RecordId};
use futures_util::future::try_join_all;
use jiff::Timestamp;

pub struct Audience {
    accounts: Accounts,
    patients: Patients,
}

impl Audience {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            accounts: Accounts::new(aws)?,
            patients: Patients::new(aws)?,
        })
    }

    /// The accounts that an event is for. Of new results it has the ids: of those that are all held,
    /// nobody hears.
    pub async fn of(
        &self,
        event: &Event,
        results: &[RecordId],
        now: Timestamp,
    ) -> Result<Vec<AccountRow>, Fault> {
        let whose = Unproven::new(event.patient());
        let (context, own) = tokio::try_join!(
            self.patients.context(&whose),
            self.patients.account_of(event.patient()),
        )?;
        let held = |result: &RecordId| context.hold(*result).is_some();
        if !context.exists() || (!results.is_empty() && results.iter().all(held)) {
            return Ok(Vec::new());
        }
        let staff = staff(event, &context)
            .into_iter()
            .map(|practitioner| self.accounts.of_practitioner(practitioner));
        let staff = try_join_all(staff).await?.into_iter().flatten();
        let proxies = context.proxies().iter().map(|proxy| proxy.account);
        let mut accounts: Vec<AccountId> = own.into_iter().chain(proxies).chain(staff).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let rows = accounts
            .into_iter()
            .map(|account| self.accounts.account(account));
        let mut audience = Vec::new();
        for row in try_join_all(rows).await?.into_iter().flatten() {
            if event.is_for(&row, &context, now)? {
                audience.push(row);
            }
        }
        Ok(audience)
    }

    /// The account, if the event is for it at this moment.
    pub async fn has(
        &self,
        account: AccountId,
        event: &Event,
        now: Timestamp,
    ) -> Result<Option<AccountRow>, Fault> {
        let whose = Unproven::new(event.patient());
        let (context, row) = tokio::try_join!(
            self.patients.context(&whose),
            self.accounts.account(account),
        )?;
        let Some(row) = row else {
            return Ok(None);
        };
        let may = context.exists() && event.is_for(&row, &context, now)?;
        Ok(may.then_some(row))
    }
}

/// Who of the practice may be told: of messages, those who treat the patient, whomever the thread is
/// assigned to, because the inbox is all theirs; of an appointment, whom it is with. Results the
/// practice sent itself.
fn staff(event: &Event, context: &PatientContext) -> Vec<PractitionerId> {
    match event {
        Event::MessageNew { .. } | Event::MessageRead { .. } => {
            let team = context.care_team().iter();
            team.map(|member| member.practitioner).collect()
        }
        Event::AppointmentChanged { appointment, .. } => {
            let tie = context.appointment(*appointment);
            tie.map(|tie| tie.practitioner).into_iter().collect()
        }
        Event::ResultNew { .. } => Vec::new(),
    }
}
