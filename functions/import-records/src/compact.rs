//! JSON without the white space around its tokens: less to store, and a file that was only indented
//! anew has not changed. Strings and numbers stay as they are, digit for digit.

use serde_json::value::RawValue;
use shared::Fault;

pub(crate) fn compact(json: &RawValue) -> Result<Box<RawValue>, Fault> {
    let text = json.get();
    let mut compact = String::with_capacity(text.len());
    let (mut quoted, mut escaped, mut from) = (false, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' | b'\n' | b'\r' if !quoted => {
                compact.push_str(text.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    compact.push_str(text.get(from..).unwrap_or_default());
    RawValue::from_string(compact).map_err(|_| Fault::Defect("compact JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_goes() {
        let json = "{\r\n\t\"a b\" : [ 1.50 , \"x \\\" , \\\\\" , { } ] ,\n \"é\" : null }";
        let raw = serde_json::from_str(json).unwrap();
        let compact = compact(raw).unwrap();
        assert_eq!(
            compact.get(),
            "{\"a b\":[1.50,\"x \\\" , \\\\\",{}],\"é\":null}"
        );
    }
}
