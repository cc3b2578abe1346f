//! Which report groups a result. A result says so itself, so that a list of results needs no other
//! read; report and result may come in any order, with one file or two.

use crate::diff::{Before, record_id};
use crate::patient::Whose;
use crate::references::own;
use crate::round::Round;
use futures_util::future::try_join_all;
use shared::Fault;
use shared::fhir::report::Report;
use shared::fhir::{self, PatientRecord};
use shared::ids::{PatientId, RecordId};
use shared::store::{EntryKey, LinkedReport, Stored, StoredEntry, report_digest};
use std::collections::{HashMap, HashSet};

/// How many rows are linked at the same time.
const AT_ONCE: usize = 8;

/// Where a report is told from others that group the same result: the latest counts.
type Place = (String, RecordId);

/// The reports of one patient, those of the file and those that are stored.
pub(crate) struct Reports {
    of_result: HashMap<RecordId, Place>,
    in_file: HashMap<RecordId, LinkedReport>,
    /// Sort keys of those that are stored and not in the file.
    stored: HashMap<RecordId, String>,
    opened: HashMap<RecordId, Option<LinkedReport>>,
    /// Results that this import wrote together with their report.
    written: HashSet<RecordId>,
}

impl Reports {
    pub(crate) fn new(
        patient: PatientId,
        planned: &PatientRecord<'_>,
        before: &Before,
    ) -> Result<Self, Fault> {
        let mut reports = Self {
            of_result: HashMap::new(),
            in_file: HashMap::new(),
            stored: HashMap::new(),
            opened: HashMap::new(),
            written: HashSet::new(),
        };
        let mut listed = HashSet::new();
        for entry in &planned.entries {
            if entry.resource_type != "DiagnosticReport" {
                continue;
            }
            let id = record_id(patient, entry.resource_type, &entry.id);
            listed.insert(id);
            if entry.entered_in_error {
                continue;
            }
            let place = EntryKey::of(id, entry).place();
            for link in &entry.results {
                if let Some(result) = own(patient, link) {
                    reports.group(result, &place);
                }
            }
            reports.in_file.insert(id, linked(id, entry.json.get())?);
        }
        for stored in before.rows() {
            if stored.is_void() || stored.results.is_empty() || listed.contains(&stored.id) {
                continue;
            }
            let place = stored.place();
            for result in &stored.results {
                reports.group(*result, &place);
            }
            reports.stored.insert(stored.id, stored.sk.clone());
        }
        Ok(reports)
    }

    fn group(&mut self, result: RecordId, place: &Place) {
        let known = self
            .of_result
            .entry(result)
            .or_insert_with(|| place.clone());
        if *known < *place {
            *known = place.clone();
        }
    }

    /// The report of a result that is about to be written.
    pub(crate) async fn of(
        &mut self,
        round: &Round<'_>,
        whose: &Whose,
        result: RecordId,
    ) -> Result<Option<LinkedReport>, Fault> {
        self.written.insert(result);
        self.find(round, whose, result).await
    }

    async fn find(
        &mut self,
        round: &Round<'_>,
        whose: &Whose,
        result: RecordId,
    ) -> Result<Option<LinkedReport>, Fault> {
        let Some((_, report)) = self.of_result.get(&result) else {
            return Ok(None);
        };
        let report = *report;
        if let Some(listed) = self.in_file.get(&report) {
            return Ok(Some(listed.clone()));
        }
        if let Some(opened) = self.opened.get(&report) {
            return Ok(opened.clone());
        }
        let found = match self.stored.get(&report) {
            None => None,
            Some(sk) => {
                let records = &round.handler.records;
                let content = records.content(whose.patient, sk, &whose.key).await?;
                let entry = content.map(|json| serde_json::from_slice::<StoredEntry>(&json));
                let entry = entry.transpose();
                let entry = entry.map_err(|_| Fault::Corrupt("a record entry"))?;
                let linked = entry.map(|entry| linked(report, entry.resource.get()));
                linked.transpose()?
            }
        };
        self.opened.insert(report, found.clone());
        Ok(found)
    }

    /// What is stored and was not written again, and names another report than it should: its sort
    /// key, and the report.
    pub(crate) async fn outdated(
        &mut self,
        round: &Round<'_>,
        whose: &Whose,
        before: &Before,
    ) -> Result<Vec<(String, Option<LinkedReport>)>, Fault> {
        let mut outdated = Vec::new();
        let candidates: Vec<&Stored> = before
            .rows()
            .filter(|stored| {
                let grouped = self.of_result.contains_key(&stored.id);
                (grouped || stored.report.is_some()) && !self.written.contains(&stored.id)
            })
            .collect();
        for stored in candidates {
            let known = stored.report.as_ref();
            let place = self.of_result.get(&stored.id);
            let is_same = place.map(|(_, report)| report) == known.map(|(report, _)| report);
            let is_listed = place.is_some_and(|(_, report)| self.in_file.contains_key(report));
            // A report that is not in the file has not changed.
            if is_same && !is_listed {
                continue;
            }
            let report = self.find(round, whose, stored.id).await?;
            let digest = report.as_ref().map(|one| report_digest(&whose.key, one));
            if digest.transpose()?.as_ref() != known.map(|(_, digest)| digest) {
                outdated.push((stored.sk.clone(), report));
            }
        }
        Ok(outdated)
    }
}

fn linked(id: RecordId, json: &str) -> Result<LinkedReport, Fault> {
    let report = Report::parse(json).map_err(|_| Fault::Corrupt("a DiagnosticReport"))?;
    Ok(LinkedReport {
        id,
        title: report.title,
        issued: report.issued,
        categories: report.categories,
    })
}

/// Lets stored results name the reports that they have now.
pub(crate) async fn link(
    round: &Round<'_>,
    whose: &Whose,
    outdated: &[(String, Option<LinkedReport>)],
) -> Result<(), Fault> {
    let records = &round.handler.records;
    for group in outdated.chunks(AT_ONCE) {
        let links = group
            .iter()
            .map(|(sk, report)| records.link(whose.patient, sk, report.as_ref(), &whose.key));
        try_join_all(links).await?;
    }
    Ok(())
}

/// Is it something that a report groups?
pub(crate) fn is_grouped(entry: &fhir::Entry<'_>) -> bool {
    entry.resource_type == "Observation"
}
