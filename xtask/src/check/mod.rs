//! `cargo xtask check`: what has to hold of the templates, of what the portal depends on and of its
//! files before anything is deployed. What the rules find is compared with the exceptions that are
//! written down.
mod findings;
mod secrets;
mod settle;
mod stacks;
mod supply;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::Instant;

use crate::home::workspace;
use crate::tools::{self, Set, captured};
use findings::{Finding, compare, exceptions};
use stacks::Stacks;

const EXCEPTIONS: &str = "infra/compliance-exceptions.yaml";

/// Installs what the checks use, unless it is there already.
pub async fn install() -> Result<()> {
    tokio::try_join!(
        tools::install(Set::Sam),
        tools::install(Set::Check),
        tools::install_rules(),
        tools::install_deny(),
    )?;
    Ok(())
}

/// Checks everything and fails if anything is left to say.
pub async fn run() -> Result<()> {
    install().await?;
    let programs = Programs::installed().await?;
    let row = Row::begin("Templates, as samconfig.toml's prod deploys them");
    let folder = tempfile::tempdir()?;
    let deployed = Stacks::write(folder.path(), &programs.python).await?;
    row.says(deployed.size());

    // As long as all others together, and on one core.
    let checkov = async {
        let row = Row::begin("checkov");
        let found = checkov(&programs.checkov, folder.path(), &deployed).await?;
        row.says(format!("{} findings", found.len()));
        Ok(found)
    };
    let (mut findings, (found, mut report)) =
        tokio::try_join!(checkov, others(&programs, folder.path(), &deployed))?;
    findings.extend(found);

    let row = Row::begin("Against the exceptions");
    let exceptions = exceptions(&workspace().join(EXCEPTIONS))?;
    let differences = compare(&findings, &exceptions);
    row.says(format!(
        "{} findings, {} exceptions, {} differences",
        findings.len(),
        exceptions.len(),
        differences.len()
    ));
    report.failures.extend(differences);
    report.end()
}

/// All but checkov, one after the other: what they find, and what they say.
async fn others(
    programs: &Programs,
    folder: &Path,
    deployed: &Stacks,
) -> Result<(Vec<Finding>, Report)> {
    let (mut report, mut findings) = (Report::default(), Vec::new());
    let row = Row::begin("cfn-lint");
    report.tells(row, stacks::lint(&programs.cfn_lint).await);
    let row = Row::begin("sam validate --lint");
    report.tells(row, stacks::validate(&programs.sam).await);

    let row = Row::begin("cdk-nag");
    let found = rules(folder, deployed).await?;
    row.says(per_pack(&found));
    findings.extend(found.into_iter().map(|(_, finding)| finding));
    let row = Row::begin("Secrets in tracked files");
    let found = secrets::scan(&programs.detect_secrets).await?;
    row.says(format!("{} that look like one", found.len()));
    findings.extend(found);

    let row = Row::begin("cargo-deny");
    report.tells(row, supply::deny(&programs.cargo_deny).await);
    let row = Row::begin("Advisories");
    report.tells(row, supply::advisories(&programs.cargo_deny).await);
    let row = Row::begin("Signatures of npm packages");
    report.tells(row, supply::signatures().await);
    Ok((findings, report))
}

/// Where the tools are.
struct Programs {
    python: PathBuf,
    sam: PathBuf,
    cfn_lint: PathBuf,
    checkov: PathBuf,
    detect_secrets: PathBuf,
    cargo_deny: PathBuf,
}

impl Programs {
    async fn installed() -> Result<Self> {
        let sam = tools::install(Set::Sam).await?;
        let check = tools::install(Set::Check).await?;
        Ok(Self {
            python: sam.join("python"),
            sam: sam.join("sam"),
            cfn_lint: sam.join("cfn-lint"),
            checkov: check.join("checkov"),
            detect_secrets: check.join("detect-secrets"),
            cargo_deny: tools::install_deny().await?,
        })
    }
}

