//! Ends every session of an account.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::users::{SignInService, SignOutUser, SignedOutUser};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::Users;
use shared::ids::AccountId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Write};

struct Handler {
    accounts: Accounts,
    users: Users,
}

impl Change<SignOutUser> for Handler {
    /// The row first: it refuses whatever refresh tokens Cognito may still take.
    async fn change(
        &self,
        access: &Access<AccountId>,
        _: &Opener,
        (): (),
    ) -> Result<Changed<SignedOutUser>, Problem> {
        let whose = access.whose();
        let signed_out_at = Timestamp::now();
        let write = Write {
            conflict: Problem::not_found(),
            ..self.accounts.sign_out(whose, signed_out_at)?
        };
        let answer = SignedOutUser {
            signed_out_at,
            sign_in_service: SignInService::Done,
        };
        let users = self.users.clone();
        let follow_up = async move { users.sign_out(whose).await };
        Ok(
            Changed::done(vec![write], Phi::new(answer)).follow_up(follow_up, |answer| {
                SignedOutUser {
                    sign_in_service: SignInService::Pending,
                    ..answer
                }
            }),
        )
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<SignOutUser>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            users: Users::new(aws)?,
        },
    )
}
