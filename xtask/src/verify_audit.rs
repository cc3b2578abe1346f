//! Whether the audit log is what was written: of a downloaded archive with the public key alone, or of
//! everything that a local portal has. docs/AUDIT.md says what is found and what is not.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::audit::archive::{checkpoint_key, checkpoint_number, first_line, object_key, stream};
use shared::audit::chain::{CHAINS, lines, plain};
use shared::audit::checkpoint::PublicKey;
use shared::audit::verify::{Copies, Finding, Key, Walked, key_of, walk};

use crate::aws::{Aws, Method};
use crate::home::Portal;

/// So long a record may take from the table into the archive.
const ARCHIVED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Reads the key that checkpoints are signed with from a file of PEM.
pub fn public_key(file: &Path) -> Result<PublicKey> {
    let pem =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    PublicKey::from_pem(&pem).with_context(|| format!("{} is no public key", file.display()))
}

/// Walks a folder that the bucket was downloaded into.
pub async fn offline(folder: &Path, key: &PublicKey) -> Result<Walked> {
    walk(&Folder(folder.to_path_buf()), key, 0, |_| ()).await
}

struct Folder(PathBuf);

impl Folder {
    /// The files of a folder, by their keys in the bucket, in order.
    fn keys(&self, folder: &str) -> Result<BTreeSet<String>> {
        let path = self.0.join(folder);
        if !path.is_dir() {
            return Ok(BTreeSet::new());
        }
        let names = fs::read_dir(path)?.map(|entry| {
            let name = entry?.file_name();
            Ok(format!("{folder}{}", name.to_string_lossy()))
        });
        names.collect()
    }
}

impl Copies for Folder {
    type Error = anyhow::Error;

    async fn checkpoints(&self, after: u64) -> Result<Vec<u64>> {
        Ok(numbers(&self.keys("checkpoints/")?, after))
    }

    async fn checkpoint(&self, number: u64) -> Result<Option<Vec<u8>>> {
        let file = self.0.join(checkpoint_key(number));
        Ok(if file.is_file() {
            Some(fs::read(file)?)
        } else {
            None
        })
    }

    async fn objects(&self, chain: u8, after: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let keys = between(&self.keys(&format!("chains/{chain}/"))?, chain, after, to);
        let objects = keys.into_iter().map(|key| Ok(fs::read(self.0.join(key))?));
        objects.collect()
    }

    async fn log(&self, _: u8, _: i64, _: i64) -> Result<Option<Vec<(i64, String)>>> {
        Ok(None)
    }

    async fn rows(&self, _: Vec<Key>) -> Result<Option<BTreeMap<Key, Value>>> {
        Ok(None)
    }
}

fn numbers(keys: &BTreeSet<String>, after: u64) -> Vec<u64> {
    let numbers = keys.iter().filter_map(|key| checkpoint_number(key));
    numbers.filter(|number| *number > after).collect()
}

fn between(keys: &BTreeSet<String>, chain: u8, after: u64, to: u64) -> Vec<String> {
    let (after, to) = (object_key(chain, after), object_key(chain, to));
    let keys = keys.iter().filter(|key| **key > after && **key <= to);
    let keys = keys.filter(|key| first_line(key).is_some());
    keys.cloned().collect()
}

/// What the emulator calls the things that are compared.
pub struct Names {
    pub table: String,
    pub archive: String,
    pub log_group: String,
    pub signing_key: String,
}

impl Names {
    pub fn of(portal: &Portal) -> Result<Self> {
        let output = |name: &str| {
            let output = portal.outputs.get(name).cloned();
            output.with_context(|| format!("the stack has no output {name}"))
        };
        Ok(Self {
            table: output("AuditTableName")?,
            archive: output("AuditArchiveName")?,
            log_group: output("AuditLogGroup")?,
            signing_key: output("SigningKeyId")?,
        })
    }
}

/// Walks archive, log group and table of a local portal, and looks for records in the table that never
/// came into the archive.
pub async fn online(aws: &Aws, names: &Names) -> Result<Walked> {
    let asked = json!({"KeyId": names.signing_key});
    let answer = aws.call("kms", "TrentService.GetPublicKey", &asked).await?;
    let answer = answer.ok()?;
    let key = answer.get("PublicKey").and_then(Value::as_str);
    let key = PublicKey::from_der(BASE64_STANDARD.decode(key.context("no public key")?)?);
    let local = Local {
        aws,
        names,
        rows: scan(aws, &names.table).await?,
        keys: keys(aws, &names.archive).await?,
    };
    let mut archived = BTreeSet::new();
    let note = |record: Option<&Value>, archived: &mut BTreeSet<Key>| {
        archived.extend(record.and_then(key_of));
    };
    let mut walked = walk(&local, &key, 0, |line| {
        note(
            line.body.as_ref().and_then(|body| body.record.as_ref()),
            &mut archived,
        );
    })
    .await?;
    // What waits for the next checkpoint.
    for (chain, head) in (0..CHAINS).zip(&walked.last.chains) {
        for object in local.objects(chain, head.sequence, u64::MAX).await? {
            for line in lines(&object) {
                note(
                    line.body.as_ref().and_then(|body| body.record.as_ref()),
                    &mut archived,
                );
            }
        }
    }
    let sealed = Timestamp::from_millisecond(walked.last.at)? - ARCHIVED_WITHIN;
    for (key, row) in &local.rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        // Whatever says no time is none of the portal's records.
        let at = text("at").and_then(|at| at.parse::<Timestamp>().ok());
        if !archived.contains(key) && at.is_none_or(|at| at < sealed) {
            let record = text("id").map(str::to_owned);
            walked.findings.push(Finding::NotArchived { record });
        }
    }
    Ok(walked)
}

