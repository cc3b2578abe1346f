//! The release binaries under measurement, and how large they are as Lambda gets them.
use std::collections::HashMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;
use zip::write::SimpleFileOptions;

use crate::home::workspace;

/// Builds packages for release, Cargo's progress on the terminal, and says where each binary is.
pub(super) async fn build(packages: &[&str]) -> Result<HashMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args([
            "build",
            "--release",
            "--message-format=json-render-diagnostics",
        ])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "the release build failed");
    let messages = String::from_utf8(output.stdout)?;
    Ok(messages.lines().filter_map(executable).collect())
}

/// The name and path of a binary, from a message of Cargo's.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.pointer("/target/name")?.as_str()?;
    Some((name.to_owned(), path.into()))
}

/// The size of a binary's deployment package.
pub(super) fn zipped(binary: &Path) -> Result<u64> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(&fs::read(binary)?)?;
    Ok(zip.finish()?.into_inner().len().try_into()?)
}
