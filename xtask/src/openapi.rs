//! `cargo xtask openapi`: keeps web/openapi.json, from which web/ generates its client.
use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::home::workspace;

const FILE: &str = "web/openapi.json";

/// Writes the document; with `check`, says whether the one that is there is current.
pub async fn run(check: bool) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        // Not of one package: its dependencies are then the ones that the workspace is built with.
        .args(["run", "--quiet", "--example", "openapi"])
        .args(["--features", "shared/openapi"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let output = command.output().await.context("cannot start cargo")?;
    ensure!(output.status.success(), "the document was not made");
    let file = workspace().join(FILE);
    if check {
        let current = fs::read(&file).is_ok_and(|found| found == output.stdout);
        ensure!(current, "{FILE} is stale: run `cargo xtask openapi`");
    } else {
        fs::write(file, output.stdout)?;
    }
    Ok(())
}
