//! Patients' data keys: made and unwrapped by KMS, kept in memory for a minute.

use super::DataKey;
use crate::Fault;
use crate::aws::fault;
use crate::ids::PatientId;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an unwrapped key is kept. Short, so that a key disabled in KMS is soon without effect.
const KEPT: Duration = Duration::from_secs(60);

/// How many keys are kept at most.
const CAPACITY: usize = 64;

/// The part of the KMS encryption context that binds a data key to its patient.
const CONTEXT: &str = "patient";

struct Cached {
    wrapped: Vec<u8>,
    since: Instant,
    key: Arc<DataKey>,
}

/// The data keys of patients.
pub struct DataKeys {
    kms: Client,
    key_id: String,
    cache: Mutex<HashMap<PatientId, Cached>>,
}

impl DataKeys {
    pub fn new(kms: Client, key_id: String) -> Self {
        Self {
            kms,
            key_id,
            cache: Mutex::default(),
        }
    }

    /// A new data key for a patient, and its wrapped form to store.
    pub async fn create(&self, patient: PatientId) -> Result<(Arc<DataKey>, Vec<u8>), Fault> {
        let answer = self
            .kms
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(CONTEXT, patient.to_string())
            .send()
            .await
            .map_err(|error| fault("KMS", &error))?;
        let (Some(plain), Some(wrapped)) = (answer.plaintext, answer.ciphertext_blob) else {
            return Err(Fault::Corrupt("KMS gave no data key"));
        };
        let plain = zeroize::Zeroizing::new(plain.into_inner());
        Ok((Arc::new(DataKey::new(&plain)?), wrapped.into_inner()))
    }

    /// A patient's data key, from its wrapped form.
    pub async fn unwrap(&self, patient: PatientId, wrapped: &[u8]) -> Result<Arc<DataKey>, Fault> {
        if let Some(key) = self.cached(patient, wrapped) {
            return Ok(key);
        }
        let answer = self
            .kms
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(CONTEXT, patient.to_string())
            .send()
            .await
            .map_err(|error| fault("KMS", &error))?;
        let plain = answer
            .plaintext
            .ok_or(Fault::Corrupt("KMS gave no data key"))?;
        let plain = zeroize::Zeroizing::new(plain.into_inner());
        let key = Arc::new(DataKey::new(&plain)?);
        self.keep(patient, wrapped, &key);
        Ok(key)
    }

    fn cached(&self, patient: PatientId, wrapped: &[u8]) -> Option<Arc<DataKey>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, cached| cached.since.elapsed() < KEPT);
        cache
            .get(&patient)
            .filter(|cached| cached.wrapped == wrapped)
            .map(|cached| Arc::clone(&cached.key))
    }

    fn keep(&self, patient: PatientId, wrapped: &[u8], key: &Arc<DataKey>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CAPACITY {
            cache.clear();
        }
        let cached = Cached {
            wrapped: wrapped.to_vec(),
            since: Instant::now(),
            key: Arc::clone(key),
        };
        cache.insert(patient, cached);
    }
}
