//! Changes what an account is. Its row comes first, with the audit record, and decides from then on;
//! Cognito follows.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Role};
use shared::api::Operation;
use shared::api::users::{
    Decided, SignInService, UpdateUser, UpdatedUser, VersionedUserChange, unknown_practitioner,
};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::Users;
use shared::ids::AccountId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{AccountRow, Accounts, Administrators, Consent, Directory, Status, Write};
use shared::telemetry;

struct Handler {
    accounts: Accounts,
    administrators: Administrators,
    directory: Directory,
    users: Users,
}

impl Change<UpdateUser> for Handler {
    async fn change(
        &self,
        access: &Access<AccountId>,
        _: &Opener,
        VersionedUserChange { version, change }: VersionedUserChange,
    ) -> Result<Changed<Decided<UpdatedUser>>, Problem> {
        let whose = access.whose();
        let before = self.accounts.account(whose).await?;
        let before = before.ok_or(Problem::not_found())?;
        if before.version != version {
            return Err(Problem::changed_meanwhile());
        }
        let now = Timestamp::now();
        let mut after = change.applied_to(&before, now)?;
        if after.practitioner != before.practitioner {
            after.name = match after.practitioner {
                Some(practitioner) => {
                    let colleague = self.directory.colleague(practitioner).await?;
                    colleague.ok_or_else(unknown_practitioner)?.name
                }
                None => None,
            };
        }
        let told = format!("{whose} {} {}", after.role.as_str(), after.status.as_str());

        let mut writes = Vec::new();
        if grants(&before, &after) {
            let (whom, by) = (whose.to_string(), access.account());
            let consent = self.administrators.consent(&whom, after.role, by, now);
            match consent.await? {
                Consent::Given(approved) => writes = approved,
                Consent::Awaited { until, writes } => {
                    let answer = Decided::AwaitingApproval { expires_at: until };
                    let changed = Changed::done(writes, Phi::new(answer));
                    return Ok(changed.regarding(format!("{told} awaiting-approval")));
                }
            }
        }
        writes.extend(self.writes(access, &before, &after, now)?);
        writes.extend(self.practitioners(&before, &after).await?);
        let answer = Decided::Done(UpdatedUser {
            id: whose,
            role: after.role,
            status: after.status,
            practitioner: after.practitioner,
            sign_in_service: SignInService::Done,
            version: after.version,
        });
        let changed = Changed::done(writes, Phi::new(answer)).regarding(told);
        Ok(changed.follow_up(align(self.users.clone(), before, after), pending))
    }
}

impl Handler {
    fn writes(
        &self,
        access: &Access<AccountId>,
        before: &AccountRow,
        after: &AccountRow,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        if before == after {
            return Ok(Vec::new());
        }
        let mut writes = vec![self.accounts.change(before, after, access.account(), now)?];
        let [was, is] = [before, after].map(|row| row.acts_as(Role::Admin));
        match (was, is) {
            (false, true) => writes.push(self.administrators.add(after.account)?),
            (true, false) => writes.push(self.administrators.remove(after.account, now)?),
            _ => {}
        }
        Ok(writes)
    }
}

impl Handler {
    /// One account for each practitioner. A disabled one keeps it, so that it can be enabled again.
    async fn practitioners(
        &self,
        before: &AccountRow,
        after: &AccountRow,
    ) -> Result<Vec<Write>, Fault> {
        let account = after.account;
        let mut writes = Vec::new();
        if let Some(taken) = after.practitioner
            && (before.practitioner != Some(taken) || is_back(before, after))
        {
            writes.push(self.accounts.take_practitioner(taken, account)?);
        }
        if let Some(left) = before.practitioner
            && after.practitioner != Some(left)
            && self.accounts.of_practitioner(left).await? == Some(account)
        {
            writes.push(self.accounts.leave_practitioner(left, account)?);
        }
        Ok(writes)
    }
}

fn is_back(before: &AccountRow, after: &AccountRow) -> bool {
    before.status != Status::Active && after.status == Status::Active
}

/// Does somebody come to watch over others who did not?
fn grants(before: &AccountRow, after: &AccountRow) -> bool {
    let is_new = before.role != after.role;
    after.role.takes_two() && (is_new || is_back(before, after))
}

/// The role in which an account watches over others.
fn powers(row: &AccountRow) -> Option<Role> {
    (row.status == Status::Active && row.role.takes_two()).then_some(row.role)
}

/// A change that changes nothing still makes Cognito what the row says. Whoever comes to watch over
/// others, or does so no more, raises an alarm, and so does who comes to treat patients as somebody.
async fn align(users: Users, before: AccountRow, after: AccountRow) -> Result<(), Fault> {
    if powers(&before) != powers(&after) {
        telemetry::count(UpdateUser::SPEC.id, "PowersChanged");
    }
    if after.practitioner.is_some() && after.practitioner != before.practitioner {
        telemetry::count(UpdateUser::SPEC.id, "PractitionersChanged");
    }
    users.align(&after).await?;
    if before != after {
        users.sign_out(after.account).await?;
    }
    Ok(())
}

fn pending(answer: Decided<UpdatedUser>) -> Decided<UpdatedUser> {
    match answer {
        Decided::Done(user) => Decided::Done(UpdatedUser {
            sign_in_service: SignInService::Pending,
            ..user
        }),
        awaiting @ Decided::AwaitingApproval { .. } => awaiting,
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<UpdateUser>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            administrators: Administrators::new(aws)?,
            directory: Directory::new(aws)?,
            users: Users::new(aws)?,
        },
    )
}
