//! `cargo xtask activation`: a code for a patient of a local stack, as the practice would print it.
use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use aws_credential_types::Credentials;
use jiff::Timestamp;
use shared::api::text::ActivationCode;
use shared::aws::{Aws, Resource, http_client};
use shared::ids::PatientId;
use shared::phi::{BlindIndex, Term};
use shared::practice::Practice;
use shared::store::{Accounts, Activation, Patients};

use crate::aws::ROOT;
use crate::home::Portal;
use crate::sample::output;

/// Issues a code for the patient with this medical record number; a former one dies.
pub async fn issue(portal: &Portal, mrn: &str, birth_date: &str) -> Result<String> {
    let aws = clients(portal)?;
    let patient = find(&aws, mrn).await?;
    let code = ActivationCode::random()?;
    let index = BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?);
    let proof = index
        .mac(Term::Activation {
            mrn,
            birth_date,
            code: code.as_str(),
        })
        .await?;
    let activation = Activation::new(patient, proof, Timestamp::now());
    let number = index.mac(Term::Mrn(mrn)).await?;
    let write = Accounts::new(&aws)?.issue_activation(&number, &activation)?;
    aws.dynamodb()
        .transact_write_items()
        .transact_items(write.item)
        .send()
        .await
        .context("the code was not stored")?;
    Ok(code.grouped())
}

/// The patient with this medical record number.
pub async fn patient(portal: &Portal, mrn: &str) -> Result<PatientId> {
    find(&clients(portal)?, mrn).await
}

async fn find(aws: &Aws, mrn: &str) -> Result<PatientId> {
    let index = BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?);
    let number = index.mac(Term::Mrn(mrn)).await?;
    let Some(patient) = Patients::new(aws)?.by_mrn(&number).await? else {
        bail!("no patient has this medical record number");
    };
    Ok(patient)
}

fn clients(portal: &Portal) -> Result<Aws> {
    let names = [
        (Resource::AccountsTable, "AccountsTableName"),
        (Resource::PatientsTable, "PatientsTableName"),
        (Resource::IndexKey, "IndexKeyId"),
    ]
    .into_iter()
    .map(|(resource, name)| Ok((resource, output(portal, name)?.to_owned())))
    .collect::<Result<HashMap<_, _>>>()?;
    Ok(Aws::new(
        portal.region.clone(),
        Some(portal.emulator.clone()),
        Credentials::new(ROOT, ROOT, None, None, "emulator"),
        http_client()?,
        names,
        // What the stack is deployed with: the defaults of template.yaml.
        Practice::new("America/New_York", 13, 18)?,
    ))
}
