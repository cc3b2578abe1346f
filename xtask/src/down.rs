//! `cargo xtask down`: ends a portal that is up elsewhere, and removes its state if asked to.
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use tokio::time::{Instant, sleep};

use crate::home::Home;

/// Longer than the emulator gets to save its state.
const PATIENCE: Duration = Duration::from_secs(90);

pub async fn run(home: &Path, erase: bool) -> Result<()> {
    if !home.exists() {
        println!("There is nothing in {}.", home.display());
        return Ok(());
    }
    let home = Home::at(home)?;
    match home.holder()? {
        Some(id) => end(&home, id).await?,
        None => println!("No portal is up in {}.", home.path().display()),
    }
    if erase {
        home.erase()?;
        println!("Its state is removed.");
    }
    Ok(())
}

async fn end(home: &Home, id: u32) -> Result<()> {
    let pid = Pid::from_raw(id.cast_signed()).context("the home names no process")?;
    rustix::process::kill_process(pid, Signal::TERM)?;
    let deadline = Instant::now() + PATIENCE;
    while home.holder()?.is_some() {
        if Instant::now() > deadline {
            bail!("process {id} does not end");
        }
        sleep(Duration::from_millis(100)).await;
    }
    println!("The portal is down.");
    Ok(())
}
