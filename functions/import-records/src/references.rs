//! Where references lead in the portal: practitioners through the directory, entries of the same
//! patient by the id that they get.

use crate::compact::compact;
use crate::diff::record_id;
use shared::Fault;
use shared::fhir::{self, Practitioner, Reference, id_of_key};
use shared::ids::{PatientId, PractitionerId, RecordId};
use shared::store::{Change, Directory, LinkedPractitioner, Links, Listed};
use std::collections::HashMap;

const PRACTITIONER: &str = "Practitioner";

/// Finds practitioners, each once.
pub(crate) struct References<'f> {
    directory: &'f Directory,
    listed: HashMap<&'f str, &'f Practitioner<'f>>,
    found: HashMap<Reference, Option<PractitionerId>>,
}

impl<'f> References<'f> {
    pub(crate) fn new(directory: &'f Directory, file: &'f fhir::File<'_>) -> Self {
        let listed = file.practitioners.iter().map(|one| (one.id.as_str(), one));
        Self {
            directory,
            listed: listed.collect(),
            found: HashMap::new(),
        }
    }

    /// The practitioner in the directory; none where the reference may mean several.
    pub(crate) async fn practitioner(
        &mut self,
        reference: &Reference,
    ) -> Result<Option<PractitionerId>, Fault> {
        if let Some(found) = self.found.get(reference) {
            return Ok(*found);
        }
        let found = match reference {
            Reference::File { id, .. } => match self.listed.get(id.as_str()) {
                Some(listed) => list(self.directory, listed).await?.map(|(id, _)| id),
                None => None,
            },
            Reference::External { key, .. } => {
                let id = self.directory.referred(PRACTITIONER, key).await?;
                id.map(PractitionerId::new)
            }
            Reference::Nowhere => None,
        };
        self.found.insert(reference.clone(), found);
        Ok(found)
    }

    /// What the file calls a practitioner whom it lists.
    pub(crate) fn name(&self, reference: &Reference) -> Option<&'f str> {
        match reference {
            Reference::File { id, .. } => self.listed.get(id.as_str())?.name.as_deref(),
            Reference::External { .. } | Reference::Nowhere => None,
        }
    }

    /// Remembers a practitioner of the file, or that there is no telling who they are.
    pub(crate) fn is_at(&mut self, id: &str, practitioner: Option<PractitionerId>) {
        let reference = Reference::File {
            resource_type: PRACTITIONER,
            id: id.to_owned(),
        };
        self.found.insert(reference, practitioner);
    }

    /// Everything that an entry refers to.
    pub(crate) async fn links(
        &mut self,
        patient: PatientId,
        entry: &fhir::Entry<'_>,
    ) -> Result<Links, Fault> {
        let mut practitioners = Vec::new();
        for named in &entry.practitioners {
            if let Some(id) = self.practitioner(&named.reference).await? {
                practitioners.push(LinkedPractitioner {
                    id,
                    display: named.display.clone(),
                });
            }
        }
        Ok(Links {
            encounter: entry.encounter.as_ref().and_then(|link| own(patient, link)),
            results: entry
                .results
                .iter()
                .filter_map(|link| own(patient, link))
                .collect(),
            practitioners,
        })
    }
}

/// An entry of the same patient. A reference by identifier to another file is not followed: only a
/// practitioner's or a patient's identifiers are known.
pub(crate) fn own(patient: PatientId, reference: &Reference) -> Option<RecordId> {
    match reference {
        Reference::File { resource_type, id } => Some(record_id(patient, resource_type, id)),
        Reference::External { resource_type, key } => {
            Some(record_id(patient, resource_type, id_of_key(key)?))
        }
        Reference::Nowhere => None,
    }
}

/// Stores a practitioner of the file; none if it cannot be told from another.
pub(crate) async fn list(
    directory: &Directory,
    practitioner: &Practitioner<'_>,
) -> Result<Option<(PractitionerId, Change)>, Fault> {
    let json = compact(&practitioner.json)?;
    let listed = Listed {
        kind: PRACTITIONER,
        key: &practitioner.key,
        aliases: &practitioner.aliases,
        npi: practitioner.npi.as_deref(),
        name: practitioner.name.as_deref(),
        active: practitioner.active,
        json: json.get(),
    };
    let stored = directory.list(&listed).await?;
    Ok(stored.map(|(id, change)| (PractitionerId::new(id), change)))
}
