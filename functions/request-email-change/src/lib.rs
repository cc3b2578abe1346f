//! Begins a change of the address that the caller signs in with: a code goes to the old address, another
//! to the new one. Whether somebody else has the new one is not looked at, so nothing tells.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::Operation;
use shared::api::email_change::{NewAddress, RequestEmailChange, RequestedEmailChange};
use shared::api::text::MailCode;
use shared::aws::{Aws, Resource};
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::{Requested, Users};
use shared::ids::AccountId;
use shared::mail::Mailer;
use shared::phi::{BlindIndex, Opener, Phi, Term};
use shared::serve::Service;
use shared::store::{Accounts, Allowance, EmailChange, EmailChanges};

/// How often somebody may ask in half a day: each time is mail to two addresses, and five guesses.
const ALLOWANCE: Allowance = Allowance {
    requests: 3,
    window: 43_200,
};

const SUBJECT: &str = "Your portal code";

struct Handler {
    accounts: Accounts,
    changes: EmailChanges,
    users: Users,
    index: BlindIndex,
    mailer: Mailer,
}

impl Change<RequestEmailChange> for Handler {
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        NewAddress { email }: NewAddress,
    ) -> Result<Changed<RequestedEmailChange>, Problem> {
        let now = Timestamp::now();
        // A portal that somebody left open is not enough to take an account over with.
        if !access.caller().signed_in_recently(now) {
            return Ok(Changed::refused(Vec::new(), Problem::sign_in_again()));
        }
        let account = access.account();
        let [old, new] = [MailCode::random()?, MailCode::random()?];
        let id = account.to_string();
        let proof = self.index.mac(Term::EmailChange {
            account: &id,
            address: email.as_str(),
            old: old.as_str(),
            new: new.as_str(),
        });
        let (address, proof) = tokio::try_join!(self.users.address(account), proof)?;
        if address.email.eq_ignore_ascii_case(email.as_str()) {
            return Err(Problem::field(
                "/email",
                "must be another than the account has",
            ));
        }
        let change = EmailChange::new(proof, now);
        let is_kept = address.requested.is_some();
        let operation = RequestEmailChange::SPEC.id;
        let writes = vec![
            self.changes.begin(account, &change, is_kept)?,
            self.accounts.turn(account, operation, ALLOWANCE, now)?,
        ];
        let answer = RequestedEmailChange {
            expires_at: Timestamp::from_second(change.expires_at)
                .map_err(|_| Fault::Defect("an expiry"))?,
            sent: true,
        };
        let requested = Requested {
            proof: change.proof,
            email: email.into(),
        };
        let mails = Mails {
            to_old: (address.email, old),
            to_new: (requested, new),
        };
        let sending = send(self.users.clone(), self.mailer.clone(), account, mails);
        Ok(Changed::done(writes, Phi::new(answer)).follow_up(sending, not_sent))
    }
}

/// Who gets which code.
struct Mails {
    to_old: (String, MailCode),
    to_new: (Requested, MailCode),
}

async fn send(
    users: Users,
    mailer: Mailer,
    account: AccountId,
    Mails { to_old, to_new }: Mails,
) -> Result<(), Fault> {
    users.request_address(account, Some(&to_new.0)).await?;
    let [old_text, new_text] = [&to_old.1, &to_new.1].map(text);
    tokio::try_join!(
        mailer.send(&to_old.0, SUBJECT, &old_text),
        mailer.send(&to_new.0.email, SUBJECT, &new_text),
    )?;
    Ok(())
}

/// The same to both, and nothing of whose account it is.
fn text(code: &MailCode) -> String {
    format!(
        "Your code is {}. It is good for an hour.\n\nSomebody who is signed in to a portal account asked \
         to change its e-mail address. If it was not you, tell nobody the code.\n",
        code.grouped()
    )
}

fn not_sent(answer: RequestedEmailChange) -> RequestedEmailChange {
    RequestedEmailChange {
        sent: false,
        ..answer
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<RequestEmailChange>(
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
