//! Secrets that somebody left in a tracked file.
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::process::Command;

use super::findings::Finding;
use crate::home::workspace;
use crate::tools::captured;

/// What looks like a secret, by its path and the beginning of its digest.
pub(super) async fn scan(detect_secrets: &Path) -> Result<Vec<Finding>> {
    #[derive(Deserialize)]
    struct Report {
        results: BTreeMap<String, Vec<Secret>>,
    }
    #[derive(Deserialize)]
    struct Secret {
        #[serde(rename = "type")]
        kind: String,
        hashed_secret: String,
        line_number: usize,
    }
    let mut command = Command::new(detect_secrets);
    command
        .current_dir(workspace())
        // Nothing is asked of whom a secret might be for.
        .args(["scan", "--no-verify"])
        // Ids, digests and keys of test vectors are as random as secrets are.
        .args(["--disable-plugin", "Base64HighEntropyString"])
        .args(["--disable-plugin", "HexHighEntropyString"])
        .args(["--exclude-files", r"(^|/)(package-lock\.json|Cargo\.lock)$"]);
    let report: Report =
        serde_json::from_slice(&captured(&mut command).await?).context("detect-secrets")?;
    let findings = report.results.into_iter().flat_map(|(path, secrets)| {
        let path_of_tests = made_up(&path);
        secrets
            .into_iter()
            .filter(move |secret| secret.kind != "Secret Keyword" || !path_of_tests)
            .map(move |secret| Finding {
                resource: format!(
                    "{path} {}",
                    secret.hashed_secret.get(..10).unwrap_or_default()
                ),
                kind: String::new(),
                rule: secret.kind,
                text: format!("line {}", secret.line_number),
            })
    });
    Ok(findings.collect())
}

/// Tests sign made-up people in, with made-up passwords: there a name alone makes nothing a secret.
fn made_up(path: &str) -> bool {
    path.starts_with("events/") || path.split('/').any(|part| part == "tests")
}
