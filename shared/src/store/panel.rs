//! Several patients at once, for an operation that the practice as a whole permits: each is read
//! consistently, and opened with a data key of their own.

use super::{PatientContext, Patients};
use crate::Fault;
use crate::access::{Access, Practice, Unproven};
use crate::aws::{Aws, Resource};
use crate::ids::PatientId;
use crate::phi::{DataKeys, Opener, Phi};
use futures_util::future::try_join_all;

/// Reads patients side by side.
pub struct Panel {
    patients: Patients,
    keys: DataKeys,
}

impl Panel {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            patients: Patients::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
        })
    }

    /// The context rows of those patients who are there, as they are at this moment.
    pub async fn contexts(
        &self,
        _: &Access<Practice>,
        patients: Vec<PatientId>,
    ) -> Result<Vec<(PatientId, PatientContext)>, Fault> {
        let contexts = patients.into_iter().map(async |patient| {
            let context = self.patients.context(&Unproven::new(patient)).await?;
            Ok::<_, Fault>((patient, context))
        });
        let mut contexts = try_join_all(contexts).await?;
        contexts.retain(|(_, context)| context.exists());
        Ok(contexts)
    }

    /// Opens something of each.
    pub async fn open<T>(
        &self,
        access: &Access<Practice>,
        contexts: Vec<(PatientId, PatientContext)>,
        open: impl Fn(PatientId, &Opener) -> Result<T, Fault>,
    ) -> Result<Phi<Vec<T>>, Fault> {
        let openers = contexts.into_iter().map(async |(patient, context)| {
            let key = match context.wrapped_key() {
                Some(wrapped) => Some(self.keys.unwrap(patient, wrapped).await?),
                None => None,
            };
            let opener = Opener {
                key,
                context,
                caller: Some(access.caller().clone()),
            };
            Ok::<_, Fault>((patient, opener))
        });
        let openers = try_join_all(openers).await?;
        let opened = openers
            .iter()
            .map(|(patient, opener)| open(*patient, opener));
        opened.collect::<Result<_, _>>().map(Phi::new)
    }
}
