//! Registers a key of messages: the public key goes into its owner's log, the private key is sealed.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, KeyOwner, Unproven};
use shared::api::message_keys::{
    LoggedKey, NewKey, RegisterMessageKey, key_id, key_log_moved, too_many_keys,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::phi::{Opener, Phi, PrivateKeys};
use shared::serve::Service;
use shared::store::MessageKeys;

/// So many keys a log has at most.
const MOST: usize = 100;

struct Handler {
    keys: MessageKeys,
    private: PrivateKeys,
}

impl Revise<RegisterMessageKey> for Handler {
    type Found = Vec<LoggedKey>;
    // Who registers a key after another has to have seen that one.
    const ATTEMPTS: u32 = 1;

    async fn find(&self, _: &Unproven<KeyOwner>, new: &NewKey) -> Result<Vec<LoggedKey>, Problem> {
        Ok(self.keys.log(new.owner).await?)
    }

    async fn revise(
        &self,
        access: &Access<KeyOwner>,
        _: &Opener,
        log: Vec<LoggedKey>,
        new: NewKey,
    ) -> Result<Changed<LoggedKey>, Problem> {
        let owner = access.owner();
        if let Some(last) = log.last()
            && last.public_key == new.public_key
            && last.previous == new.previous
            && last.protection == new.protection
        {
            // This request was here before, and its answer got lost.
            let changed = Changed::done(Vec::new(), Phi::new(last.clone()));
            return Ok(changed.regarding(last.key_id.clone()));
        }
        if log.last().map(|last| &last.key_id) != new.previous.as_ref() {
            return Err(key_log_moved());
        }
        if log.len() >= MOST {
            return Err(too_many_keys());
        }
        let number = u32::try_from(log.len() + 1).map_err(|_| Fault::Defect("a key's number"))?;
        let previous = new.previous.as_ref();
        let id = key_id(owner, number, &new.public_key, previous, new.protection)
            .ok_or(Fault::Defect("the id of a key"))?;
        let sealed = self.private.seal(owner, &id, &new.secret).await?;
        let key = LoggedKey {
            key_id: id,
            public_key: new.public_key,
            protection: new.protection,
            previous: new.previous,
            registered_at: Timestamp::now(),
        };
        let writes = self.keys.register(access, number, &key, sealed)?;
        let resource = key.key_id.clone();
        let changed = Changed::done(writes, Phi::new(key)).regarding(resource);
        Ok(changed)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<RegisterMessageKey>(
        aws,
        Handler {
            keys: MessageKeys::new(aws)?,
            private: PrivateKeys::new(aws)?,
        },
    )
}
