//! An audit record in the one form that digests are made of, so that what stands in the table, in an
//! export and in an archive can be compared.

use crate::Fault;
use crate::store::Item;
use aws_lc_rs::digest;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A JSON object of all attributes, keys included, sorted by name, without white space. A record has
/// nothing but text.
pub fn canonical(record: &Item) -> Result<String, Fault> {
    const TORN: Fault = Fault::Corrupt("an audit record");
    let attributes = record.iter().map(|(name, value)| {
        let text = value.as_s().map_err(|_| TORN)?;
        Ok((name.as_str(), text.as_str()))
    });
    let sorted = attributes.collect::<Result<BTreeMap<_, _>, Fault>>()?;
    serde_json::to_string(&sorted).map_err(|_| Fault::Defect("an audit record as JSON"))
}

/// The SHA-256 of a text, in hexadecimal digits.
pub fn sha256(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut digits = String::new();
    for byte in digest.as_ref() {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::s;
    use aws_sdk_dynamodb::types::AttributeValue;

    #[test]
    fn one_record_has_one_form() {
        let record = |names: [&str; 3]| -> Item {
            let named = names.into_iter().zip(["é\n\"", "2", "3"]);
            named
                .map(|(name, text)| (name.to_owned(), s(text)))
                .collect()
        };
        let text = canonical(&record(["sk", "at", "pk"])).unwrap();
        assert_eq!(text, r#"{"at":"2","pk":"3","sk":"é\n\""}"#);
        // The well-known digest of "abc" (FIPS 180-4).
        assert_eq!(
            sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let torn = Item::from([("pk".to_owned(), AttributeValue::N("1".to_owned()))]);
        canonical(&torn).unwrap_err();
    }
}
