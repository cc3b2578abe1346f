//! The portal's stack on the emulator: built, uploaded and deployed by `sam deploy` as it is on AWS.
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{Context as Digest, SHA256};
use tokio::process::Command;
use zip::write::SimpleFileOptions;

use crate::aws::{Aws, REGION, ROOT};
use crate::home::{Home, workspace};
use crate::template::{self, Code};
use crate::tools::{self, Set};

pub const STACK: &str = "portal";
const ARTEFACTS: &str = "portal-artefacts";

/// The bootstrap that holds every operation, built for this machine.
pub struct Built(PathBuf);

/// A deployed stack.
pub struct Deployed {
    pub outputs: BTreeMap<String, String>,
    /// Logical id and type of each resource that the emulator cannot have.
    pub left_out: Vec<(String, String)>,
    /// False when what was deployed before is still right.
    pub changed: bool,
}

impl Deployed {
    pub fn output(&self, name: &str) -> Result<&str> {
        let output = self.outputs.get(name).map(String::as_str);
        output.with_context(|| format!("the stack has no output {name}"))
    }
}

/// Builds the bootstrap and puts a copy into the home, so that building on does not disturb what runs.
pub async fn build(home: &Home) -> Result<Built> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(workspace())
        .args(["build", "--quiet", "--package", "bootstrap"])
        .kill_on_drop(true)
        .status()
        .await?;
    if !status.success() {
        bail!("the functions do not build");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), PathBuf::from);
    adopt(home, &workspace().join(target).join("debug/bootstrap"))
}

/// Takes any Lambda bootstrap for the one that holds the operations.
pub fn adopt(home: &Home, bootstrap: &Path) -> Result<Built> {
    let copy = home.folder("deploy")?.join("bootstrap");
    let fresh = copy.with_extension("new");
    fs::copy(bootstrap, &fresh).with_context(|| format!("cannot copy {}", bootstrap.display()))?;
    fs::rename(&fresh, &copy)?;
    Ok(Built(copy))
}

/// The copy that was built before.
pub fn built(home: &Home) -> Result<Built> {
    Ok(Built(home.folder("deploy")?.join("bootstrap")))
}

/// Deploys `template`, a file with its children beside it, unless exactly that is deployed already.
pub async fn deploy(home: &Home, aws: &Aws, built: &Built, template: &Path) -> Result<Deployed> {
    let folder = home.folder("deploy")?;
    let artefact = launcher(&built.0)?;
    let key = format!("{}.zip", fingerprint([artefact.as_slice()]));
    let (left_out, texts) = rewrite(
        template,
        &folder,
        &Code {
            bucket: ARTEFACTS,
            key: &key,
        },
    )?;

    let stamp_file = folder.join("deployed");
    let stamp = fingerprint(texts.iter().map(Vec::as_slice));
    let was = fs::read_to_string(&stamp_file).unwrap_or_default();
    let changed = was != stamp || aws.stack_outputs(STACK).await?.is_none();
    if changed {
        let _ = fs::remove_file(&stamp_file);
        aws.create_bucket(ARTEFACTS).await?;
        aws.put_object(ARTEFACTS, &key, artefact).await?;
        sam_deploy(aws, &folder).await?;
    }
    let outputs = aws
        .stack_outputs(STACK)
        .await?
        .context("the stack is not complete")?;
    fs::write(&stamp_file, stamp)?;
    Ok(Deployed {
        outputs: outputs.into_iter().collect(),
        left_out,
        changed,
    })
}

/// The code that is uploaded: two lines that start the bootstrap in the home. The emulator runs
/// functions as plain processes of this machine, so they need not carry the program itself, of
/// which it would keep a copy for each of them in memory; and new code needs no new deployment.
fn launcher(bootstrap: &Path) -> Result<Vec<u8>> {
    let path = bootstrap
        .to_str()
        .context("the home's path is not UTF-8")?
        .replace('\'', r"'\''");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let executable = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    zip.start_file("bootstrap", executable)?;
    zip.write_all(format!("#!/bin/sh\nexec '{path}'\n").as_bytes())?;
    Ok(zip.finish()?.into_inner())
}

type LeftOut = Vec<(String, String)>;

/// Writes the template and its children, rewritten for the emulator, into `folder`.
fn rewrite(template: &Path, folder: &Path, code: &Code<'_>) -> Result<(LeftOut, Vec<Vec<u8>>)> {
    let source = template.parent().unwrap_or(Path::new("."));
    let mut left_out = Vec::new();
    let mut texts = Vec::new();
    let mut to_do = vec![(template.to_path_buf(), folder.join("template.json"))];
    while let Some((from, to)) = to_do.pop() {
        let local = template::localize(template::read(&from)?, code)
            .with_context(|| format!("{}", from.display()))?;
        for child in &local.children {
            to_do.push((source.join(child), folder.join(template::json_name(child))));
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        let text = serde_json::to_vec_pretty(&local.template)?;
        fs::write(&to, &text)?;
        texts.push(text);
        left_out.extend(local.left_out);
    }
    Ok((left_out, texts))
}

async fn sam_deploy(aws: &Aws, folder: &Path) -> Result<()> {
    let programs = tools::install(Set::Sam).await?;
    let mut command = Command::new(programs.join("sam"));
    command
        .current_dir(folder)
        .args([
            "deploy",
            "--template-file",
            "template.json",
            "--stack-name",
            STACK,
        ])
        .args(["--s3-bucket", ARTEFACTS, "--region", REGION])
        .args([
            "--capabilities",
            "CAPABILITY_NAMED_IAM",
            "CAPABILITY_AUTO_EXPAND",
        ])
        .args([
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--no-progressbar",
        ])
        .args(["--on-failure", "DELETE"])
        // Nothing of the developer's own AWS set-up is read or written.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("LANG", "C.UTF-8")
        .env("NO_PROXY", "127.0.0.1")
        .env("AWS_ENDPOINT_URL", aws.endpoint())
        .env("AWS_ACCESS_KEY_ID", ROOT)
        .env("AWS_SECRET_ACCESS_KEY", ROOT)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("SAM_CLI_POLL_DELAY", "1");
    let log = folder.join("sam.log");
    let _ = fs::remove_file(&log);
    tools::run(&mut command, &log).await.context("sam deploy")
}

fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut digest = Digest::new(&SHA256);
    for part in parts {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    data_encoding::HEXLOWER.encode(digest.finish().as_ref())
}
