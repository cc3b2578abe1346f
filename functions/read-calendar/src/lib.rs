//! Shows the calendar at a secret address to programs that cannot sign in.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Portal};
use shared::api::Operation;
use shared::api::calendars::{Address, CalendarFile, ReadCalendar};
use shared::aws::Aws;
use shared::calendar;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Accounts, Allowance, CalendarReader};

/// How often the calendars of an account are read in an hour: several programs, of which the most eager
/// look every five minutes.
const ALLOWANCE: Allowance = Allowance {
    requests: 240,
    window: 3_600,
};

struct Handler {
    accounts: Accounts,
    reader: CalendarReader,
    practice: Practice,
}

impl Change<ReadCalendar> for Handler {
    /// It changes nothing but a count. Whoever has no right address leaves a record that names nobody,
    /// or anybody could write into a patient's list of who looked.
    async fn change(
        &self,
        _: &Access<Portal>,
        _: &Opener,
        address: Option<Address>,
    ) -> Result<Changed<CalendarFile>, Problem> {
        let now = Timestamp::now();
        let Some(address) = address else {
            return Ok(Changed::refused(Vec::new(), Problem::not_found()));
        };
        let Some(followed) = self.reader.read(&address, now).await? else {
            return Ok(Changed::refused(Vec::new(), Problem::not_found()));
        };
        let account = &followed.account;
        let operation = ReadCalendar::SPEC.id;
        let turn = self
            .accounts
            .turn(account.account, operation, ALLOWANCE, now)?;
        let file = calendar::file(&self.practice, &followed.appointments, now)?;
        Ok(Changed::done(vec![turn], Phi::new(CalendarFile(file)))
            .about(Some(followed.patient))
            .regarding(address.calendar.to_string())
            .on_behalf_of(account, &followed.permitted))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ReadCalendar>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            reader: CalendarReader::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
