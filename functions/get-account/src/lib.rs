//! Tells the caller which account this is, and keeps the session that it sees for the first time.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::account::{Account, Client, GetAccount};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Session};

struct Handler {
    accounts: Accounts,
}

impl Change<GetAccount> for Handler {
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        Client {
            source_ip,
            user_agent,
        }: Client,
    ) -> Result<Changed<Account>, Problem> {
        let caller = access.caller();
        let row = &caller.row;
        let mut writes = Vec::new();
        if !row.sessions.iter().any(|one| one.id == caller.session) {
            let session = Session {
                id: caller.session,
                signed_in_at: caller.signed_in_at,
                first_seen: Timestamp::now(),
                source_ip,
                user_agent,
                ended: false,
            };
            writes.push(self.accounts.keep_session(row, &session)?);
        }
        let answer = Account {
            id: row.account,
            role: row.role.as_str(),
            patient: row.patient,
            last_sign_in: row.last_sign_in,
            previous_sign_in: row.previous_sign_in,
            session: caller.session,
        };
        Ok(Changed::done(writes, Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<GetAccount>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
        },
    )
}
