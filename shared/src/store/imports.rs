//! The patients table as an import writes it: who a patient is, whether their record is whole, and
//! who treats them.
//!
//! `MRN#<MAC>` and `ALIAS#<MAC>` partitions hold one row `PATIENT` that leads to a patient. On the
//! profile, `importing` is the set of files that have begun to write to the record and not ended;
//! while there is one, `import_state` is `incomplete`.

use super::care_team::{PORTAL, activity};
use super::patients::{CARE_TEAM, KEY, PROFILE, TABLE, counts_place};
use super::{Counts, ImportState, Item, Records, SEALED, Write, b, bytes, patient_key, s, string};
use crate::audit::{Audit, Commit, Record};
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{PatientId, PractitionerId};
use crate::phi::{DataKey, Place, digest, open, seal};
use crate::{Fault, Reason};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};

/// The sort key of the one row of a partition that leads to a patient.
const LEADS_TO: &str = "PATIENT";

const AGAIN: Fault = Fault::Unavailable {
    service: "DynamoDB",
    reason: Reason::Conflict,
};

/// How often a transaction is tried that another import's gets in the way of.
const ATTEMPTS: u32 = 5;

/// Whose a medical record number is.
pub struct KnownNumber {
    pub patient: PatientId,
    /// Who gave the number out, as the file has it; the same number of another system is another's.
    pub system: Option<String>,
}

/// A patient's rows before an import.
pub struct Standing {
    pub wrapped_key: Vec<u8>,
    profile_digest: Option<Vec<u8>>,
    profile: Vec<u8>,
    importing: Vec<String>,
    pub care_team: Vec<CareTeamRow>,
}

impl Standing {
    /// Has an import of this file begun and not ended?
    pub fn is_open(&self, file: &str) -> bool {
        self.importing.iter().any(|open| open == file)
    }

    /// Does the patient's profile say what it said before?
    pub fn has_profile(&self, digest: &[u8]) -> bool {
        self.profile_digest.as_deref() == Some(digest)
    }

    /// The Patient resource as the last import left it.
    pub fn profile(&self, patient: PatientId, key: &DataKey) -> Result<Vec<u8>, Fault> {
        open(key, &profile_place(&patient_key(patient)), &self.profile)
    }
}

/// A row of a patient's care team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CareTeamRow {
    pub practitioner: PractitionerId,
    /// `care-team`, `encounter` or `portal`.
    pub source: String,
    pub since: Option<String>,
    pub last_seen: Option<String>,
    pub digest: Option<Vec<u8>>,
}

impl CareTeamRow {
    fn of(practitioner: PractitionerId, item: &Item) -> Self {
        let text = |name| string(item, name).map(str::to_owned);
        Self {
            practitioner,
            source: text("source").unwrap_or_default(),
            since: text("since"),
            last_seen: text("last_seen"),
            digest: bytes(item, "digest").map(<[u8]>::to_vec),
        }
    }

    pub fn is_made_in_portal(&self) -> bool {
        self.source == PORTAL
    }
}

/// A member of a care team as an import finds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub practitioner: PractitionerId,
    /// `care-team` or `encounter`.
    pub source: &'static str,
    /// Both in the form that sorts.
    pub since: Option<String>,
    pub last_seen: Option<String>,
    /// Role and name as the source gives them, JSON.
    pub particulars: Vec<u8>,
}

impl Member {
    /// Does the row already say so?
    pub fn stands_in(&self, row: &CareTeamRow, key: &DataKey) -> Result<bool, Fault> {
        Ok(row.source == self.source
            && row.since == self.since
            && row.last_seen == self.last_seen
            && row.digest.as_deref() == Some(digest(key, &self.particulars)?.as_slice()))
    }
}

/// A patient whom the portal has not seen before.
pub struct NewPatient<'a> {
    pub patient: PatientId,
    pub mrn_mac: &'a str,
    pub mrn_system: Option<&'a str>,
    pub wrapped_key: Vec<u8>,
    /// The Patient resource.
    pub profile: &'a [u8],
    pub profile_digest: &'a [u8],
    pub file: &'a str,
}

