//! Signs out of one session.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::sessions::{EndSession, EndedSession};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::SessionId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Accounts;

struct Handler {
    accounts: Accounts,
}

impl Change<EndSession> for Handler {
    /// Cognito ends single sessions for whoever has their refresh token, and nobody else. The account
    /// row refuses the session's tokens, those that it may yet refresh included.
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        id: SessionId,
    ) -> Result<Changed<EndedSession>, Problem> {
        let now = Timestamp::now();
        let mut sessions = access.caller().row.sessions.iter();
        if !sessions.any(|one| one.id == id && one.is_open(now)) {
            return Ok(Changed::refused(Vec::new(), Problem::not_found()));
        }
        let writes = vec![self.accounts.end_session(access.account(), id, now)?];
        let answer = EndedSession { id, ended_at: now };
        Ok(Changed::done(writes, Phi::new(answer)).regarding(id.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<EndSession>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
        },
    )
}
