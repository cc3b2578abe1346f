//! Hands a private key of messages to its owner, and the practice's to a privacy officer who discloses
//! something.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, KeyOwner, Role, Unproven};
use shared::api::Operation;
use shared::api::message_keys::{Locked, Party, UnlockMessageKey, Unlocked};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::phi::{Opener, Phi, PrivateKeys};
use shared::serve::Service;
use shared::store::{Accounts, Admission, Allowance, MessageKeys, PrivateKey};

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
    /// The key as KMS sealed it, and whether the caller may have the practice's to disclose something.
    type Found = (Option<PrivateKey>, Option<Admission>);
    const ATTEMPTS: u32 = 1;

    async fn find(
        &self,
        whose: &Unproven<KeyOwner>,
        locked: &Locked,
    ) -> Result<Self::Found, Problem> {
        let key = self.keys.private(whose, locked.owner, &locked.key_id);
        let admission = async {
            match locked.owner {
                Party::Group(_) => self.keys.admission(whose, locked.account).await,
                Party::Account(_) => Ok(None),
            }
        };
        let (key, admission) = tokio::join!(key, admission);
        Ok((key?, admission?))
    }

    /// It is counted in the transaction with the audit record, before the key leaves.
    async fn revise(
        &self,
        access: &Access<KeyOwner>,
        _: &Opener,
        (key, admission): Self::Found,
        locked: Locked,
    ) -> Result<Changed<Unlocked>, Problem> {
        let now = Timestamp::now();
        let admission = admission.filter(|admission| now < admission.until);
        let is_officer = access.caller().row.role == Role::PrivacyOfficer;
        if is_officer && admission.is_none() {
            return Ok(Changed::refused(Vec::new(), Problem::forbidden()));
        }
        let key = key.ok_or(Problem::not_found())?;
        let (key_id, protection) = (locked.key_id, key.protection);
        let secret = self.private.open(access.owner(), &key_id, key).await?;
        let turn =
            self.accounts
                .turn(access.account(), UnlockMessageKey::SPEC.id, ALLOWANCE, now)?;
        let resource = key_id.clone();
        let answer = Unlocked {
            key_id,
            protection,
            secret,
        };
        let changed = Changed::done(vec![turn], Phi::new(answer)).regarding(resource);
        Ok(match admission.filter(|_| is_officer) {
            Some(admission) => changed.granting(admission.grant),
            None => changed,
        })
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
