//! Lets a provider break the glass again whose access was found not justified.

use shared::Fault;
use shared::access::Access;
use shared::api::access_concerns::{AllowBreakGlass, AllowedBreakGlass};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::ConcernId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Concerns};

struct Handler {
    accounts: Accounts,
    concerns: Concerns,
}

impl Change<AllowBreakGlass> for Handler {
    async fn change(
        &self,
        access: &Access<ConcernId>,
        _: &Opener,
        (): (),
    ) -> Result<Changed<AllowedBreakGlass>, Problem> {
        let (concern, account) = self.concerns.broken_glass(access).await?;
        let write = self.accounts.bar(account, None)?;
        let answer = AllowedBreakGlass { account };
        Ok(Changed::done(vec![write], Phi::new(answer))
            .about(Some(concern.patient))
            .regarding(concern.id.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<AllowBreakGlass>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            concerns: Concerns::new(aws)?,
        },
    )
}
