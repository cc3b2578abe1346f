//! Tells the caller which account this is.

use shared::Fault;
use shared::access::{OwnAccount, Unproven};
use shared::api::account::{Account, GetAccount};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::phi::Sealed;
use shared::serve::Service;

struct Handler;

impl Read<GetAccount> for Handler {
    async fn read(&self, _: &Unproven<OwnAccount>, (): ()) -> Result<Sealed<Account>, Problem> {
        Ok(Sealed::unkeyed(|opener| {
            let caller = opener
                .caller()
                .ok_or(Fault::Defect("an account without a caller"))?;
            Ok(Account {
                id: caller.row.account,
                role: caller.row.role.as_str(),
                patient: caller.row.patient,
                last_sign_in: caller.row.last_sign_in,
                previous_sign_in: caller.row.previous_sign_in,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetAccount>(aws, Handler)
}
