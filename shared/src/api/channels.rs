//! Channels: the WebSocket connections over which the portal tells a browser that something happened.
//!
//! A browser cannot send its token with a handshake, and a token has no place in a URL. So it asks the
//! REST API for a ticket, which opens one connection within some seconds and is nothing after that.

use super::bytes::Bytes;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::OwnAccount;
use crate::aws::Capability::{
    CloseChannels, CountRequests, IssueTickets, OpenChannels, ReadAccounts, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::AccountId;
use ::http::StatusCode;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The length of an account's id, which a ticket begins with, and of the secret behind it.
const ACCOUNT: usize = 16;
const SECRET: usize = 32;

/// What opens one connection: whose, and 256 random bits. It is kept as a digest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "Bytes<48, 48>", into = "Bytes<48, 48>")]
pub struct Ticket {
    bytes: Bytes<48, 48>,
    /// Whose it says to be: nothing is proven by that.
    account: AccountId,
}

impl Ticket {
    /// How long a ticket is good for.
    pub const LASTS: SignedDuration = SignedDuration::from_secs(45);

    pub fn new(account: AccountId) -> Result<Self, Fault> {
        let mut secret = [0; SECRET];
        rand::fill(&mut secret).map_err(|_| Fault::Defect("random bytes"))?;
        let bytes = [account.uuid().as_bytes().as_slice(), &secret].concat();
        Ok(Self {
            bytes: Bytes::new(bytes).ok_or(Fault::Defect("a ticket"))?,
            account,
        })
    }

    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What is kept of it.
    pub fn digest(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.bytes.as_slice()))
    }

    /// The ticket of a handshake.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        struct Query {
            ticket: Ticket,
        }
        let Query { ticket } = request.query()?;
        Ok(ticket)
    }
}

impl TryFrom<Bytes<48, 48>> for Ticket {
    type Error = &'static str;

    fn try_from(bytes: Bytes<48, 48>) -> Result<Self, &'static str> {
        const { assert!(ACCOUNT + SECRET == 48) };
        let account = bytes.as_slice().get(..ACCOUNT);
        let account = account.and_then(|account| Uuid::from_slice(account).ok());
        Ok(Self {
            account: AccountId::new(account.ok_or("must be a ticket")?),
            bytes,
        })
    }
}

impl From<Ticket> for Bytes<48, 48> {
    fn from(ticket: Ticket) -> Self {
        ticket.bytes
    }
}

/// Gives out a ticket.
pub struct OpenChannel;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Issued {
    pub ticket: Ticket,
    pub expires_at: Timestamp,
}

impl Operation for OpenChannel {
    const SPEC: &'static Spec = &Spec {
        id: "open-channel",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/account/channel-tickets",
            auth: Auth::Token,
        },
        action: "OpenChannel",
        audit: "channel.ticket",
        needs: &[ReadAccounts, CountRequests, IssueTickets, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = ();
    type Output = Issued;

    const SUCCESS: StatusCode = StatusCode::CREATED;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// Opens the connection of a ticket.
pub struct ConnectChannel;

/// The parameter in which [`Request::from_socket`] puts the connection's id.
pub const CONNECTION: &str = "connection";

/// A connection that waits to be let in.
pub struct Handshake {
    pub ticket: Ticket,
    pub connection: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Connected {}

impl Operation for ConnectChannel {
    const SPEC: &'static Spec = &Spec {
        id: "connect-channel",
        trigger: Trigger::Socket { route: "$connect" },
        action: "ConnectChannel",
        audit: "channel.connect",
        needs: &[ReadAccounts, OpenChannels, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = Handshake;
    type Output = Connected;

    fn parse(request: &Request) -> Result<Handshake, Problem> {
        Ok(Handshake {
            ticket: Ticket::of(request)?,
            connection: request.path(CONNECTION)?,
        })
    }
}

/// Forgets a connection that is over.
pub const DISCONNECT_CHANNEL: Spec = Spec {
    id: "disconnect-channel",
    trigger: Trigger::Socket {
        route: "$disconnect",
    },
    action: "DisconnectChannel",
    audit: "channel.disconnect",
    needs: &[CloseChannels, WriteAudit],
};
