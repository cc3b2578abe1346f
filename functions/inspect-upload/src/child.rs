//! A process of its own to read a file in. A parser may run out of stack or memory, which ends the
//! process that it runs in, or never come to an end: that must be the file's fate and not the
//! function's. The process has neither credentials nor files, can open none and start nothing, and the
//! kernel bounds what it takes.

use crate::{pdf, picture};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use shared::api::documents::{ContentType, MAX_FILE, Rejection};
use shared::{Fault, Reason};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// Asks a program to be the child; the content type follows.
const ARGUMENT: &str = "inspect-file";

/// The child's address space, in bytes; the function's memory in template.yaml has room for it.
const MEMORY: u64 = 768 * 1024 * 1024;

/// The child's processor time and, a little later, its time.
const CPU_SECONDS: u64 = 20;
const DEADLINE: Duration = Duration::from_secs(25);

/// What the child says first of a file that passes; a rejection's code otherwise.
const PASSED: &str = "passed";

/// Was this process started to be the child?
pub fn is_child() -> bool {
    std::env::args().nth(1).as_deref() == Some(ARGUMENT)
}

/// The largest file that comes out, in bytes.
pub(crate) const MAX_PASSED: usize = 32 * 1024 * 1024;

/// Keeps other processes of the same user, such as the child, from reading this one's memory: the
/// function's has credentials in it.
pub(crate) fn close_to_others() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Reads the file on standard input, and writes what there is to say of it.
pub fn run_child() -> std::io::Result<()> {
    close_to_others()?;
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        // Standard input and output are open already; it opens nothing more, no socket either.
        (Resource::Nofile, 0),
        (Resource::Nproc, 0),
    ] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_FILE).read_to_end(&mut bytes)?;
    let content_type = std::env::args().nth(2).unwrap_or_default().parse();
    let verdict = match content_type {
        Ok(ContentType::Pdf) => pdf::anew(&bytes),
        Ok(ContentType::Jpeg) => picture::jpeg(&bytes),
        Ok(ContentType::Png) => picture::png(&bytes),
        Err(_) => Err(Rejection::NotInspected),
    };
    let (word, bytes) = match verdict {
        Ok(bytes) => (PASSED, bytes),
        Err(rejection) => (rejection.as_str(), Vec::new()),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}")?;
    out.write_all(&bytes)?;
    out.flush()
}

/// Starts the child.
pub(crate) struct Inspector {
    program: PathBuf,
}

impl Inspector {
    pub(crate) const fn of(program: PathBuf) -> Self {
        Self { program }
    }

    /// Reads a file, and gives what takes its place. One that the child dies of, or gets nowhere with,
    /// is too complex.
    pub(crate) async fn inspect(
        &self,
        content_type: ContentType,
        bytes: &[u8],
    ) -> Result<Result<Vec<u8>, Rejection>, Fault> {
        const NOT_STARTED: Fault = Fault::Unavailable {
            service: "the inspection's process",
            reason: Reason::Other,
        };
        let mut child = Command::new(&self.program)
            .args([ARGUMENT, content_type.as_str()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|_| NOT_STARTED)?;
        let mut input = child.stdin.take().ok_or(NOT_STARTED)?;
        let output = child.stdout.take().ok_or(NOT_STARTED)?;
        let mut said = Vec::new();
        let most = u64::try_from(MAX_PASSED).unwrap_or(u64::MAX) + 64;
        let mut output = output.take(most);
        let work = async {
            let giving = async {
                // A child that has died takes no more; what it said is what counts.
                let _ = input.write_all(bytes).await;
                drop(input);
            };
            let ((), heard) = tokio::join!(giving, output.read_to_end(&mut said));
            heard.is_ok() && child.wait().await.is_ok_and(|status| status.success())
        };
        let ended = tokio::time::timeout(DEADLINE, work).await;
        if ended != Ok(true) {
            return Ok(Err(Rejection::TooComplex));
        }
        Ok(understood(&said))
    }
}

/// What the child said. It read somebody's file: it is believed no further than it has to be.
fn understood(said: &[u8]) -> Result<Vec<u8>, Rejection> {
    let line_end = said.iter().position(|&byte| byte == b'\n');
    let (word, rest) = line_end
        .and_then(|end| said.split_at_checked(end))
        .ok_or(Rejection::TooComplex)?;
    match std::str::from_utf8(word) {
        Ok(PASSED) => match rest.get(1..) {
            Some(bytes) if !bytes.is_empty() => Ok(bytes.to_vec()),
            _ => Err(Rejection::TooComplex),
        },
        Ok(word) => Err(word.parse().unwrap_or(Rejection::TooComplex)),
        Err(_) => Err(Rejection::TooComplex),
    }
}
