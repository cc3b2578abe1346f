//! What CloudWatch Logs delivers to a subscription:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::Fault;
use shared::audit::{Outcome, Record};
use std::io::Read;
use uuid::Uuid;

/// Far more than a delivery unpacks to, and far less than the function's memory.
const MOST: u64 = 32 * 1024 * 1024;

const TORN: Fault = Fault::Corrupt("a delivery of log events");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    message_type: String,
    #[serde(default)]
    log_events: Vec<Line>,
}

/// A line of a log group.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    id: String,
    timestamp: i64,
    pub(crate) message: String,
}

/// The lines of a delivery: base64 of gzip of JSON. One that only says that the subscription is there
/// has none.
pub(crate) fn lines(event: &Value) -> Result<Vec<Line>, Fault> {
    let data = event.pointer("/awslogs/data").and_then(Value::as_str);
    let zipped = STANDARD.decode(data.ok_or(TORN)?).map_err(|_| TORN)?;
    let mut text = String::new();
    let mut unzipped = GzDecoder::new(zipped.as_slice()).take(MOST);
    unzipped.read_to_string(&mut text).map_err(|_| TORN)?;
    let delivery: Delivery = serde_json::from_str(&text).map_err(|_| TORN)?;
    match delivery.message_type.as_str() {
        "DATA_MESSAGE" => Ok(delivery.log_events),
        "CONTROL_MESSAGE" => Ok(Vec::new()),
        _ => Err(TORN),
    }
}

impl Line {
    /// The record of a line that does not say what was attempted. The log group has what it says.
    pub(crate) fn unreadable(&self, run: &Record) -> Result<Record, Fault> {
        Ok(Record {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, self.id.as_bytes()),
            at: Timestamp::from_millisecond(self.timestamp).map_err(|_| TORN)?,
            outcome: Outcome::Invalid,
            reason: Some("unreadable"),
            ..run.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;
    use std::io::Write;

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn event(zipped: &[u8]) -> Value {
        json!({"awslogs": {"data": STANDARD.encode(zipped)}})
    }

    fn delivered(delivery: &Value) -> Result<Vec<Line>, Fault> {
        lines(&event(&zipped(delivery.to_string().as_bytes())))
    }

    #[test]
    fn lines_come_as_they_were_written() {
        let mut delivery = json!({
            "messageType": "DATA_MESSAGE",
            "owner": "123456789012",
            "logGroup": "/portal/portal/sign-ins",
            "logStream": "stream",
            "subscriptionFilters": ["attempts"],
            "logEvents": [
                {"id": "3195", "timestamp": 1_432_826_855_000_i64, "message": "first"},
                {"id": "3196", "timestamp": 1_432_826_855_001_i64, "message": "{\"second\": 2}"},
            ],
        });
        let lines = delivered(&delivery).unwrap();
        let messages: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(messages, ["first", "{\"second\": 2}"]);
        assert_eq!(
            (lines[1].id.as_str(), lines[1].timestamp),
            ("3196", 1_432_826_855_001)
        );
        // That the subscription was made; the line in it is CloudWatch's own.
        delivery["messageType"] = json!("CONTROL_MESSAGE");
        assert!(delivered(&delivery).unwrap().is_empty());
    }

    #[test]
    fn what_is_torn_is_taken_as_a_whole_or_not_at_all() {
        let line = json!({"id": "1", "timestamp": 0, "message": "a"});
        let whole = json!({"messageType": "DATA_MESSAGE", "logEvents": [line]}).to_string();
        let good = zipped(whole.as_bytes());
        assert_eq!(lines(&event(&good)).unwrap().len(), 1);
        let short = &good[..good.len() - 9];
        let mut wrong = good.clone();
        let sum = wrong.len() - 8;
        wrong[sum] ^= 1;
        for bytes in [
            &[][..],
            short,
            wrong.as_slice(),
            whole.as_bytes(),
            &zipped(b"{\"messageType\":"),
            &zipped(b"\xff\xfe"),
            &zipped(b"{\"messageType\": \"OTHER\", \"logEvents\": []}"),
            &zipped(b"{\"messageType\": \"DATA_MESSAGE\", \"logEvents\": [{\"message\": \"a\"}]}"),
        ] {
            lines(&event(bytes)).unwrap_err();
        }
        for event in [json!(null), json!({}), json!({"awslogs": {"data": 7}})] {
            lines(&event).unwrap_err();
        }
        lines(&json!({"awslogs": {"data": "not base64!"}})).unwrap_err();
    }

    /// A few kilobytes that unpack to more than the function has memory for.
    #[test]
    fn what_unpacks_without_end_is_refused() {
        let size = usize::try_from(MOST).unwrap() + 1;
        let mut text = br#"{"messageType": "CONTROL_MESSAGE", "padding": ""#.to_vec();
        text.resize(size, b' ');
        text.extend(br#""}"#);
        lines(&event(&zipped(&text))).unwrap_err();
    }
}
