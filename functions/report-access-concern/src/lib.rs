//! Sends one entry of "who looked" to the privacy officer.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::Operation;
use shared::api::record_access::{NewReport, Report, ReportAccessConcern, reported_already};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{AccessLog, Accounts, Allowance, Patients};
use shared::telemetry;

/// So many entries somebody may report in half a day: each is looked into by a person.
const ALLOWANCE: Allowance = Allowance {
    requests: 20,
    window: 43_200,
};

struct Handler {
    accounts: Accounts,
    log: AccessLog,
    patients: Patients,
}

impl Change<ReportAccessConcern> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        NewReport {
            access: id,
            explanation,
        }: NewReport,
    ) -> Result<Changed<Report>, Problem> {
        let now = Timestamp::now();
        let (record, former) = tokio::try_join!(
            self.log.record(access, id),
            self.patients.report(access, id),
        )?;
        if let Some(former) = former {
            let caller = access.caller();
            let is_patient = caller.row.patient == Some(access.patient());
            if !is_patient && former.reported_by != access.account() {
                return Err(reported_already());
            }
            let answer = Phi::new(Report::of(&former));
            return Ok(Changed::done(Vec::new(), answer).regarding(id.to_string()));
        }
        let record = record.ok_or(Problem::not_found())?;
        let (report, mut writes) = self.patients.report_access(
            access,
            opener,
            &record,
            explanation.map(Into::into),
            now,
        )?;
        let (account, operation) = (access.account(), ReportAccessConcern::SPEC.id);
        writes.push(self.accounts.turn(account, operation, ALLOWANCE, now)?);
        Ok(Changed::done(writes, Phi::new(Report::of(&report)))
            .regarding(id.to_string())
            // The alarm in infra/alarms.yaml goes by it.
            .follow_up(
                async move {
                    telemetry::count(operation, "AccessReported");
                    Ok(())
                },
                std::convert::identity,
            ))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ReportAccessConcern>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            log: AccessLog::new(aws)?,
            patients: Patients::new(aws)?,
        },
    )
}
