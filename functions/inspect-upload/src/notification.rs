//! What S3 says about a new object: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>.

use serde_json::Value;
use shared::ids::{DocumentId, PatientId};
use shared::store::key_of_file;

/// The upload that a notification is about; S3 sends one for each.
pub(crate) fn upload(event: &Value) -> Option<(PatientId, DocumentId)> {
    let records = event.get("Records")?.as_array()?;
    let [record] = records.as_slice() else {
        return None;
    };
    // Keys come as in a form, in which ids and slashes stand for themselves.
    key_of_file(record.pointer("/s3/object/key")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_object_with_the_key_of_an_upload() {
        let key = "3b0e8f6a-52c4-4d1b-8a8e-6f0a4c9d2e01/7f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c11";
        let record = |key: &str| json!({"s3": {"object": {"key": key}}});
        assert!(upload(&json!({"Records": [record(key)]})).is_some());
        for event in [
            json!({"Event": "s3:TestEvent"}),
            json!({"Records": []}),
            json!({"Records": [record(key), record(key)]}),
            json!({"Records": [record("a/b")]}),
            json!({"Records": [{}]}),
            json!([]),
        ] {
            assert!(upload(&event).is_none(), "{event}");
        }
    }
}
