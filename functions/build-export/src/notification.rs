//! S3's notification of a request: an object `requests/<patient>/<export>`.

use serde_json::Value;
use shared::ids::{ExportId, PatientId};

/// Whose copy is asked for, and which; none if the event is about something else.
pub(crate) fn read(event: &Value) -> Option<(PatientId, ExportId)> {
    let key = event.pointer("/Records/0/s3/object/key")?.as_str()?;
    let (patient, export) = key.strip_prefix("requests/")?.split_once('/')?;
    Some((patient.parse().ok()?, export.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_request_is_one() {
        let read = |key: &str| read(&json!({"Records": [{"s3": {"object": {"key": key}}}]}));
        let id = "7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11";
        assert!(read(&format!("requests/{id}/{id}")).is_some());
        for other in [
            format!("files/{id}/{id}/fhir"),
            format!("requests/{id}"),
            format!("requests/{id}/{id}/more"),
            "requests/..%2F/x".to_owned(),
            String::new(),
        ] {
            assert!(read(&other).is_none(), "{other}");
        }
        assert!(super::read(&json!({"Event": "s3:TestEvent"})).is_none());
    }
}
