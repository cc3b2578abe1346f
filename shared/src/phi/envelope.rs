//! Envelope encryption of single attributes under a patient's data key.
//!
//! A sealed value is `version (1) | salt (32) | commitment (32) | AES-256-GCM ciphertext and tag`.
//! HKDF-SHA256 (RFC 5869) derives from the data key and the random salt a key that encrypts this
//! value alone, and a commitment that only this data key gives: AES-GCM by itself lets one
//! ciphertext open under two keys. As no derived key is used twice, the nonce is zero.
//! The associated data is where the value stands (table, key, attribute): moved, it does not open.

use crate::Fault;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use uuid::Uuid;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SALT: usize = 32;
const COMMITMENT: usize = 32;
const HEADER: usize = 1 + SALT + COMMITMENT;

/// A patient's data key, wiped when it goes.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub fn new(bytes: &[u8]) -> Result<Self, Fault> {
        bytes
            .try_into()
            .map(|key| Self(Zeroizing::new(key)))
            .map_err(|_| Fault::Corrupt("a data key has the wrong length"))
    }
}

/// Where a sealed value stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table by its name in the design, so that a restored copy opens as well.
    pub table: &'static str,
    pub pk: &'a str,
    pub sk: &'a str,
    pub attribute: &'static str,
}

impl Place<'_> {
    /// Each part with its length before it, so that no two places share associated data.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = vec![VERSION];
        for part in [self.table, self.pk, self.sk, self.attribute] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

fn derive(key: &DataKey, salt: &[u8], purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
    let mut derived = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, salt)
        .extract(key.0.as_slice())
        .expand(&[purpose], Bytes32)
        .and_then(|okm| okm.fill(derived.as_mut_slice()))
        .map_err(|_| Fault::Defect("HKDF"))?;
    Ok(derived)
}

fn cipher(key: &DataKey, salt: &[u8]) -> Result<LessSafeKey, Fault> {
    let derived = derive(key, salt, b"portal/1 encryption")?;
    let key = UnboundKey::new(&AES_256_GCM, derived.as_slice())
        .map_err(|_| Fault::Defect("AES-256-GCM key"))?;
    Ok(LessSafeKey::new(key))
}

/// Seals a value for one place.
pub fn seal(key: &DataKey, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut salt = [0; SALT];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| Fault::Defect("random numbers"))?;
    let commitment = derive(key, &salt, b"portal/1 commitment")?;
    let mut sealed = Vec::with_capacity(HEADER + plaintext.len() + AES_256_GCM.tag_len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(commitment.as_slice());
    let mut text = plaintext.to_vec();
    cipher(key, &salt)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key([0; 12]),
            Aad::from(place.associated_data()),
            &mut text,
        )
        .map_err(|_| Fault::Defect("sealing"))?;
    sealed.append(&mut text);
    Ok(sealed)
}

/// Opens a value that was sealed for this place with this key.
pub fn open(key: &DataKey, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
    const ALTERED: Fault = Fault::Corrupt("a sealed value does not open");
    let (&version, rest) = sealed.split_first().ok_or(ALTERED)?;
    if version != VERSION {
        return Err(Fault::Corrupt("a sealed value has an unknown version"));
    }
    let (salt, rest) = rest.split_at_checked(SALT).ok_or(ALTERED)?;
    let (commitment, text) = rest.split_at_checked(COMMITMENT).ok_or(ALTERED)?;
    let expected = derive(key, salt, b"portal/1 commitment")?;
    verify_slices_are_equal(expected.as_slice(), commitment).map_err(|_| ALTERED)?;
    let mut text = text.to_vec();
    let length = cipher(key, salt)?
        .open_in_place(
            Nonce::assume_unique_for_key([0; 12]),
            Aad::from(place.associated_data()),
            &mut text,
        )
        .map_err(|_| ALTERED)?
        .len();
    text.truncate(length);
    Ok(text)
}

/// A keyed digest of a value: tells an import whether a stored resource changed, and tells nothing
/// to whoever lacks the data key.
pub fn digest(key: &DataKey, value: &[u8]) -> Result<Vec<u8>, Fault> {
    let derived = derive(key, b"", b"portal/1 digest")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_slice());
    Ok(hmac::sign(&key, value).as_ref().to_vec())
}

/// An id for what the parts name together: always the same for the same patient, and nothing to
/// whoever lacks the data key.
pub fn blind_id(key: &DataKey, parts: &[&str]) -> Result<Uuid, Fault> {
    let derived = derive(key, b"", b"portal/1 id")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_slice());
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mac = context.sign();
    let bytes = mac.as_ref().first_chunk().ok_or(Fault::Defect("a MAC"))?;
    Ok(uuid::Builder::from_custom_bytes(*bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place {
        table: "records",
        pk: "PATIENT#1",
        sk: "LAB#2",
        attribute: "sealed",
    };

    fn key(byte: u8) -> DataKey {
        DataKey::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn opens_what_it_sealed() {
        for text in [&b""[..], b"x", &[7; 100_000]] {
            let sealed = seal(&key(1), &PLACE, text).unwrap();
            assert_eq!(sealed.len(), text.len() + HEADER + 16);
            assert_eq!(open(&key(1), &PLACE, &sealed).unwrap(), text);
        }
    }

    #[test]
    fn never_seals_alike() {
        let sealed = seal(&key(1), &PLACE, b"text").unwrap();
        assert_ne!(sealed, seal(&key(1), &PLACE, b"text").unwrap());
    }

    #[test]
    fn opens_with_no_other_key() {
        let sealed = seal(&key(1), &PLACE, b"text").unwrap();
        assert!(open(&key(2), &PLACE, &sealed).is_err());
    }

    #[test]
    fn opens_in_no_other_place() {
        let sealed = seal(&key(1), &PLACE, b"text").unwrap();
        for place in [
            Place {
                table: "patients",
                ..PLACE
            },
            Place {
                pk: "PATIENT#2",
                ..PLACE
            },
            Place {
                sk: "LAB#3",
                ..PLACE
            },
            Place {
                attribute: "other",
                ..PLACE
            },
            // The same letters, cut elsewhere.
            Place {
                pk: "PATIENT#1L",
                sk: "AB#2",
                ..PLACE
            },
        ] {
            assert!(open(&key(1), &place, &sealed).is_err(), "{place:?}");
        }
    }

    #[test]
    fn ids_are_a_patients_own() {
        let id = blind_id(&key(1), &["system", "code"]).unwrap();
        assert_eq!(blind_id(&key(1), &["system", "code"]).unwrap(), id);
        assert_ne!(blind_id(&key(2), &["system", "code"]).unwrap(), id);
        assert_ne!(blind_id(&key(1), &["systemc", "ode"]).unwrap(), id);
    }

    #[test]
    fn no_bit_can_change_and_no_tail_can_go() {
        let sealed = seal(&key(1), &PLACE, b"text").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(&key(1), &PLACE, &altered).is_err(), "byte {at}");
            assert!(open(&key(1), &PLACE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn commits_to_the_key() {
        let sealed = seal(&key(1), &PLACE, b"text").unwrap();
        let mut forged = sealed.clone();
        forged[1 + SALT..HEADER].copy_from_slice(
            derive(&key(2), &sealed[1..=SALT], b"portal/1 commitment")
                .unwrap()
                .as_slice(),
        );
        assert!(open(&key(1), &PLACE, &forged).is_err());
        assert!(open(&key(2), &PLACE, &forged).is_err());
    }
}
