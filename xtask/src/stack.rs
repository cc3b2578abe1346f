//! The portal's stack on the emulator: built, uploaded and deployed by `sam deploy` as it is on AWS.
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{Context as Digest, SHA256};
use serde_json::{Value, json};
use tokio::process::Command;
use zip::write::SimpleFileOptions;

use crate::aws::{Aws, REGION, ROOT};
use crate::home::{Home, workspace};
use crate::template::{self, Code};
use crate::tools::{self, Set};

pub const STACK: &str = "portal";
const ARTEFACTS: &str = "portal-artefacts";
/// The output that says which template is deployed.
const STAMP: &str = "LocalFingerprint";

/// The bootstrap that holds every operation, built for this machine.
pub struct Built(PathBuf);

/// A deployed stack.
pub struct Deployed {
    pub outputs: BTreeMap<String, String>,
    /// Logical id and type of each resource that the emulator cannot have.
    pub left_out: Vec<(String, String)>,
    /// Whether anything was deployed; false when what was there is still right.
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
        // As part of the workspace, like this program: what both depend on is built once.
        .args(["build", "--bin", "bootstrap"])
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

/// Deploys `template`, a file with its children beside it, unless exactly that is deployed already,
/// for an app whose pages have the origin `app`.
pub async fn deploy(
    home: &Home,
    aws: &Aws,
    built: &Built,
    template: &Path,
    app: &str,
) -> Result<Deployed> {
    let folder = home.folder("deploy")?;
    let artefact = launcher(&built.0)?;
    let key = format!("{}.zip", fingerprint([&artefact]));
    let mut rewritten = rewrite(
        template,
        &folder,
        &Code {
            bucket: ARTEFACTS,
            key: &key,
        },
    )?;

    // What is deployed says so itself, in an output: a file of ours could be newer than the state
    // that the emulator saved.
    let texts = rewritten.texts.iter().map(Vec::as_slice);
    let stamp = fingerprint(texts.chain([app.as_bytes()]));
    let parameters = [
        // The emulator cannot update the account-wide role that API Gateway writes its logs with.
        ("ApiGatewayLogRole", "existing"),
        ("AllowedOrigin", app),
    ];
    for (name, value) in parameters {
        let default = format!("/Parameters/{name}/Default");
        if let Some(default) = rewritten.root.pointer_mut(&default) {
            *default = value.into();
        }
    }
    set_output(&mut rewritten.root, STAMP, &stamp);
    fs::write(
        folder.join("template.json"),
        serde_json::to_vec_pretty(&rewritten.root)?,
    )?;

    let found = aws.stack_outputs(STACK).await?;
    let found = found.filter(|outputs| outputs.get(STAMP) == Some(&stamp));
    let changed = found.is_none();
    let mut outputs = match found {
        Some(outputs) => outputs,
        None => {
            aws.create_bucket(ARTEFACTS).await?;
            aws.put_object(ARTEFACTS, &key, artefact).await?;
            sam_deploy(aws, &folder).await?;
            aws.stack_outputs(STACK)
                .await?
                .context("the stack is not complete")?
        }
    };
    outputs.remove(STAMP);
    Ok(Deployed {
        outputs,
        left_out: rewritten.left_out,
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

/// A template and its children as the emulator gets them.
struct Rewritten {
    root: Value,
    /// Root and children, as written.
    texts: Vec<Vec<u8>>,
    left_out: Vec<(String, String)>,
}

/// Rewrites the template and its children for the emulator, the children into `folder`.
fn rewrite(template: &Path, folder: &Path, code: &Code<'_>) -> Result<Rewritten> {
    let root = template::localize(template::read(template)?, code)
        .with_context(|| template.display().to_string())?;
    let mut texts = vec![serde_json::to_vec_pretty(&root.template)?];
    let mut left_out = root.left_out;
    for child in &root.children {
        let from = template.with_file_name(child);
        let local = template::localize(template::read(&from)?, code)
            .with_context(|| from.display().to_string())?;
        if !local.children.is_empty() {
            bail!("{}: a child has children of its own", from.display());
        }
        let text = serde_json::to_vec_pretty(&local.template)?;
        let to = folder.join(template::json_name(child));
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::write(&to, &text)?;
        texts.push(text);
        left_out.extend(local.left_out);
    }
    Ok(Rewritten {
        root: root.template,
        texts,
        left_out,
    })
}

fn set_output(template: &mut Value, name: &str, value: &str) {
    let outputs = template
        .as_object_mut()
        .map(|template| template.entry("Outputs").or_insert_with(|| json!({})))
        .and_then(Value::as_object_mut);
    if let Some(outputs) = outputs {
        outputs.insert(name.into(), json!({"Value": value}));
    }
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

/// A digest of several texts, in which where one ends counts.
fn fingerprint<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut digest = Digest::new(&SHA256);
    for text in texts {
        digest.update(&(text.as_ref().len() as u64).to_be_bytes());
        digest.update(text.as_ref());
    }
    data_encoding::HEXLOWER.encode(digest.finish().as_ref())
}
