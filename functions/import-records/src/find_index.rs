//! By what an imported patient can be found: birth date and family names, whole and by how they
//! begin.

use crate::Handler;
use futures_util::future::try_join_all;
use shared::Fault;
use shared::fhir::patient::Patient;
use shared::ids::PatientId;
use shared::names::FamilyName;
use shared::phi::Term;
use std::collections::BTreeSet;

/// The most names of a patient, and the most letters of one: KMS authenticates 4,096 bytes.
const NAMES: usize = 8;
const LETTERS: usize = 100;

/// Lets the patient be found by what their profile says, and by nothing that it does not say any
/// more.
pub(crate) async fn write(
    handler: &Handler,
    patient: PatientId,
    profile: &Patient,
) -> Result<(), Fault> {
    let macs = macs(handler, profile).await?;
    handler.imports.find_by(patient, &macs).await
}

async fn macs(handler: &Handler, profile: &Patient) -> Result<BTreeSet<String>, Fault> {
    // Whoever searches has to know the whole date.
    let Some(birth_date) = profile
        .birth_date
        .as_ref()
        .filter(|date| date.full().is_some())
    else {
        return Ok(BTreeSet::new());
    };
    let birth_date = birth_date.as_str();
    let names: BTreeSet<FamilyName> = profile
        .family_names()
        .filter_map(FamilyName::of)
        .filter(|name| name.letters() <= LETTERS)
        .take(NAMES)
        .collect();
    let terms = names.iter().flat_map(|name| {
        let whole = Term::FamilyName {
            birth_date,
            name: name.as_str(),
        };
        let begins = |prefix| Term::FamilyPrefix { birth_date, prefix };
        std::iter::once(whole).chain(name.prefixes().map(begins))
    });
    let macs = try_join_all(terms.map(|term| handler.index.mac(term))).await?;
    Ok(macs.into_iter().collect())
}
