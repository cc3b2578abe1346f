//! Chains of audit records: each line has the hash of the line before it, so that none can be altered,
//! removed, inserted or moved without the ones behind it telling (45 CFR 164.312(c)(2)). docs/AUDIT.md
//! has the format for those who want to check it with a program of their own. No I/O.

use crate::Fault;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many chains there are. A record's partition says which it is in, so that everything about one
/// patient, or by one account, is in one.
pub const CHAINS: u8 = 4;

/// The kind of a line that is a record as it was written.
pub const INSERT: &str = "INSERT";

/// SHA-256, in lower-case hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, bytes).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The chain that a partition of the audit table is in.
fn chain_of(partition: &str) -> u8 {
    let digest = digest(&SHA256, partition.as_bytes());
    digest.as_ref().first().map_or(0, |byte| byte % CHAINS)
}

/// How far a chain has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// When the last line was archived, in milliseconds since 1970; later than the one before it, unless
    /// they were archived together.
    pub at: i64,
    /// The hash of the last line.
    pub hash: String,
    /// The number of the last line.
    pub sequence: u64,
}

impl Head {
    /// Before the first line.
    pub fn start() -> Self {
        Self {
            at: 0,
            hash: "0".repeat(64),
            sequence: 0,
        }
    }
}

/// What the audit table's stream tells: a record that was written, or that was changed or removed,
/// which nobody may do.
#[derive(Debug, Clone)]
pub struct Change {
    /// The stream's own id of it, which stays the same however often it is told.
    pub event: String,
    /// Where in its shard it stands.
    pub position: String,
    pub chain: u8,
    kind: String,
    /// When it happened, in seconds since 1970.
    created: i64,
    record: Option<Value>,
    former: Option<Value>,
}

impl Change {
    /// Was the record written, and nothing else?
    pub fn is_insert(&self) -> bool {
        self.kind == INSERT
    }

    pub const fn created(&self) -> i64 {
        self.created
    }

    /// The record as it is now.
    pub const fn record(&self) -> Option<&Value> {
        self.record.as_ref()
    }
}

/// The changes of a stream's batch. What cannot be read makes the batch fail: nothing is to be passed
/// over.
pub fn changes(batch: &Value) -> Result<Vec<Change>, Fault> {
    const TORN: Fault = Fault::Corrupt("an event of the audit table's stream");
    let records = batch.get("Records").and_then(Value::as_array).ok_or(TORN)?;
    records
        .iter()
        .map(|record| change(record).ok_or(TORN))
        .collect()
}

fn change(record: &Value) -> Option<Change> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let image = |name: &str| {
        let image = record.get("dynamodb")?.get(name)?;
        image.as_object().map(plain)
    };
    let created = record.pointer("/dynamodb/ApproximateCreationDateTime");
    #[expect(clippy::cast_possible_truncation, reason = "seconds")]
    let created = created.and_then(Value::as_f64).unwrap_or_default() as i64;
    Some(Change {
        event: text("/eventID")?.to_owned(),
        position: text("/dynamodb/SequenceNumber")?.to_owned(),
        chain: chain_of(text("/dynamodb/Keys/pk/S")?),
        kind: text("/eventName")?.to_owned(),
        created,
        record: image("NewImage"),
        former: image("OldImage"),
    })
}

/// An item with its strings as strings. A record has nothing else; what somebody put there keeps the
/// type that DynamoDB gives it.
pub fn plain(item: &Map<String, Value>) -> Value {
    let attributes = item.iter().map(|(name, value)| {
        let text = value.get("S").filter(|text| text.is_string());
        (name.clone(), text.unwrap_or(value).clone())
    });
    Value::Object(attributes.collect())
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Body {
    pub at: i64,
    pub chain: u8,
    pub created: i64,
    pub event: String,
    pub former: Option<Value>,
    pub kind: String,
    pub previous: String,
    pub record: Option<Value>,
    pub sequence: u64,
}

/// A line of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Canonical JSON (RFC 8785), as it was archived.
    pub text: String,
    pub hash: String,
    /// None if it cannot be read.
    pub body: Option<Body>,
}

impl Line {
    pub fn read(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            hash: hash(text.as_bytes()),
            body: serde_json::from_str(text).ok(),
        }
    }

    /// The id of the record that it is about.
    pub fn record(&self) -> Option<&str> {
        let body = self.body.as_ref()?;
        let record = body.record.as_ref().or(body.former.as_ref())?;
        record.get("id")?.as_str()
    }
}

