//! Codes with which patients make their accounts. Number, date of birth and code are proven together,
//! so whoever issues a code has to know the date: it is opened here, and goes no further than KMS.

use crate::Fault;
use crate::access::{Access, Practice, Unproven};
use crate::api::profile::Profile;
use crate::api::text::ActivationCode;
use crate::aws::{Aws, Resource};
use crate::http::Problem;
use crate::ids::PatientId;
use crate::phi::{BlindIndex, DataKeys, Opener, Term};
use crate::practice::{self, AgeBand};
use crate::store::accounts::ATTEMPTS;
use crate::store::{Accounts, Activation, Patients, Write};
use ::http::StatusCode;
use jiff::Timestamp;

/// So many codes a patient gets in a day: more letters are more to guess at, and to lose.
const CODES: u64 = 3;

/// What became of a code.
pub enum Issue {
    Done(Box<Issued>),
    UnknownNumber,
    /// A child has no account; the parents act for them.
    Child(PatientId),
    /// None for so many seconds.
    TooMany {
        patient: PatientId,
        retry_after: u16,
    },
}

/// Issues codes.
pub struct Activations {
    accounts: Accounts,
    patients: Patients,
    index: BlindIndex,
    keys: DataKeys,
    practice: practice::Practice,
}

/// A new code, good once the write is committed; a former one dies by it.
pub struct Issued {
    pub patient: PatientId,
    pub code: ActivationCode,
    pub expires_at: i64,
    pub write: Write,
}

impl Activations {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            accounts: Accounts::new(aws)?,
            patients: Patients::new(aws)?,
            index: BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?),
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
            practice: aws.practice().clone(),
        })
    }

    /// A code for the patient with this medical record number.
    pub async fn issue(
        &self,
        _: &Access<Practice>,
        mrn: &str,
        now: Timestamp,
    ) -> Result<Issue, Problem> {
        let number = self.index.mac(Term::Mrn(mrn)).await?;
        let (patient, former) = tokio::try_join!(
            self.patients.by_mrn(&number),
            self.accounts.activation(&number),
        )?;
        let Some(patient) = patient else {
            return Ok(Issue::UnknownNumber);
        };
        if let Some(today) = former.codes_of_today(now)
            // A code that is dead already is not printed.
            && (today.issued >= CODES || former.attempts >= ATTEMPTS)
        {
            // A day has more seconds than Retry-After takes here; whoever comes too early is told the rest.
            let seconds = u16::try_from(today.until() - now.as_second());
            return Ok(Issue::TooMany {
                patient,
                retry_after: seconds.unwrap_or(u16::MAX),
            });
        }
        let birth_date = self.birth_date(patient).await?;
        if is_for_parents(&self.practice, &birth_date, now) {
            return Ok(Issue::Child(patient));
        }
        let code = ActivationCode::random()?;
        let proof = self.index.mac(Term::Activation {
            mrn,
            birth_date: &birth_date,
            code: code.as_str(),
        });
        let activation = Activation::new(patient, proof.await?, now);
        let write = self
            .accounts
            .issue_counted(&number, &activation, &former, now)?;
        Ok(Issue::Done(Box::new(Issued {
            patient,
            code,
            expires_at: activation.expires_at,
            write,
        })))
    }

    /// The whole date of birth, which is what the patient will be asked for.
    async fn birth_date(&self, patient: PatientId) -> Result<String, Problem> {
        let context = self.patients.context(&Unproven::new(patient)).await?;
        let wrapped = context
            .wrapped_key()
            .ok_or(Fault::Corrupt("a patient without a data key"))?;
        let key = self.keys.unwrap(patient, wrapped).await?;
        let opener = Opener {
            key: Some(key),
            context,
            caller: None,
        };
        let birth_date = Profile::open(patient, &opener)?.birth_date;
        birth_date
            .filter(|date| date.parse::<jiff::civil::Date>().is_ok())
            .ok_or(Problem::new(
                StatusCode::CONFLICT,
                "incomplete-record",
                "The record lacks what the patient would have to prove",
                "Complete the patient's details in the practice's record system and import them again.",
            ))
    }
}

/// Is somebody born on that day too young for an account of their own? Until they may consent alone to
/// some care, their parents exercise their rights (45 CFR 164.502(g)(3)), as proxies.
pub fn is_for_parents(practice: &practice::Practice, birth_date: &str, now: Timestamp) -> bool {
    let born = birth_date.parse();
    born.is_ok_and(|born| practice.age(born, now) == AgeBand::Child)
}

/// What to say where a child would get an account.
pub const fn child() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "for-parents",
        "The patient is too young for an account of their own",
        "Let somebody of the care team make a parent or guardian the patient's proxy.",
    )
}
