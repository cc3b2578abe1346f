//! Bytes in JSON: base64url without padding (RFC 4648, section 5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// `MIN` to `MAX` bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Bytes<const MIN: usize, const MAX: usize>(Vec<u8>);

/// A SHA-256 digest.
pub type Digest = Bytes<32, 32>;

impl<const MIN: usize, const MAX: usize> Bytes<MIN, MAX> {
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (MIN..=MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Bytes<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(Self::new).ok_or_else(|| {
            if MIN == MAX {
                format!("must be {MIN} bytes in base64url without padding")
            } else {
                format!("must be {MIN} to {MAX} bytes in base64url without padding")
            }
        })
    }
}

impl<const MIN: usize, const MAX: usize> From<Bytes<MIN, MAX>> for String {
    fn from(bytes: Bytes<MIN, MAX>) -> Self {
        URL_SAFE_NO_PAD.encode(bytes.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        type Two = Bytes<2, 2>;
        let bytes = Two::try_from("_-8".to_owned()).unwrap();
        assert_eq!(bytes.as_slice(), [0xff, 0xef]);
        assert_eq!(String::from(bytes), "_-8");
        // Padded, in the other alphabet, with bits left over, too short, too long.
        for wrong in ["_-8=", "/+8", "_-9", "_w", "_-8A", "", "_-8 "] {
            assert!(Two::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
