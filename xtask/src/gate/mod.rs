//! The portal's local front door, which makes the emulator's Cognito behave as Cognito does.
//!
//! The emulator mints tokens for whoever asks: after the password when MFA is required but not set
//! up, for a session that was never issued, for a code that was used before. It locks nobody out,
//! takes weak new passwords and never calls the PostAuthentication trigger. So it is not reached
//! directly: the gate keeps the sessions itself, asks the emulator only for what it does well (SRP,
//! TOTP, tokens), and lets tokens out once every rule is met. Each rule's source is the Cognito
//! developer guide.
mod address;
mod attempts;
mod directory;
mod door;
mod events;
mod password;
mod recovery;
mod refusal;
mod sessions;
mod sign_in;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use tokio::net::TcpListener;

use crate::aws::Aws;
pub(crate) use door::local_names_only;

use address::AddressCodes;
use attempts::{Lockouts, UsedCodes};
use events::Events;
use sessions::Sessions;

/// What the gate stands in front of.
#[derive(Clone)]
pub struct Config {
    /// The emulator, as `http://127.0.0.1:<port>`.
    pub emulator: String,
    pub user_pool_id: String,
    pub user_pool_client_id: String,
    pub api_id: String,
    pub stage: String,
    /// The log group that each attempt is written to, as Cognito exports `userAuthEvents`.
    pub sign_in_logs: String,
}

pub struct Gate {
    config: Config,
    aws: Aws,
    /// For what is forwarded: it follows no redirection, which would leave the path that was checked.
    http: reqwest::Client,
    /// What the ids of unknown users are derived with.
    phantoms: hmac::Key,
    sessions: Mutex<Sessions>,
    lockouts: Mutex<Lockouts>,
    used_codes: Mutex<UsedCodes>,
    address_codes: Mutex<AddressCodes>,
    events: Events,
}

impl Gate {
    pub fn new(config: Config) -> Result<Arc<Self>> {
        let aws = Aws::new(&config.emulator)?;
        Ok(Arc::new(Self {
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            phantoms: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            events: Events::new(aws.clone(), config.sign_in_logs.clone()),
            aws,
            sessions: Mutex::default(),
            lockouts: Mutex::default(),
            used_codes: Mutex::default(),
            address_codes: Mutex::default(),
            config,
        }))
    }

    /// The routes: sign-in, the API and the pool's keys. Files may be served behind them.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        door::router(Arc::clone(self))
    }

    /// Serves the gate alone until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        serve(listener, self.router()).await
    }
}

/// Serves a router, telling it where each request comes from.
pub async fn serve(listener: TcpListener, router: axum::Router) -> Result<()> {
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}

/// A lock that a panic elsewhere does not spoil: what it guards is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
