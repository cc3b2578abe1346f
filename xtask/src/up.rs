//! `cargo xtask up`: the whole portal on this machine, until Ctrl-C.
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::pin;

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::aws::{Aws, REGION};
use crate::emulator::Emulator;
use crate::gate::{self, Config, Gate};
use crate::home::{Home, Portal, workspace};
use crate::mailbox::Mailbox;
use crate::sample;
use crate::site;
use crate::stack::{self, Built};
use crate::steps::Steps;
use crate::tools::{self, Set};

/// Where the front door is unless something else is there.
const DOOR: u16 = 4100;

const STEPS: u8 = 6;

/// Brings the portal up in `home`, and keeps it up until it is told to stop or the emulator ends.
pub async fn run(home: &Path, port: Option<u16>) -> Result<()> {
    let home = Home::at(home)?;
    let _claim = home.claim()?;
    home.remove_portal();
    let mut stop = pin!(stopped()?);
    let mut steps = Steps::new(STEPS);

    // Until the emulator runs there is nothing to take down: dropping the work ends it.
    let (listener, built, mut emulator) = tokio::select! {
        started = start(&home, port, &mut steps) => started?,
        () = &mut stop => return Ok(()),
    };
    let aws = Aws::new(emulator.endpoint())?;
    let log = emulator.log().to_owned();
    let outcome = tokio::select! {
        outcome = work(&home, &aws, &built, listener, &mut steps) => outcome,
        ended = emulator.ended() => match ended {
            Ok(status) => Err(anyhow!(
                "the emulator ended by itself ({status}); {}", tools::end_of(&log))),
            Err(error) => Err(error),
        },
        () = &mut stop => Ok(()),
    };
    println!("\nStopping.");
    home.remove_portal();
    emulator.stop().await?;
    outcome
}

async fn start(
    home: &Home,
    port: Option<u16>,
    steps: &mut Steps,
) -> Result<(TcpListener, Built, Emulator)> {
    // First of all: the emulator and the buckets have to know the app's origin.
    let listener = listen(port).await?;
    steps.begin("Install the emulator and the SAM CLI");
    tokio::try_join!(tools::install(Set::Emulator), tools::install(Set::Sam))?;
    steps.begin("Build the functions");
    let built = stack::build(home).await?;
    steps.begin("Build the app");
    tools::install_web().await?;
    steps.begin("Start the emulator");
    let emulator = Emulator::start(home, None, &address(&listener)?).await?;
    Ok((listener, built, emulator))
}

async fn work(
    home: &Home,
    aws: &Aws,
    built: &Built,
    listener: TcpListener,
    steps: &mut Steps,
) -> Result<()> {
    steps.begin("Deploy template.yaml");
    let address = address(&listener)?;
    let template = workspace().join("template.yaml");
    let deployed = stack::deploy(home, aws, built, &template, &address).await?;
    for (id, kind) in &deployed.left_out {
        steps.note(&format!("left out, not emulated: {kind} ({id})"));
    }
    if !deployed.changed {
        steps.note("unchanged since the last time");
    }

    let portal = Portal {
        address,
        region: REGION.to_owned(),
        user_pool_id: deployed.output("UserPoolId")?.to_owned(),
        user_pool_client_id: deployed.output("UserPoolClientId")?.to_owned(),
        emulator: aws.endpoint().to_owned(),
        api_id: deployed.output("ApiId")?.to_owned(),
        stage: deployed
            .outputs
            .get("ApiStage")
            .map_or("v1", String::as_str)
            .to_owned(),
        outputs: deployed.outputs.clone(),
    };
    let gate = Gate::new(Config {
        emulator: portal.emulator.clone(),
        user_pool_id: portal.user_pool_id.clone(),
        user_pool_client_id: portal.user_pool_client_id.clone(),
        api_id: portal.api_id.clone(),
        stage: portal.stage.clone(),
        sign_in_logs: deployed.output("SignInLogGroup")?.to_owned(),
    })?;
    let serving = gate::serve(listener, gate.router().merge(site::router(&portal)?));

    let ready = async {
        steps.begin("Load the sample patients and demo accounts");
        let accounts = sample::load(home, aws, &portal).await?;
        home.write_portal(&portal)?;
        steps.end();
        announce(&portal, &accounts, home);
        Mailbox::open(aws).await?.print().await
    };
    tokio::select! {
        served = serving => served,
        failed = ready => failed,
    }
}

/// The front door: on the port that was asked for, else on the usual one, else on any.
async fn listen(port: Option<u16>) -> Result<TcpListener> {
    let at = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => at(port)
            .await
            .with_context(|| format!("port {port} is taken")),
        None => match at(DOOR).await {
            Ok(listener) => Ok(listener),
            Err(_) => Ok(at(0).await?),
        },
    }
}

fn address(listener: &TcpListener) -> Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

fn announce(portal: &Portal, accounts: &[sample::Account], home: &Home) {
    println!("\nThe portal is up.\n");
    println!("  Address    {}", portal.address);
    println!(
        "  Emulator   {} (access key and secret: test)",
        portal.emulator
    );
    println!("  For tests  {}", home.path().join("portal.json").display());
    if !accounts.is_empty() {
        println!(
            "\n  {:<16}{:<34}{:<28}TOTP secret",
            "Role", "Sign in as", "Password"
        );
        for account in accounts {
            println!(
                "  {:<16}{:<34}{:<28}{}",
                account.role, account.email, account.password, account.totp_secret
            );
        }
        println!("\n  The 6-digit code is that of an authenticator app, or of");
        println!(
            "  `cargo xtask code EMAIL`, which works for these accounts. Mails are printed here."
        );
    }
    println!("\nCtrl-C stops it; `cargo xtask down --erase` removes what it leaves.");
}

/// Resolves at Ctrl-C or SIGTERM.
fn stopped() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
