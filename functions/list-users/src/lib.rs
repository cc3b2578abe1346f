//! Lists accounts: the pool knows the addresses, the account rows the rest.

use futures_util::future::try_join_all;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::users::{ListUsers, Search, User, UserList, UserStatus};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::{Listed, Users};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Status};

struct Handler {
    accounts: Accounts,
    users: Users,
}

impl Change<ListUsers> for Handler {
    async fn change(
        &self,
        _: &Access<Practice>,
        _: &Opener,
        search: Search,
    ) -> Result<Changed<UserList>, Problem> {
        let (prefix, limit) = (search.prefix.as_ref(), search.limit);
        let page = self.users.list(prefix, limit, search.after.clone()).await?;
        let users = page.users.into_iter().map(|listed| self.user(listed));
        let users = try_join_all(users).await?.into_iter().flatten();
        let next = page.next.as_deref();
        let list = UserList {
            users: users
                .filter(|user| search.role.is_none_or(|role| role == user.role))
                .collect(),
            next_cursor: next.map(|next| search.cursor(next)).transpose()?,
        };
        Ok(Changed::done(Vec::new(), Phi::new(list)))
    }
}

impl Handler {
    /// None for a user without an account: nobody can do anything as them.
    async fn user(&self, listed: Listed) -> Result<Option<User>, Fault> {
        let id = listed.user.account;
        let (row, mfa) =
            tokio::try_join!(self.accounts.account(id), self.users.has_second_factor(id),)?;
        Ok(row.map(|row| User {
            id,
            email: listed.address.email,
            role: row.role,
            status: match row.status {
                Status::Disabled => UserStatus::Disabled,
                Status::Active if listed.user.waiting => UserStatus::Invited,
                Status::Active => UserStatus::Active,
            },
            mfa,
            practitioner: row.practitioner,
            last_sign_in: row.last_sign_in,
            version: row.version,
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListUsers>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            users: Users::new(aws)?,
        },
    )
}