/// The same with the names of every object in order: whether serde_json sorts them is anybody's choice in
/// the build. What it writes then is canonical, since no name here is beyond ASCII and no number a
/// fraction.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let names: BTreeMap<_, _> = map.iter().collect();
            let names = names.into_iter();
            Value::Object(
                names
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Appends changes to a chain: its new lines, and how far it has come.
pub fn link(head: &Head, chain: u8, at: i64, changes: &[Change]) -> (Vec<Line>, Head) {
    let mut head = head.clone();
    let mut lines = Vec::with_capacity(changes.len());
    for change in changes {
        let mut line = json!({
            "at": at,
            "chain": chain,
            "created": change.created,
            "event": change.event,
            "kind": change.kind,
            "previous": head.hash,
            "sequence": head.sequence + 1,
        });
        for (name, image) in [("record", &change.record), ("former", &change.former)] {
            if let (Some(line), Some(image)) = (line.as_object_mut(), image) {
                line.insert(name.to_owned(), image.clone());
            }
        }
        let line = Line::read(&sorted(&line).to_string());
        head = Head {
            at,
            hash: line.hash.clone(),
            sequence: head.sequence + 1,
        };
        lines.push(line);
    }
    (lines, head)
}

/// The lines of an object, each ended by a newline.
pub fn lines(object: &[u8]) -> Vec<Line> {
    let text = String::from_utf8_lossy(object);
    text.lines().map(Line::read).collect()
}

/// Reads the object that continues a chain: its lines, and how far the chain has come. None if it does
/// not continue it.
pub fn follow(head: &Head, chain: u8, object: &[u8]) -> Option<(Vec<Line>, Head)> {
    let mut head = head.clone();
    let lines = lines(object);
    for line in &lines {
        let body = line.body.as_ref()?;
        let follows = body.chain == chain
            && body.sequence == head.sequence + 1
            && body.previous == head.hash
            && body.at >= head.at;
        if !follows {
            return None;
        }
        head = Head {
            at: body.at,
            hash: line.hash.clone(),
            sequence: body.sequence,
        };
    }
    (!lines.is_empty()).then_some((lines, head))
}

/// Now, and later than whatever the chain has: so the times of two objects of a chain never overlap.
pub fn later(head: &Head, now: Timestamp) -> i64 {
    now.as_millisecond().max(head.at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, event: &str, pk: &str) -> Value {
        json!({"eventID": event, "eventName": kind, "dynamodb": {
            "ApproximateCreationDateTime": 1_795_305_600.0, "SequenceNumber": "7",
            "Keys": {"pk": {"S": pk}, "sk": {"S": "x"}},
            "NewImage": {"pk": {"S": pk}, "sk": {"S": "x"}, "id": {"S": event}, "n": {"N": "1"}}}})
    }

    #[test]
    fn a_line_is_canonical_and_has_the_hash_of_the_one_before() {
        let batch =
            json!({"Records": [told("INSERT", "a", "PORTAL#é\u{1}"), told("MODIFY", "b", "p")]});
        let changes = changes(&batch).unwrap();
        let (lines, head) = link(&Head::start(), 2, 9, &changes);
        let zeros = "0".repeat(64);
        assert_eq!(
            lines[0].text,
            format!(
                "{{\"at\":9,\"chain\":2,\"created\":1795305600,\"event\":\"a\",\"kind\":\"INSERT\",\
                 \"previous\":\"{zeros}\",\"record\":{{\"id\":\"a\",\"n\":{{\"N\":\"1\"}},\
                 \"pk\":\"PORTAL#é\\u0001\",\"sk\":\"x\"}},\"sequence\":1}}"
            )
        );
        let second = lines[1].body.as_ref().unwrap();
        assert_eq!(second.previous, hash(lines[0].text.as_bytes()));
        assert_eq!((head.sequence, &head.hash), (2, &lines[1].hash));
        let object = format!("{}\n{}\n", lines[0].text, lines[1].text);
        let (read, end) = follow(&Head::start(), 2, object.as_bytes()).unwrap();
        assert_eq!((read, end), (lines, head));
        assert!(follow(&Head::start(), 1, object.as_bytes()).is_none());
    }

    #[test]
    fn what_cannot_be_read_is_not_passed_over() {
        let batch = json!({"Records": [told("INSERT", "a", "p"), {}]});
        assert!(changes(&batch).is_err());
    }
}
