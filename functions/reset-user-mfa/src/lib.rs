//! Takes a lost authenticator away from a user whose identity was checked.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::Operation;
use shared::api::users::{MfaReset, ResetMfa, ResetUserMfa};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::Users;
use shared::ids::AccountId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Write};
use shared::telemetry;

struct Handler {
    accounts: Accounts,
    users: Users,
}

impl Change<ResetUserMfa> for Handler {
    /// The record first: no second factor goes without one.
    async fn change(
        &self,
        access: &Access<AccountId>,
        _: &Opener,
        MfaReset { identity_check }: MfaReset,
    ) -> Result<Changed<ResetMfa>, Problem> {
        let whose = access.whose();
        let signed_out_at = Timestamp::now();
        let write = Write {
            conflict: Problem::not_found(),
            ..self.accounts.sign_out(whose, signed_out_at)?
        };
        let answer = ResetMfa {
            reset: true,
            signed_out_at,
        };
        let told = format!("{whose} {}", identity_check.as_str());
        let changed = Changed::done(vec![write], Phi::new(answer)).regarding(told);
        Ok(
            changed.follow_up(reset(self.users.clone(), whose), |answer| ResetMfa {
                reset: false,
                ..answer
            }),
        )
    }
}

/// Watched over by an alarm, whether it works or not: whoever may do this may sign in as anybody
/// whose password they know.
async fn reset(users: Users, whose: AccountId) -> Result<(), Fault> {
    telemetry::count(ResetUserMfa::SPEC.id, "SecondFactorsReset");
    users.reset_second_factor(whose).await?;
    users.sign_out(whose).await
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ResetUserMfa>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            users: Users::new(aws)?,
        },
    )
}
