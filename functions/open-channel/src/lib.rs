//! Gives the caller a ticket that opens one channel.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::Operation;
use shared::api::channels::{Issued, OpenChannel, Ticket};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Allowance, Channels, Turn};

/// So many tickets an account gets in ten minutes: browsers that lost their network come back more
/// than once.
const ALLOWANCE: Allowance = Allowance {
    requests: 60,
    window: 600,
};

struct Handler {
    accounts: Accounts,
    channels: Channels,
}

impl Change<OpenChannel> for Handler {
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        (): (),
    ) -> Result<Changed<Issued>, Problem> {
        let now = Timestamp::now();
        let account = access.account();
        let turn = self
            .accounts
            .take_turn(account, OpenChannel::SPEC.id, ALLOWANCE, now);
        if let Turn::Wait(seconds) = turn.await? {
            let problem = Problem::too_many_requests(seconds);
            return Ok(Changed::refused(Vec::new(), problem));
        }
        let ticket = Ticket::new(account)?;
        let expires_at = now + Ticket::LASTS;
        let writes = vec![self.channels.issue(access, &ticket, expires_at)?];
        Ok(Changed::done(
            writes,
            Phi::new(Issued { ticket, expires_at }),
        ))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<OpenChannel>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            channels: Channels::new(aws)?,
        },
    )
}
