//! A sample patient as the portal's tables hold them: real resources, really sealed.
use std::fs;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::phi::{DataKey, Place, seal};
use shared::store::{SEALED, Section, StoredEntry};
use uuid::Uuid;

use crate::home::workspace;

const BUNDLE: &str =
    "tests/data/synthea/smart19_Hallie_Hoeger_62a0b57c-4129-43d9-b787-bcf7ad4fa654.json";

/// Their name, as responses show it.
pub(super) const NAME: &str = "Mrs. Hallie Hoeger";
/// How many laboratory results arrived since the visit before this one.
pub(super) const LAB_RESULTS: usize = 50;
pub(super) const ACTIVE_PRESCRIPTIONS: usize = 5;

/// What KMS unwraps.
pub(super) const DATA_KEY: [u8; 32] = [7; 32];

/// The answers of DynamoDB about the patient.
pub(super) struct Tables {
    pub account: Vec<u8>,
    pub context: Vec<u8>,
    pub lab_results: Vec<u8>,
    pub prescriptions: Vec<u8>,
}

#[derive(Deserialize)]
struct Bundle {
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    resource: Box<RawValue>,
}

impl Tables {
    /// Seals the sample patient as the patient of a request.
    pub(super) fn seal(patient: &str, account: &str) -> Result<Self> {
        let key = DataKey::new(&DATA_KEY)?;
        let pk = format!("PATIENT#{patient}");
        let file = fs::read(workspace().join(BUNDLE)).with_context(|| format!("no {BUNDLE}"))?;
        let bundle: Bundle = serde_json::from_slice(&file)?;
        let resources = bundle
            .entry
            .into_iter()
            .map(|entry| Ok((serde_json::from_str(entry.resource.get())?, entry.resource)))
            .collect::<Result<Vec<(Value, _)>>>()?;
        let chosen = |section: Section, number: usize, is: fn(&Value) -> bool| {
            let rows = resources
                .iter()
                .filter(|(view, _)| is(view))
                .take(number)
                .map(|(view, resource)| entry(&key, &pk, section, view, resource))
                .collect::<Result<Vec<_>>>()?;
            ensure!(rows.len() == number, "{BUNDLE} has too few of {section:?}");
            items(&rows)
        };
        Ok(Self {
            account: serde_json::to_vec(&json!({"Item": {
                "pk": {"S": format!("ACCOUNT#{account}")},
                "role": {"S": "patient"},
                "status": {"S": "active"},
                "patient": {"S": patient},
                "created_at": {"S": "2026-01-05T09:00:00Z"},
                "last_sign_in": {"S": "2026-11-21T23:59:00Z"},
                "previous_sign_in": {"S": "2026-11-01T08:00:00Z"},
            }}))?,
            context: context(&key, &pk, &resources)?,
            lab_results: chosen(Section::LabResults, LAB_RESULTS, |view| {
                let category = view.pointer("/category/0/coding/0/code");
                view["resourceType"] == "Observation"
                    && category.is_some_and(|code| code == "laboratory")
            })?,
            prescriptions: chosen(Section::ActivePrescriptions, ACTIVE_PRESCRIPTIONS, |view| {
                view["resourceType"] == "MedicationRequest" && view["status"] == "active"
            })?,
        })
    }
}

fn context(key: &DataKey, pk: &str, resources: &[(Value, Box<RawValue>)]) -> Result<Vec<u8>> {
    let (_, profile) = resources
        .iter()
        .find(|(view, _)| view["resourceType"] == "Patient")
        .with_context(|| format!("{BUNDLE} has no Patient"))?;
    let sealed = sealed(key, "patients", pk, "CONTEXT#PROFILE", profile.get())?;
    let mut rows = vec![
        json!({
            "pk": {"S": pk}, "sk": {"S": "CONTEXT#KEY"},
            "wrapped": {"B": STANDARD.encode([1; 184])},
        }),
        json!({
            "pk": {"S": pk}, "sk": {"S": "CONTEXT#PROFILE"},
            "import_state": {"S": "complete"}, "source": {"S": "sample"},
            "digest": {"B": STANDARD.encode([2; 32])}, SEALED: {"B": sealed},
        }),
    ];
    for practitioner in 1..=4 {
        let sk = format!("CONTEXT#CARE-TEAM#{}", Uuid::from_u128(practitioner));
        rows.push(json!({"pk": {"S": pk}, "sk": {"S": sk}, "source": {"S": "sample"}}));
    }
    items(&rows)
}

fn entry(
    key: &DataKey,
    pk: &str,
    section: Section,
    view: &Value,
    resource: &RawValue,
) -> Result<Value> {
    let id = view["id"].as_str().context("a resource without an id")?;
    let time = view["issued"].as_str().or(view["authoredOn"].as_str());
    let time = time.context("a resource without a time")?;
    let sk = format!("{}{time}#{id}", section.prefix());
    let stored = serde_json::to_string(&StoredEntry {
        resource: resource.to_owned(),
        medication: None,
        links: Default::default(),
    })?;
    Ok(json!({
        "pk": {"S": pk}, "sk": {"S": sk},
        "type": {"S": view["resourceType"]},
        "arrived": {"S": format!("{}2026-11-20T04:00:00.000Z#{id}", section.prefix())},
        "digest": {"B": STANDARD.encode([2; 32])},
        SEALED: {"B": sealed(key, "records", pk, &sk, &stored)?},
    }))
}

fn sealed(
    key: &DataKey,
    table: &'static str,
    pk: &str,
    sk: &str,
    plaintext: &str,
) -> Result<String> {
    let place = Place {
        table,
        pk,
        sk,
        attribute: SEALED,
    };
    Ok(STANDARD.encode(seal(key, &place, plaintext.as_bytes())?))
}

/// A page of a query, the last one.
fn items(rows: &[Value]) -> Result<Vec<u8>> {
    let count = rows.len();
    let page = json!({"Count": count, "ScannedCount": count, "Items": rows});
    Ok(serde_json::to_vec(&page)?)
}
