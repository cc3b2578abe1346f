//! `cargo xtask <command>`: reads the command line.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "talking to the terminal is what these commands are for"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xtask::aws::Aws;
use xtask::home::{Home, workspace};
use xtask::verify_audit::Names;
use xtask::{activation, bench, check, down, openapi, sample, test, totp, up, verify_audit};

const USAGE: &str = "\
cargo xtask up   [--home DIR] [--port N]     the whole portal on this machine, until Ctrl-C
cargo xtask down [--home DIR] [--erase]      ends it; --erase removes what it stored
cargo xtask test                             every check and test there is
cargo xtask check                            of these, the templates, dependencies and secrets
cargo xtask bench [--runs N] [--requests N] [--against DIR]...
                                             the speed of release binaries, beside a bare function
cargo xtask openapi [--check]                  the API's document, web/openapi.json
cargo xtask activation --mrn N --birth-date D [--home DIR]
                                             a code with which that patient makes an account
cargo xtask code EMAIL [--home DIR]          the authenticator's current code of a demo account
cargo xtask verify-audit [--home DIR]        whether the audit log is what was written
cargo xtask verify-audit --archive DIR --public-key FILE
                                             the same of a downloaded archive

DIR is .portal unless given; N is 4100 if that is free.";

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    match run(&command, arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: &str, arguments: impl Iterator<Item = String>) -> Result<()> {
    match command {
        "up" => {
            let options = Options::read(arguments, &["--home", "--port"])?;
            up::run(&options.home, options.port).await
        }
        "down" => {
            let options = Options::read(arguments, &["--home", "--erase"])?;
            down::run(&options.home, options.erase).await
        }
        "check" => {
            Options::read(arguments, &[])?;
            check::run().await
        }
        "bench" => bench::run(bench::Options::read(arguments)?).await,
        "activation" => {
            let options = Options::read(arguments, &["--home", "--mrn", "--birth-date"])?;
            let (Some(mrn), Some(birth_date)) = (options.mrn, options.birth_date) else {
                bail!("--mrn and --birth-date are needed\n\n{USAGE}");
            };
            let portal = Home::at(&options.home)?.portal()?;
            println!("{}", activation::issue(&portal, &mrn, &birth_date).await?);
            Ok(())
        }
        "code" => {
            let mut arguments = arguments;
            let email = arguments
                .next()
                .with_context(|| format!("EMAIL is needed\n\n{USAGE}"))?;
            let options = Options::read(arguments, &["--home"])?;
            let account = sample::account(&Home::at(&options.home)?, &email)?;
            println!("{}", totp::code(&account.totp_secret)?);
            Ok(())
        }
        "verify-audit" => {
            let known = ["--home", "--archive", "--public-key"];
            let options = Options::read(arguments, &known)?;
            let walked = match (&options.archive, &options.public_key) {
                (Some(archive), Some(key)) => {
                    verify_audit::offline(archive, &verify_audit::public_key(key)?).await?
                }
                (None, None) => {
                    let portal = Home::at(&options.home)?.portal()?;
                    let aws = Aws::new(&portal.emulator)?;
                    verify_audit::online(&aws, &Names::of(&portal)?).await?
                }
                _ => bail!("--archive and --public-key go together\n\n{USAGE}"),
            };
            for finding in &walked.findings {
                println!("{finding}");
            }
            let (records, last) = (walked.lines, walked.last.number);
            if !walked.findings.is_empty() {
                bail!("the audit log is not what was written");
            }
            println!("{records} records up to checkpoint {last}: all as they were written");
            Ok(())
        }
        "openapi" => {
            let options = Options::read(arguments, &["--check"])?;
            openapi::run(options.check).await
        }
        "test" => {
            Options::read(arguments, &[])?;
            test::run().await
        }
        _ => bail!("no such command\n\n{USAGE}"),
    }
}

struct Options {
    home: PathBuf,
    port: Option<u16>,
    erase: bool,
    check: bool,
    mrn: Option<String>,
    birth_date: Option<String>,
    archive: Option<PathBuf>,
    public_key: Option<PathBuf>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>, known: &[&str]) -> Result<Self> {
        let mut options = Self {
            home: workspace().join(".portal"),
            port: None,
            erase: false,
            check: false,
            mrn: None,
            birth_date: None,
            archive: None,
            public_key: None,
        };
        while let Some(option) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{option} needs a value"))
            };
            match option.as_str() {
                name if !known.contains(&name) => bail!("unknown option {name}\n\n{USAGE}"),
                "--home" => options.home = value()?.into(),
                "--mrn" => options.mrn = Some(value()?),
                "--archive" => options.archive = Some(value()?.into()),
                "--public-key" => options.public_key = Some(value()?.into()),
                "--birth-date" => options.birth_date = Some(value()?),
                "--port" => options.port = Some(value()?.parse().context("--port is no port")?),
                "--check" => options.check = true,
                _ => options.erase = true,
            }
        }
        Ok(options)
    }
}