struct Local<'a> {
    aws: &'a Aws,
    names: &'a Names,
    rows: BTreeMap<Key, Value>,
    /// Of every object in the archive.
    keys: BTreeSet<String>,
}

impl Local<'_> {
    async fn object(&self, key: &str) -> Result<Vec<u8>> {
        let path = format!("/{}/{key}", self.names.archive);
        let answer = self.aws.request("s3", Method::GET, &path).send().await?;
        if !answer.status().is_success() {
            bail!("{key}: the emulator answered {}", answer.status());
        }
        Ok(answer.bytes().await?.to_vec())
    }
}

impl Copies for Local<'_> {
    type Error = anyhow::Error;

    async fn checkpoints(&self, after: u64) -> Result<Vec<u64>> {
        Ok(numbers(&self.keys, after))
    }

    async fn checkpoint(&self, number: u64) -> Result<Option<Vec<u8>>> {
        let key = checkpoint_key(number);
        Ok(if self.keys.contains(&key) {
            Some(self.object(&key).await?)
        } else {
            None
        })
    }

    async fn objects(&self, chain: u8, after: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let mut objects = Vec::new();
        for key in between(&self.keys, chain, after, to) {
            objects.push(self.object(&key).await?);
        }
        Ok(objects)
    }

    async fn log(&self, chain: u8, after: i64, to: i64) -> Result<Option<Vec<(i64, String)>>> {
        let mut asked = json!({
            "logGroupName": self.names.log_group,
            "logStreamName": stream(chain),
            "startTime": after + 1,
            "endTime": to + 1,
            "startFromHead": true,
        });
        let mut events = Vec::new();
        loop {
            let target = "Logs_20140328.GetLogEvents";
            let answer = self.aws.call("logs", target, &asked).await?;
            if answer.code() == "ResourceNotFoundException" && !answer.is_ok() {
                return Ok(Some(events));
            }
            let answer = answer.ok()?;
            let found = answer.get("events").and_then(Value::as_array);
            events.extend(found.into_iter().flatten().filter_map(|event| {
                let text = event.get("message")?.as_str()?.to_owned();
                Some((event.get("timestamp")?.as_i64()?, text))
            }));
            // At the end the token stays what it was.
            let next = answer.get("nextForwardToken").cloned().unwrap_or_default();
            if next.is_null() || asked.get("nextToken") == Some(&next) {
                return Ok(Some(events));
            }
            if let Some(asked) = asked.as_object_mut() {
                asked.insert("nextToken".to_owned(), next);
            }
        }
    }

    async fn rows(&self, keys: Vec<Key>) -> Result<Option<BTreeMap<Key, Value>>> {
        let rows = keys.into_iter().filter_map(|key| {
            let row = self.rows.get(&key)?.clone();
            Some((key, row))
        });
        Ok(Some(rows.collect()))
    }
}

/// Every row of the table. No function of the portal may read it whole; who checks it has to.
async fn scan(aws: &Aws, table: &str) -> Result<BTreeMap<Key, Value>> {
    let mut rows = BTreeMap::new();
    let mut asked = json!({"TableName": table, "ConsistentRead": true});
    loop {
        let target = "DynamoDB_20120810.Scan";
        let page = aws.call("dynamodb", target, &asked).await?.ok()?;
        let items = page.get("Items").and_then(Value::as_array);
        let items = items.into_iter().flatten().filter_map(Value::as_object);
        rows.extend(
            items
                .map(plain)
                .filter_map(|row| Some((key_of(&row)?, row))),
        );
        let Some(start) = page.get("LastEvaluatedKey").filter(|key| !key.is_null()) else {
            return Ok(rows);
        };
        if let Some(asked) = asked.as_object_mut() {
            asked.insert("ExclusiveStartKey".to_owned(), start.clone());
        }
    }
}

/// The keys of a bucket.
async fn keys(aws: &Aws, bucket: &str) -> Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    let mut after = String::new();
    loop {
        let path = format!("/{bucket}?list-type=2&start-after={after}");
        let answer = aws.request("s3", Method::GET, &path).send().await?;
        let xml = answer.error_for_status()?.text().await?;
        let found = xml.split("<Key>").skip(1);
        keys.extend(found.filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())));
        let Some(last) = keys.last() else {
            return Ok(keys);
        };
        if !xml.contains("<IsTruncated>true</IsTruncated>") {
            return Ok(keys);
        }
        after.clone_from(last);
    }
}
