//! Invites a member of staff. The user in Cognito comes first and can do nothing: without a row there
//! is no token. The row comes with the audit record, and then the invitation is whole.

use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice, Role};
use shared::api::Operation;
use shared::api::users::{
    Decided, Invitation, InviteUser, Invited, practitioner_taken, unknown_practitioner,
};
use shared::aws::{Aws, Resource};
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::{User, Users};
use shared::ids::PractitionerId;
use shared::phi::{BlindIndex, Opener, Phi, Term};
use shared::serve::Service;
use shared::store::{AccountRow, Accounts, Administrators, Consent, Directory, Write};
use shared::telemetry;

struct Handler {
    accounts: Accounts,
    administrators: Administrators,
    directory: Directory,
    index: BlindIndex,
    users: Users,
}

impl Change<InviteUser> for Handler {
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        invitation: Invitation,
    ) -> Result<Changed<Decided<Invited>>, Problem> {
        let (by, role) = (access.account(), invitation.role);
        let address = invitation.email.as_str();
        let (name, taken) = match invitation.practitioner {
            Some(practitioner) => self.practitioner(practitioner).await?,
            None => (None, false),
        };
        let actor = by.to_string();
        let origin = self.index.mac(Term::Invitation {
            by: &actor,
            key: invitation.idempotency_key.as_str(),
            role: role.as_str(),
            address,
        });
        let (origin, found) = tokio::try_join!(origin, self.users.find(address))?;
        let found = match found {
            Some(user) => match self.found(user, &origin, &invitation).await? {
                Found::Done(user) => return Ok(done(Vec::new(), &user, role)),
                Found::Begun(user) => Some(user),
            },
            None => None,
        };
        // Before anybody is mailed; the transaction asks once more.
        if taken {
            return Err(practitioner_taken());
        }

        let mut writes = Vec::new();
        if role.takes_two() {
            let whom = self.index.mac(Term::Address(address)).await?;
            let now = Timestamp::now();
            match self.administrators.consent(&whom, role, by, now).await? {
                Consent::Given(approved) => writes = approved,
                Consent::Awaited { until, writes } => {
                    let answer = Decided::AwaitingApproval { expires_at: until };
                    let told = format!("{} awaiting-approval", role.as_str());
                    return Ok(Changed::done(writes, Phi::new(answer)).regarding(told));
                }
            }
        }
        let user = match found {
            Some(user) => user,
            None => {
                let made = self.users.invite(address, &origin).await?;
                made.ok_or_else(address_taken)?
            }
        };
        self.users.add_to_group(&user, role).await?;
        let mut row = AccountRow::new(user.account, role);
        row.practitioner = invitation.practitioner;
        row.name = name;
        writes.push(self.accounts.create(&row)?);
        if role == Role::Admin {
            writes.push(self.administrators.add(user.account)?);
        }
        if let Some(practitioner) = invitation.practitioner {
            let take = self.accounts.take_practitioner(practitioner, user.account);
            writes.push(take?);
        }
        let made = done(writes, &user, role);
        Ok(made.follow_up(tell(role), std::convert::identity))
    }
}

/// A new account that may do much raises an alarm.
async fn tell(role: Role) -> Result<(), Fault> {
    if role.takes_two() {
        telemetry::count(InviteUser::SPEC.id, "PowersGranted");
    }
    if role == Role::Provider {
        telemetry::count(InviteUser::SPEC.id, "ProvidersMade");
    }
    Ok(())
}

/// A user who has the address already, and may have it.
enum Found {
    /// They are invited.
    Done(User),
    /// An earlier try of this very request made them, and broke off.
    Begun(User),
}

impl Handler {
    /// The practitioner's name, and whether they have an account already.
    async fn practitioner(
        &self,
        practitioner: PractitionerId,
    ) -> Result<(Option<String>, bool), Problem> {
        let (colleague, account) = tokio::try_join!(
            self.directory.colleague(practitioner),
            self.accounts.of_practitioner(practitioner),
        )?;
        let colleague = colleague.ok_or_else(unknown_practitioner)?;
        Ok((colleague.name, account.is_some()))
    }

    /// The same request again, or the same invitation to somebody who has not followed the first:
    /// they get another password. Anybody else's address is taken.
    async fn found(
        &self,
        user: User,
        origin: &str,
        invitation: &Invitation,
    ) -> Result<Found, Problem> {
        let is_same = user.origin.as_deref() == Some(origin);
        match self.accounts.account(user.account).await? {
            None if is_same && user.waiting => Ok(Found::Begun(user)),
            Some(row) if row.acts_as(invitation.role) && user.waiting => {
                if row.practitioner != invitation.practitioner {
                    return Err(address_taken());
                }
                if !is_same {
                    self.users.invite_again(invitation.email.as_str()).await?;
                }
                Ok(Found::Done(user))
            }
            _ => Err(address_taken()),
        }
    }
}

fn done(writes: Vec<Write>, user: &User, role: Role) -> Changed<Decided<Invited>> {
    let invited = Invited {
        id: user.account,
        role,
    };
    let told = format!("{} {}", user.account, role.as_str());
    Changed::done(writes, Phi::new(Decided::Done(invited))).regarding(told)
}

fn address_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "address-taken",
        "There is an account with this e-mail address",
        "Look for it among the users, or invite them at another address.",
    )
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<InviteUser>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            administrators: Administrators::new(aws)?,
            directory: Directory::new(aws)?,
            index: BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?),
            users: Users::new(aws)?,
        },
    )
}
