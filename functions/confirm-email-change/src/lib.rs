//! Ends a change of the address that the caller signs in with, with the codes that went to both
//! addresses. The row comes first, with the audit record; Cognito follows.

use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::Operation;
use shared::api::email_change::{ConfirmEmailChange, ConfirmedEmailChange, EmailCodes};
use shared::api::users::SignInService;
use shared::aws::{Aws, Resource};
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::Users;
use shared::ids::AccountId;
use shared::mail::Mailer;
use shared::phi::{BlindIndex, Opener, Phi, Term};
use shared::serve::Service;
use shared::store::{Accounts, EmailChanges};
use shared::telemetry;

struct Handler {
    accounts: Accounts,
    changes: EmailChanges,
    users: Users,
    index: BlindIndex,
    mailer: Mailer,
}

impl Change<ConfirmEmailChange> for Handler {
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        codes: EmailCodes,
    ) -> Result<Changed<ConfirmedEmailChange>, Problem> {
        let (account, now) = (access.account(), Timestamp::now());
        let (pending, address) = tokio::try_join!(
            self.changes.take_attempt(account),
            self.users.address(account),
        )?;
        let (Some(pending), Some(requested)) = (pending, address.requested) else {
            return Ok(Changed::refused(Vec::new(), codes_refused()));
        };
        // An earlier request may have reached the pool last: what cannot be made up for is not begun.
        if !pending.is_about(&requested) {
            return Ok(Changed::refused(Vec::new(), codes_refused()));
        }
        let email = requested.email;
        let id = account.to_string();
        let proof = self.index.mac(Term::EmailChange {
            account: &id,
            address: &email,
            old: codes.old_address_code.as_str(),
            new: codes.new_address_code.as_str(),
        });
        let (proof, user) = tokio::try_join!(proof, self.users.find(&email))?;
        if !pending.is_proven_by(&proof, now) {
            return Ok(Changed::refused(Vec::new(), codes_refused()));
        }
        // Whoever reads mail there may know that there is another account.
        if user.is_some_and(|user| user.account != account) {
            return Ok(Changed::refused(Vec::new(), address_taken()));
        }
        let writes = vec![
            self.changes.confirm(account, &pending, now)?,
            self.accounts.sign_out(account, now)?,
        ];
        let answer = ConfirmedEmailChange {
            signed_out_at: now,
            sign_in_service: SignInService::Done,
        };
        let (users, mailer) = (self.users.clone(), self.mailer.clone());
        let following = follow(users, mailer, account, address.email, email);
        Ok(Changed::done(writes, Phi::new(answer)).follow_up(following, pending_at_cognito))
    }
}

/// Whoever reads the old address hears of it: nobody can tell them later.
async fn follow(
    users: Users,
    mailer: Mailer,
    account: AccountId,
    old: String,
    new: String,
) -> Result<(), Fault> {
    const SUBJECT: &str = "Your portal account";
    const TEXT: &str = "The e-mail address of a portal account was changed from this one to another. \
                        If it was not you, tell the practice at once.\n";
    let (notice, changed) = tokio::join!(
        mailer.send(&old, SUBJECT, TEXT),
        users.change_address(account, &new),
    );
    if notice.is_err() {
        telemetry::count(ConfirmEmailChange::SPEC.id, "NoticesNotSent");
    }
    changed
}

fn pending_at_cognito(answer: ConfirmedEmailChange) -> ConfirmedEmailChange {
    ConfirmedEmailChange {
        sign_in_service: SignInService::Pending,
        ..answer
    }
}

const fn codes_refused() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "codes-refused",
        "These codes do not change the address",
        "Check them against both e-mails. After five tries, or an hour, ask for new ones.",
    )
}

const fn address_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "address-taken",
        "There is an account with this e-mail address",
        "You read mail there, so it may be yours: sign in with it, or choose another address.",
    )
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ConfirmEmailChange>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            changes: EmailChanges::new(aws)?,
            users: Users::new(aws)?,
            index: BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?),
            mailer: Mailer::new(aws)?,
        },
    )
}