/// The patients table, and the audit log that each import of a patient begins and ends in.
pub struct Imports {
    pub(super) client: Client,
    pub(super) table: String,
    audit: Audit,
}

impl Imports {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::PatientsTable)?,
            audit: Audit::new(aws)?,
        })
    }

    /// The audit log.
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The patient with this medical record number.
    pub async fn by_number(&self, mrn_mac: &str) -> Result<Option<KnownNumber>, Fault> {
        let Some(item) = self.leading(&mrn_key(mrn_mac)).await? else {
            return Ok(None);
        };
        Ok(Some(KnownNumber {
            patient: led_to(&item)?,
            system: string(&item, "system").map(str::to_owned),
        }))
    }

    /// The one patient whom other files refer to by this alias.
    pub async fn by_alias(&self, alias_mac: &str) -> Result<Option<PatientId>, Fault> {
        match self.leading(&alias_key(alias_mac)).await? {
            Some(item) if !item.contains_key("ambiguous") => led_to(&item).map(Some),
            _ => Ok(None),
        }
    }

    /// Lets an alias lead to the patient. One that two patients claim leads to neither: a reference
    /// by it must not put one's results into the other's record.
    pub async fn claim_alias(&self, alias_mac: &str, patient: PatientId) -> Result<(), Fault> {
        let pk = alias_key(alias_mac);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(&pk))
            .item("sk", s(LEADS_TO))
            .item("patient", s(patient.to_string()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        if !unless_condition(put)? {
            let update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("pk", s(&pk))
                .key("sk", s(LEADS_TO))
                .update_expression("SET ambiguous = :yes")
                .condition_expression("patient <> :patient")
                .expression_attribute_values(":yes", AttributeValue::Bool(true))
                .expression_attribute_values(":patient", s(patient.to_string()))
                .send()
                .await;
            unless_condition(update)?;
        }
        Ok(())
    }

    async fn leading(&self, pk: &str) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(LEADS_TO))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item)
    }

    /// What stands in a patient's rows.
    pub async fn standing(&self, patient: PatientId) -> Result<Standing, Fault> {
        const TORN: Fault = Fault::Corrupt("a patient's context row");
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :context)")
            .expression_attribute_values(":pk", s(patient_key(patient)))
            .expression_attribute_values(":context", s("CONTEXT#"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let mut standing = Standing {
            wrapped_key: Vec::new(),
            profile_digest: None,
            profile: Vec::new(),
            importing: Vec::new(),
            care_team: Vec::new(),
        };
        let mut profile = None;
        for item in answer.items.unwrap_or_default() {
            let sk = string(&item, "sk").ok_or(TORN)?;
            if sk == KEY {
                standing.wrapped_key = bytes(&item, "wrapped").ok_or(TORN)?.to_vec();
            } else if let Some(id) = sk.strip_prefix(CARE_TEAM) {
                let id = id.parse().map_err(|_| TORN)?;
                standing.care_team.push(CareTeamRow::of(id, &item));
            } else if sk == PROFILE {
                profile = Some(item);
            }
        }
        // The three come into being together.
        if standing.wrapped_key.is_empty() {
            return Err(Fault::Corrupt("a patient without a data key"));
        }
        let profile = profile.ok_or(Fault::Corrupt("a patient without a profile"))?;
        standing.profile_digest = bytes(&profile, "digest").map(<[u8]>::to_vec);
        standing.profile = bytes(&profile, SEALED).ok_or(TORN)?.to_vec();
        standing.importing = importing(&profile);
        Ok(standing)
    }

    /// Makes a patient: number, data key and profile, incomplete, with the audit record that the
    /// import has begun. False if somebody else has made one with the same number meanwhile.
    pub async fn create(
        &self,
        record: &Record,
        new: NewPatient<'_>,
        key: &DataKey,
    ) -> Result<bool, Fault> {
        let pk = patient_key(new.patient);
        let put = || {
            Put::builder()
                .table_name(&self.table)
                .condition_expression("attribute_not_exists(pk)")
        };
        let mut number = put()
            .item("pk", s(mrn_key(new.mrn_mac)))
            .item("sk", s(LEADS_TO))
            .item("patient", s(new.patient.to_string()));
        if let Some(system) = new.mrn_system {
            number = number.item("system", s(system));
        }
        let wrapped = put()
            .item("pk", s(&pk))
            .item("sk", s(KEY))
            .item("wrapped", b(new.wrapped_key));
        let profile = put()
            .item("pk", s(&pk))
            .item("sk", s(PROFILE))
            .item("import_state", s(ImportState::Incomplete.as_str()))
            .item("importing", AttributeValue::Ss(vec![new.file.to_owned()]))
            .item("source", s(new.file))
            .item("digest", b(new.profile_digest))
            .item(SEALED, b(seal(key, &profile_place(&pk), new.profile)?));
        let writes = [number, wrapped, profile].into_iter().map(|put| {
            let put = put.build().map_err(|_| Fault::Defect("a put"))?;
            Ok(Write {
                item: TransactWriteItem::builder().put(put).build(),
                conflict: Problem::changed_meanwhile(),
            })
        });
        let writes = writes.collect::<Result<_, Fault>>()?;
        match self.audit.commit(record, &[], writes).await? {
            Commit::Done(_) => Ok(true),
            Commit::Conflict(_) => Ok(false),
        }
    }

    /// Marks the record as incomplete before anything of the file is written to it, in one
    /// transaction with the audit record that the import has begun: it stands even if nothing more
    /// is heard of the import.
    pub async fn begin(
        &self,
        record: &Record,
        patient: PatientId,
        file: &str,
    ) -> Result<(), Fault> {
        for _ in 0..ATTEMPTS {
            let update = Update::builder()
                .table_name(&self.table)
                .key("pk", s(patient_key(patient)))
                .key("sk", s(PROFILE))
                .update_expression("SET import_state = :incomplete ADD importing :file")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":incomplete", s(ImportState::Incomplete.as_str()))
                .expression_attribute_values(":file", AttributeValue::Ss(vec![file.to_owned()]))
                .build()
                .map_err(|_| Fault::Defect("an update"))?;
            let write = Write {
                item: TransactWriteItem::builder().update(update).build(),
                conflict: Problem::changed_meanwhile(),
            };
            match self.audit.commit(record, &[], vec![write]).await {
                Ok(Commit::Done(_)) => return Ok(()),
                Ok(Commit::Conflict(_)) => {
                    return Err(Fault::Corrupt("a patient without a profile"));
                }
                Err(AGAIN) => {}
                Err(other) => return Err(other),
            }
        }
        Err(AGAIN)
    }

    /// Ends the import of a file into a patient's record, in one transaction with its audit record.
    /// The record is complete when no other file is still being written to it.
    ///
    /// What there is then is counted: whichever import ends last has seen what all of them wrote,
    /// because the condition on the open files fails if another ended in between.
    pub async fn end(
        &self,
        record: &Record,
        patient: PatientId,
        file: &str,
        profile: Option<(&[u8], &[u8])>,
        key: &DataKey,
        records: &Records,
    ) -> Result<(), Fault> {
        let pk = patient_key(patient);
        for _ in 0..ATTEMPTS {
            let open = self.importing(&pk).await?;
            let counts = Counts::tally(&records.stored(patient).await?);
            let counts = serde_json::to_vec(&counts).map_err(|_| Fault::Defect("counts"))?;
            let one = |file: &str| AttributeValue::Ss(vec![file.to_owned()]);
            let mut set = vec!["#source = :source, counts = :counts"];
            let mut update = Update::builder()
                .table_name(&self.table)
                .key("pk", s(&pk))
                .key("sk", s(PROFILE))
                .expression_attribute_names("#source", "source")
                .expression_attribute_values(":source", s(file))
                .expression_attribute_values(":counts", b(seal(key, &counts_place(&pk), &counts)?));
            if let Some((json, digest)) = profile {
                set.push("sealed = :sealed, digest = :digest");
                update = update
                    .expression_attribute_values(
                        ":sealed",
                        b(seal(key, &profile_place(&pk), json)?),
                    )
                    .expression_attribute_values(":digest", b(digest));
            }
            let change = match open.as_slice() {
                [only] if only == file => {
                    set.push("import_state = :complete");
                    update = update
                        .condition_expression("importing = :open")
                        .expression_attribute_values(":open", one(file))
                        .expression_attribute_values(
                            ":complete",
                            s(ImportState::Complete.as_str()),
                        );
                    format!("SET {} REMOVE importing", set.join(", "))
                }
                several if several.iter().any(|open| open == file) => {
                    update = update
                        .condition_expression("importing = :open")
                        .expression_attribute_values(":open", AttributeValue::Ss(open.clone()))
                        .expression_attribute_values(":file", one(file));
                    format!("SET {} DELETE importing :file", set.join(", "))
                }
                // The same file was imported twice at the same time, and the other was first.
                _ => {
                    self.audit.write(record).await?;
                    return Ok(());
                }
            };
            let update = update
                .update_expression(change)
                .build()
                .map_err(|_| Fault::Defect("an update"))?;
            let write = Write {
                item: TransactWriteItem::builder().update(update).build(),
                conflict: Problem::changed_meanwhile(),
            };
            match self
                .audit
                .commit(&record.followed_by(record.outcome), &[], vec![write])
                .await
            {
                Ok(Commit::Done(_)) => return Ok(()),
                Ok(Commit::Conflict(_)) | Err(AGAIN) => {}
                Err(other) => return Err(other),
            }
        }
        Err(AGAIN)
    }

    async fn importing(&self, pk: &str) -> Result<Vec<String>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(PROFILE))
            .projection_expression("importing")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item.as_ref().map(importing).unwrap_or_default())
    }

    /// Puts somebody on a patient's care team, unless an administrator has.
    pub async fn put_member(
        &self,
        patient: PatientId,
        member: &Member,
        key: &DataKey,
    ) -> Result<(), Fault> {
        let pk = patient_key(patient);
        let sk = format!("{CARE_TEAM}{}", member.practitioner);
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk: &sk,
            attribute: SEALED,
        };
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(&pk))
            .item("sk", s(&sk))
            .item("source", s(member.source))
            .item("practitioner", s(member.practitioner.to_string()))
            .item(
                "active_at",
                s(activity(
                    member.since.as_deref(),
                    member.last_seen.as_deref(),
                )),
            )
            .item("digest", b(digest(key, &member.particulars)?))
            .item(SEALED, b(seal(key, &place, &member.particulars)?));
        for (name, time) in [("since", &member.since), ("last_seen", &member.last_seen)] {
            if let Some(time) = time {
                put = put.item(name, s(time));
            }
        }
        let put = put
            .condition_expression("attribute_not_exists(pk) OR #source <> :portal")
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":portal", s(PORTAL))
            .send()
            .await;
        unless_condition(put)?;
        Ok(())
    }

    /// Takes somebody off a patient's care team, unless an administrator put them there.
    pub async fn remove_member(
        &self,
        patient: PatientId,
        practitioner: PractitionerId,
    ) -> Result<(), Fault> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(format!("{CARE_TEAM}{practitioner}")))
            .condition_expression("#source <> :portal")
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":portal", s(PORTAL))
            .send()
            .await;
        unless_condition(delete)?;
        Ok(())
    }
}

/// Whether a write was made; an error only if it was not its condition that kept it from being.
pub(super) fn unless_condition<T, E>(
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<bool, Fault>
where
    E: ProvideErrorMetadata,
{
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(fault("DynamoDB", &error)),
    }
}

fn mrn_key(mac: &str) -> String {
    format!("MRN#{mac}")
}

fn alias_key(mac: &str) -> String {
    format!("ALIAS#{mac}")
}

fn led_to(item: &Item) -> Result<PatientId, Fault> {
    let patient = string(item, "patient").and_then(|id| id.parse().ok());
    patient.ok_or(Fault::Corrupt("a row that leads to a patient"))
}

fn importing(profile: &Item) -> Vec<String> {
    let files = profile
        .get("importing")
        .and_then(|files| files.as_ss().ok());
    files.cloned().unwrap_or_default()
}

const fn profile_place(pk: &str) -> Place<'_> {
    Place {
        table: TABLE,
        pk,
        sk: PROFILE,
        attribute: SEALED,
    }
}
