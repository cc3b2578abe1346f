//! `cargo xtask test`: every check and test there is, in the order in which they fail fastest.
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::check;
use crate::home::{Home, workspace};
use crate::listeners;
use crate::openapi;
use crate::steps::Steps;
use crate::tools::{self, Set, succeed};

const STEPS: u8 = 6;

/// Runs everything: a check that fails ends it, but tests and journeys all run, and hide nothing of each
/// other.
pub async fn run() -> Result<()> {
    // Read before `cargo test` builds this program anew: the running one's file is then gone.
    let xtask = std::env::current_exe()?;
    let mut steps = Steps::new(STEPS);
    steps.begin("Format and lints; what the next steps need is installed meanwhile");
    let (browser, ..) = tokio::try_join!(
        tools::install_browser(),
        tools::install(Set::Emulator),
        check::install(),
        tools::install(Set::Readers),
        tools::install_clients(),
        tools::install_web(),
        lints(),
    )?;

    steps.begin("Templates, dependencies and secrets");
    check::run().await?;

    steps.begin("The app");
    openapi::run(true).await?;
    web().await?;

    steps.begin("Tests");
    // Most of them wait for the emulator, or for the end of a retry's pause, most of the time.
    let threads = 2 * std::thread::available_parallelism()?.get();
    let threads = format!("--test-threads={threads}");
    // A function's main.rs starts its library and has no tests: 118 programs less to link.
    let tests = cargo(&[
        "test",
        "--workspace",
        "--lib",
        "--test",
        "*",
        "--quiet",
        "--no-fail-fast",
        "--",
        &threads,
    ])
    .await;

    // Each finds a portal where nothing has happened yet.
    steps.begin("Journeys of clients, on a portal of their own");
    let clients = on_a_fresh_portal(&xtask, &browser, "journeys").await;

    steps.begin("Journeys of browsers, on another");
    let browsers = on_a_fresh_portal(&xtask, &browser, "browsers").await;
    tests.context("tests failed")?;
    clients.context("the journeys of clients failed")?;
    browsers.context("the journeys of browsers failed")?;
    steps.end();
    Ok(())
}

/// Deploys a portal and runs a script of the journeys on it.
async fn on_a_fresh_portal(xtask: &Path, browser: &Path, script: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut portal = Deployed::start(xtask, folder.path()).await?;
    let outcome = journeys(xtask, browser, folder.path(), script).await;
    portal.stop().await?;
    outcome
}

async fn cargo(arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    succeed(command.current_dir(workspace()).args(arguments)).await
}

async fn lints() -> Result<()> {
    cargo(&["fmt", "--all", "--check"]).await?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ])
    .await
}

async fn web() -> Result<()> {
    for script in ["api:check", "words:check", "types", "test", "budgets"] {
        let mut npm = Command::new("npm");
        npm.current_dir(workspace().join("web"))
            .args(["run", script, "--silent"]);
        succeed(&mut npm).await?;
    }
    Ok(())
}

async fn journeys(xtask: &Path, browser: &Path, home: &Path, script: &str) -> Result<()> {
    let mut command = Command::new("npm");
    command
        .current_dir(workspace().join("tests/e2e"))
        .args(["run", script, "--silent"])
        .env("PORTAL_HOME", home)
        .env("PORTAL_XTASK", xtask)
        .env("CHROMIUM", browser);
    succeed(&mut command).await
}

/// A portal that `cargo xtask up` brought up in a folder of its own.
struct Deployed(Child);

impl Deployed {
    /// Starts it, waits until it is ready and sees that it listens on loopback alone.
    async fn start(xtask: &Path, home: &Path) -> Result<Self> {
        let child = Command::new(xtask)
            .arg("up")
            .arg("--home")
            .arg(home)
            .args(["--port", &crate::emulator::free_port(None)?.to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut portal = Self(child);
        let deadline = Instant::now() + Duration::from_secs(20 * 60);
        while Home::at(home)?.portal().is_err() {
            if let Some(status) = portal.0.try_wait()? {
                bail!("`cargo xtask up` ended before it was ready ({status})");
            }
            ensure!(
                Instant::now() < deadline,
                "`cargo xtask up` is not ready after 20 minutes"
            );
            sleep(Duration::from_millis(200)).await;
        }
        portal.is_local()?;
        Ok(portal)
    }

    /// Nothing of it may be reached from another machine.
    fn is_local(&self) -> Result<()> {
        if !cfg!(target_os = "linux") {
            return Ok(());
        }
        let process = self.0.id().context("`cargo xtask up` has ended")?;
        let addresses = listeners::addresses(process)?;
        ensure!(!addresses.is_empty(), "the portal listens nowhere");
        for address in addresses {
            ensure!(address.is_loopback(), "the portal listens on {address}");
        }
        Ok(())
    }

    async fn stop(&mut self) -> Result<()> {
        let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
            return Ok(());
        };
        rustix::process::kill_process(pid, Signal::TERM)?;
        let status = timeout(Duration::from_secs(90), self.0.wait())
            .await
            .context("`cargo xtask up` did not stop within 90 seconds")??;
        ensure!(status.success(), "`cargo xtask up` ended with {status}");
        Ok(())
    }
}
