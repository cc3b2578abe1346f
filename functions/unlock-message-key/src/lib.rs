//! Hands a private key of messages to its owner.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, KeyOwner, Unproven};
use shared::api::Operation;
use shared::api::message_keys::{Locked, UnlockMessageKey, Unlocked};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::phi::{Opener, Phi, PrivateKeys};
use shared::serve::Service;
use shared::store::{Accounts, Allowance, MessageKeys};

/// A browser unlocks once in a session; somebody who collects keys has to be slow.
const ALLOWANCE: Allowance = Allowance {
    requests: 30,
    window: 600,
};

struct Handler {
    accounts: Accounts,
    keys: MessageKeys,
    private: PrivateKeys,
}

impl Revise<UnlockMessageKey> for Handler {
    /// The key as KMS sealed it.
    type Found = Option<Vec<u8>>;
    const ATTEMPTS: u32 = 1;

    async fn find(
        &self,
        whose: &Unproven<KeyOwner>,
        locked: &Locked,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let sealed = self.keys.private(whose, locked.owner, &locked.key_id);
        Ok(sealed.await?)
    }

    /// It is counted in the transaction with the audit record, before the key leaves.
    async fn revise(
        &self,
        access: &Access<KeyOwner>,
        _: &Opener,
        sealed: Option<Vec<u8>>,
        locked: Locked,
    ) -> Result<Changed<Unlocked>, Problem> {
        let sealed = sealed.ok_or(Problem::not_found())?;
        let key_id = locked.key_id;
        let private_key = self.private.open(access.owner(), &key_id, sealed).await?;
        let turn = self.accounts.turn(
            access.account(),
            UnlockMessageKey::SPEC.id,
            ALLOWANCE,
            Timestamp::now(),
        )?;
        let resource = key_id.clone();
        let answer = Unlocked {
            key_id,
            private_key,
        };
        let changed = Changed::done(vec![turn], Phi::new(answer)).regarding(resource);
        Ok(changed)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<UnlockMessageKey>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            keys: MessageKeys::new(aws)?,
            private: PrivateKeys::new(aws)?,
        },
    )
}
