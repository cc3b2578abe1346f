//! Ends every session of the caller.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::account::{SignOutEverywhere, SignedOut};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::Users;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Accounts;

struct Handler {
    accounts: Accounts,
    users: Users,
}

impl Change<SignOutEverywhere> for Handler {
    /// Cognito first: if it fails, nothing has changed and the caller tries again. The account
    /// row is what makes access tokens useless before they expire.
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        (): (),
    ) -> Result<Changed<SignedOut>, Problem> {
        self.users.sign_out(access.account()).await?;
        let signed_out_at = Timestamp::now();
        let write = self.accounts.sign_out(access.account(), signed_out_at)?;
        Ok(Changed::done(
            vec![write],
            Phi::new(SignedOut { signed_out_at }),
        ))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<SignOutEverywhere>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            users: Users::new(aws)?,
        },
    )
}
