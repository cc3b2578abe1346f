//! Opens a patient's messages to the privacy officer for an hour, who says to whom they go and why.
//! What is said is sealed here, where there is no message; the messages are read elsewhere, where
//! there is no key.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::Operation;
use shared::api::disclosures::{DiscloseMessages, Disclosing, KeyedDisclosure};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Allowance, DisclosureHour, Patients, PracticeKeyAdmissions};
use uuid::Uuid;

/// So many disclosures somebody records in an hour.
const ALLOWANCE: Allowance = Allowance {
    requests: 20,
    window: 3600,
};

struct Handler {
    accounts: Accounts,
    patients: Patients,
    admissions: PracticeKeyAdmissions,
}

impl Change<DiscloseMessages> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        KeyedDisclosure {
            disclosed,
            idempotency_key,
        }: KeyedDisclosure,
    ) -> Result<Changed<Disclosing>, Problem> {
        let now = Timestamp::now();
        // A portal that somebody left open is not enough to get in with.
        if !access.caller().signed_in_recently(now) {
            return Ok(Changed::refused(Vec::new(), Problem::sign_in_again()));
        }
        let account = access.account();
        let name = format!("{account} {}", idempotency_key.as_str());
        let grant = Uuid::new_v5(&access.patient().uuid(), name.as_bytes());
        let answer = |until| {
            Phi::new(Disclosing {
                disclosure: grant,
                until,
            })
        };
        let former = opener.context().disclosure(account);
        if let Some(former) = former.filter(|former| former.grant == grant) {
            // This request was here before, and its answer got lost.
            if former.told(opener)? != disclosed {
                return Err(Problem::key_used_before());
            }
            return Ok(Changed::done(Vec::new(), answer(former.until)).granting(grant));
        }
        let hour = DisclosureHour::beginning(grant, now)?;
        let mut writes = self.patients.disclose(access, opener, &hour, &disclosed)?;
        writes.push(self.admissions.admit(access, &hour)?);
        let id = DiscloseMessages::SPEC.id;
        writes.push(self.accounts.turn(account, id, ALLOWANCE, now)?);
        Ok(Changed::done(writes, answer(hour.until)).granting(grant))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<DiscloseMessages>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            patients: Patients::new(aws)?,
            admissions: PracticeKeyAdmissions::new(aws)?,
        },
    )
}
