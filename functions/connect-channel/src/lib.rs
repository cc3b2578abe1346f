//! Opens the channel of a ticket, which is nothing after that.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::channels::{ConnectChannel, Connected, Handshake};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Channels;

struct Handler {
    channels: Channels,
}

impl Change<ConnectChannel> for Handler {
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        Handshake { ticket, connection }: Handshake,
    ) -> Result<Changed<Connected>, Problem> {
        let now = Timestamp::now();
        let writes = self.channels.open(access, &ticket, &connection, now)?;
        Ok(Changed::done(writes, Phi::new(Connected {})).regarding(connection))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ConnectChannel>(
        aws,
        Handler {
            channels: Channels::new(aws)?,
        },
    )
}
