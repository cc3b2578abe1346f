//! Tells the public keys of everybody who may take part in a patient's threads now.

use futures_util::future::try_join_all;
use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::message_keys::{
    GetMessageKeys, Group, KeyLog, LoggedKey, MessageKeys as Answer, Party, Relationship,
};
use shared::api::threads::proxies_with_messages;
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{AccountId, PatientId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::MessageKeys;

struct Handler {
    keys: MessageKeys,
}

impl Revise<GetMessageKeys> for Handler {
    /// The patient's account, and the practice's log.
    type Found = (Option<AccountId>, Vec<LoggedKey>);
    const ATTEMPTS: u32 = 1;

    async fn find(&self, whose: &Unproven<PatientId>, (): &()) -> Result<Self::Found, Problem> {
        let practice = self.keys.log(Party::Group(Group::Providers));
        let (account, practice) = tokio::join!(self.keys.account_of(whose), practice);
        Ok((account?, practice?))
    }

    /// Nothing changes; but who the proxies are is known only with the patient's rows.
    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        (account, practice): Self::Found,
        (): (),
    ) -> Result<Changed<Answer>, Problem> {
        let now = Timestamp::now();
        let proxies = proxies_with_messages(access.patient(), opener.context(), now)?;
        let patient = account.map(|account| (account, Relationship::Patient));
        let proxies = proxies
            .into_iter()
            .filter(|proxy| Some(*proxy) != account)
            .map(|account| (account, Relationship::Proxy));
        let logs = patient
            .into_iter()
            .chain(proxies)
            .map(async |(account, relationship)| {
                let party = Party::Account(account);
                let keys = self.keys.log(party).await?;
                Ok::<_, Fault>(KeyLog {
                    party,
                    relationship,
                    keys,
                })
            });
        let mut parties = try_join_all(logs).await?;
        parties.push(KeyLog {
            party: Party::Group(Group::Providers),
            relationship: Relationship::Practice,
            keys: practice,
        });
        let answer = Phi::new(Answer { parties });
        Ok(Changed::done(Vec::new(), answer))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<GetMessageKeys>(
        aws,
        Handler {
            keys: MessageKeys::new(aws)?,
        },
    )
}