/// cdk-nag's packs over the written stacks: each finding with its pack.
async fn rules(folder: &Path, deployed: &Stacks) -> Result<Vec<(String, Finding)>> {
    #[derive(Deserialize)]
    struct Violation {
        pack: String,
        stack: String,
        resource: String,
        rule: String,
        text: String,
    }
    let mut node = Command::new("node");
    node.current_dir(workspace().join("infra/compliance"))
        .arg("nag.mjs")
        .arg(folder);
    let printed = captured(&mut node).await?;
    let violations: Vec<Violation> = serde_json::from_slice(&printed).context("cdk-nag")?;
    let findings = violations.into_iter().map(|violation| {
        let resource = format!("{}.{}", violation.stack, violation.resource);
        let finding = Finding {
            kind: deployed.kind(&resource),
            resource,
            rule: violation.rule,
            text: violation.text,
        };
        (violation.pack, finding)
    });
    Ok(findings.collect())
}

fn per_pack(found: &[(String, Finding)]) -> String {
    let count = |pack: &str| found.iter().filter(|(of, _)| of == pack).count();
    let packs = ["HIPAA.Security", "AwsSolutions", "Serverless"];
    let packs = packs.map(|pack| format!("{pack} {}", count(pack)));
    format!("findings: {}", packs.join(", "))
}

async fn checkov(checkov: &Path, folder: &Path, deployed: &Stacks) -> Result<Vec<Finding>> {
    #[derive(Deserialize)]
    struct Report {
        results: Results,
        summary: Summary,
    }
    #[derive(Deserialize)]
    struct Results {
        failed_checks: Vec<Check>,
    }
    #[derive(Deserialize)]
    struct Check {
        check_id: String,
        check_name: String,
        file_path: String,
        resource: String,
    }
    #[derive(Deserialize)]
    struct Summary {
        parsing_errors: usize,
        resource_count: usize,
    }
    let mut command = Command::new(checkov);
    command
        .arg("--directory")
        .arg(folder)
        .args(["--framework", "cloudformation", "--skip-download"])
        .args(["--output", "json", "--compact", "--quiet", "--soft-fail"])
        .env("LOG_LEVEL", "ERROR");
    let report: Report = serde_json::from_slice(&captured(&mut command).await?)?;
    if report.summary.parsing_errors > 0 || report.summary.resource_count < deployed.count() {
        bail!("checkov did not read every template");
    }
    let findings = report.results.failed_checks.into_iter().map(|check| {
        let stack = Path::new(&check.file_path).file_stem();
        let stack = stack.unwrap_or_default().to_string_lossy();
        let id = check.resource.rsplit('.').next().unwrap_or_default();
        let resource = format!("{stack}.{id}");
        Finding {
            kind: deployed.kind(&resource),
            resource,
            rule: check.check_id,
            text: check.check_name,
        }
    });
    Ok(findings.collect())
}

/// What is checked: a line, once it is known how it went.
struct Row {
    what: &'static str,
    began: Instant,
}

impl Row {
    fn begin(what: &'static str) -> Self {
        Self {
            what,
            began: Instant::now(),
        }
    }

    fn says(self, outcome: impl Display) {
        let seconds = self.began.elapsed().as_secs_f32();
        println!("      {:<50}{seconds:>6.1} s  {outcome}", self.what);
    }
}

/// What keeps the gate shut.
#[derive(Default)]
struct Report {
    failures: Vec<String>,
}

impl Report {
    fn tells(&mut self, row: Row, outcome: Result<String>) {
        match outcome {
            Ok(said) => row.says(said),
            Err(error) => {
                self.failures.push(format!("{}: {error:#}", row.what));
                row.says("fails");
            }
        }
    }

    fn end(self) -> Result<()> {
        for failure in &self.failures {
            println!("      {failure}");
        }
        match self.failures.len() {
            0 => Ok(()),
            count => bail!("the gate stays shut: {count} to put right"),
        }
    }
}
