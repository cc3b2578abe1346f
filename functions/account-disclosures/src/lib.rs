//! Accounts for the disclosures of a patient's information, newest first.

use jiff::{Span, Timestamp};
use shared::Fault;
use shared::access::{Role, Unproven};
use shared::api::accounting::{
    AccountDisclosures, AccountedDisclosure, Accounting, Period, Withheld, accounted,
};
use shared::api::text::Date;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::Patients;

/// How far back an accounting goes (45 CFR 164.528(a)(1)).
const YEARS: i32 = 6;

struct Handler {
    patients: Patients,
    practice: Practice,
}

impl Read<AccountDisclosures> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        Period { from, to }: Period,
    ) -> Result<Sealed<Accounting>, Problem> {
        let notes = self.patients.disclosure_notes(whose).await?;
        let (practice, now) = (self.practice.clone(), Timestamp::now());
        Ok(Sealed::new(move |opener| {
            let today = practice.today(now);
            let earliest = today.saturating_sub(Span::new().years(YEARS));
            let day = |date: Option<Date>| date.and_then(|date| date.day());
            let from = day(from).map_or(earliest, |from| from.max(earliest));
            let to = day(to).map_or(today, |to| to.min(today));
            let withheld = Withheld::at(now, &notes, opener)?;
            let disclosures = accounted(&notes, opener)?.into_iter().rev();
            let disclosures = disclosures.filter_map(|((at, id), disclosed)| {
                let date = practice.today(at);
                let told = (from..=to).contains(&date) && !withheld.has(id);
                told.then(|| AccountedDisclosure::of(id, at, date, disclosed))
            });
            let disclosures = disclosures.collect();
            let is_officer = opener
                .caller()
                .is_some_and(|caller| caller.row.role == Role::PrivacyOfficer);
            let suspensions = is_officer.then(|| notes.suspensions(opener)).transpose()?;
            Ok(Accounting {
                from,
                to,
                disclosures,
                suspensions,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<AccountDisclosures>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
