//! What the portal depends on: licences, sources, known defects, signatures.
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::home::workspace;
use crate::tools::{captured, output};

/// The folders with a lock file of npm's.
const PACKAGES: [&str; 3] = ["infra/compliance", "tests/e2e", "web"];

/// By deny.toml.
pub(super) async fn deny(cargo_deny: &Path) -> Result<String> {
    let mut command = Command::new(cargo_deny);
    command.current_dir(workspace()).args([
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    output(&mut command).await?;
    let mut tree = Command::new("cargo");
    tree.current_dir(workspace()).args([
        "tree",
        "--workspace",
        "--locked",
        "--duplicates",
        "--depth",
        "0",
        "--prefix",
        "none",
    ]);
    let tree = captured(&mut tree).await?;
    let tree = String::from_utf8(tree)?;
    let names: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let twice = names.iter().filter(|name| !name.is_empty()).count();
    Ok(format!(
        "bans, licences and sources; {twice} crates are there in several versions"
    ))
}

/// Known defects and yanked crates, where the database of advisories can be reached.
pub(super) async fn advisories(cargo_deny: &Path) -> Result<String> {
    let cargo_deny = || {
        let mut command = Command::new(cargo_deny);
        command
            .current_dir(workspace())
            .args(["--log-level", "error"])
            .env("GIT_TERMINAL_PROMPT", "0");
        command
    };
    if output(cargo_deny().args(["fetch", "db"])).await.is_err() {
        return Ok("NOT CHECKED: their database cannot be reached".into());
    }
    output(cargo_deny().args(["check", "--disable-fetch", "advisories"])).await?;
    Ok("none".into())
}

/// Whether installed packages are signed by whom they should be, where the keys can be reached.
pub(super) async fn signatures() -> Result<String> {
    let installed = PACKAGES.map(|folder| workspace().join(folder).join("node_modules"));
    let installed = PACKAGES
        .iter()
        .zip(installed)
        .filter(|(_, path)| path.exists());
    let folders: Vec<&str> = installed.map(|(folder, _)| *folder).collect();
    for folder in &folders {
        let mut npm = Command::new("npm");
        npm.current_dir(workspace().join(folder)).args([
            "audit",
            "signatures",
            "--json",
            "--fetch-retries",
            "0",
        ]);
        let done = npm.kill_on_drop(true).output().await?;
        let said: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        let (Some(invalid), Some(missing)) = (count(&said, "invalid"), count(&said, "missing"))
        else {
            return Ok("NOT CHECKED: the registry's keys cannot be reached".into());
        };
        ensure!(
            invalid == 0 && missing == 0,
            "{folder}: {invalid} signatures are not valid, {missing} are missing"
        );
    }
    Ok(format!("valid in {}", folders.join(", ")))
}

fn count(said: &Value, what: &str) -> Option<usize> {
    said.get(what).and_then(Value::as_array).map(Vec::len)
}
