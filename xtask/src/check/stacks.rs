//! The root and its children: linted as they are written, and written out as CloudFormation gets them.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::settle::{Parameters, parameters, settle};
use crate::home::workspace;
use crate::template;
use crate::tools::output;

/// CloudFormation takes 500 resources in a template; what is between is for the next operations.
const CEILING: usize = 450;

/// What the root is called beside its children.
const ROOT: &str = "portal";

/// The types of all resources, by `stack.LogicalId`.
pub(super) struct Stacks(BTreeMap<String, String>);

impl Stacks {
    /// Writes each stack to `folder` as samconfig.toml's prod deploys it, the root as SAM transforms it.
    pub(super) async fn write(folder: &Path, python: &Path) -> Result<Self> {
        let mut root = template::read(&workspace().join("template.yaml"))?;
        let children = package(&mut root)?;
        // Transformed first: what a function takes away from the Globals, SAM has to see.
        let root = transform(&root, python).await?;
        let given = parameters(&root, &overrides("prod")?);
        let root = settle(root, &given).context("template.yaml")?;
        let mut stacks = Self(BTreeMap::new());
        stacks.note(ROOT, &root, folder)?;
        for (id, location) in children {
            // Not there by its condition.
            let Some(child) = root.pointer(&format!("/Resources/{id}/Properties")) else {
                continue;
            };
            let given = child.get("Parameters").and_then(Value::as_object);
            let given = given.cloned().unwrap_or_default().into_iter().collect();
            let child = template::read(&workspace().join(&location))?;
            let given = parameters(&child, &given);
            let child = settle(child, &given).with_context(|| location.clone())?;
            let name = Path::new(&location).file_stem().unwrap_or_default();
            stacks.note(&name.to_string_lossy(), &child, folder)?;
        }
        ensure!(
            stacks.of_root() <= CEILING,
            "the root has {} resources, of {CEILING}",
            stacks.of_root()
        );
        Ok(stacks)
    }

    fn note(&mut self, stack: &str, template: &Value, folder: &Path) -> Result<()> {
        let resources = template.get("Resources").and_then(Value::as_object);
        for (id, resource) in resources.into_iter().flatten() {
            let kind = resource.get("Type").and_then(Value::as_str);
            let kind = kind.unwrap_or_default().to_owned();
            self.0.insert(format!("{stack}.{id}"), kind);
        }
        let text = serde_json::to_vec(template)?;
        Ok(std::fs::write(folder.join(format!("{stack}.json")), text)?)
    }

    pub(super) fn kind(&self, resource: &str) -> String {
        self.0.get(resource).cloned().unwrap_or_default()
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn size(&self) -> String {
        let (all, root) = (self.count(), self.of_root());
        format!("{all} resources, {root} of at most {CEILING} in the root")
    }

    fn of_root(&self) -> usize {
        let root = format!("{ROOT}.");
        self.0.keys().filter(|id| id.starts_with(&root)).count()
    }
}

/// The parameters that an environment of samconfig.toml overrides.
fn overrides(environment: &str) -> Result<Parameters> {
    let file = std::fs::read_to_string(workspace().join("samconfig.toml"))?;
    let config: Value = toml::from_str(&file).context("samconfig.toml")?;
    let overrides = format!("/{environment}/deploy/parameters/parameter_overrides");
    let overrides = config.pointer(&overrides).and_then(Value::as_array);
    let overrides = overrides.with_context(|| format!("samconfig.toml: no {environment}"))?;
    let overrides = overrides.iter().filter_map(Value::as_str);
    overrides
        .map(|one| {
            let (name, value) = one.split_once('=').context("samconfig.toml: NAME=VALUE")?;
            Ok((name.to_owned(), value.into()))
        })
        .collect()
}

/// Puts code and children where `sam package` does, and returns the children: logical id and file.
fn package(root: &mut Value) -> Result<Vec<(String, String)>> {
    let mut children = Vec::new();
    let resources = root.get_mut("Resources").and_then(Value::as_object_mut);
    for (id, resource) in resources.context("no Resources")? {
        let kind = resource.get("Type").and_then(Value::as_str);
        let is_child = kind == Some("AWS::Serverless::Application");
        let is_function = kind == Some("AWS::Serverless::Function");
        let Some(properties) = resource
            .get_mut("Properties")
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        if is_function {
            properties.insert("CodeUri".into(), json!({"Bucket": "code", "Key": "code"}));
        }
        if is_child {
            let packaged = json!("https://s3.amazonaws.com/code/child");
            let location = properties.insert("Location".into(), packaged);
            let location = location.as_ref().and_then(Value::as_str);
            children.push((
                id.clone(),
                location.context("a child has a Location")?.to_owned(),
            ));
        }
    }
    Ok(children)
}

async fn transform(root: &Value, python: &Path) -> Result<Value> {
    let mut python = Command::new(python)
        .arg(workspace().join("infra/compliance/transform.py"))
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = python.stdin.take().context("no standard input")?;
    stdin.write_all(&serde_json::to_vec(root)?).await?;
    drop(stdin);
    let done = python.wait_with_output().await?;
    ensure!(
        done.status.success(),
        "SAM does not transform template.yaml"
    );
    Ok(serde_json::from_slice(&done.stdout)?)
}

/// Every template there is, deployed or not.
pub(super) async fn lint(cfn_lint: &Path) -> Result<String> {
    let mut templates = vec![PathBuf::from("template.yaml")];
    let mut root = template::read(&workspace().join("template.yaml"))?;
    let children = package(&mut root)?;
    templates.extend(children.into_iter().map(|(_, path)| path.into()));
    let mut command = Command::new(cfn_lint);
    command
        .args(["-r", "us-east-1", "--"])
        .args(&templates)
        .current_dir(workspace());
    output(&mut command).await?;
    Ok(format!(
        "{} templates, as they are written",
        templates.len()
    ))
}

pub(super) async fn validate(sam: &Path) -> Result<String> {
    let mut command = Command::new(sam);
    command
        .args(["validate", "--lint"])
        .current_dir(workspace())
        .env("SAM_CLI_TELEMETRY", "0")
        .env("AWS_DEFAULT_REGION", "us-east-1");
    output(&mut command).await?;
    Ok("the root, as it is written".into())
}
