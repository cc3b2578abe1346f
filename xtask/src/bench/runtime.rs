//! Lambda's Runtime API for one process: starts it, hands it one event after another, and notes
//! how long everything took.
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::http::{Request, Response, listen};
use crate::tools::end_of;

/// What a function must not take longer than, all its requests together.
const LIMIT: Duration = Duration::from_secs(60);

/// What one process came to.
pub(super) struct Run {
    /// From the start of the process until it asked for its first event.
    pub init: Duration,
    /// From the first event until its response.
    pub first: Duration,
    /// The same of every later event.
    pub warm: Vec<Duration>,
    /// All threads' time on a processor: until the first event, for it, and for the later ones
    /// together.
    pub init_cpu: Duration,
    pub first_cpu: Duration,
    pub warm_cpu: Duration,
    /// The most memory that was resident at any time, in bytes.
    pub peak_memory: u64,
    /// The responses' bodies.
    pub responses: Vec<Vec<u8>>,
}

/// What to run, and with what.
pub(super) struct Plan<'a> {
    pub name: &'a str,
    pub binary: &'a Path,
    pub event: &'a [u8],
    pub warm_requests: usize,
    pub environment: &'a [(&'static str, String)],
    /// Where its output goes.
    pub log: &'a Path,
}

/// Ends the process with the run, however that ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Session {
    started: Instant,
    process: Arc<OnceLock<u32>>,
    event: Response,
    handed: Option<Instant>,
    init: Option<Duration>,
    times: Vec<Duration>,
    responses: Vec<Vec<u8>>,
    wanted: usize,
    /// The process's time on a processor when it asked for its first event, and its second.
    cpu: [Duration; 2],
    done: Sender<Result<Run>>,
}

/// Runs a function through all its events.
pub(super) fn run(plan: &Plan<'_>) -> Result<Run> {
    let (done, ended) = channel();
    let process = Arc::new(OnceLock::new());
    let session = Mutex::new(Session {
        started: Instant::now(),
        process: Arc::clone(&process),
        event: invocation(plan)?,
        handed: None,
        init: None,
        times: Vec::with_capacity(plan.warm_requests + 1),
        responses: Vec::with_capacity(plan.warm_requests + 1),
        wanted: plan.warm_requests + 1,
        cpu: [Duration::ZERO; 2],
        done,
    });
    let session = Arc::new(session);
    let serving = Arc::clone(&session);
    let address = listen(move |request| {
        let mut session = serving.lock().unwrap_or_else(PoisonError::into_inner);
        session.answer(request)
    })?;

    let log = File::create(plan.log)?;
    let mut command = Command::new(plan.binary);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", plan.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        .env("_HANDLER", "bootstrap")
        .envs(plan.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    session
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .started = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", plan.binary.display()))?;
    let _ = process.set(child.id());
    wait(Process(child), &ended)
        .with_context(|| format!("{} failed; {}", plan.name, end_of(plan.log)))
}

fn wait(mut process: Process, ended: &Receiver<Result<Run>>) -> Result<Run> {
    let limit = Instant::now() + LIMIT;
    loop {
        match ended.recv_timeout(Duration::from_millis(200)) {
            Ok(run) => return run,
            Err(RecvTimeoutError::Disconnected) => bail!("the Runtime API broke down"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = process.0.try_wait()? {
            bail!("it ended by itself ({status})");
        }
        ensure!(Instant::now() < limit, "it took longer than {LIMIT:?}");
    }
}

/// An event as the Runtime API hands it out.
fn invocation(plan: &Plan<'_>) -> Result<Response> {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH)? + LIMIT;
    let head = format!(
        "200 OK\r\n\
         Content-Type: application/json\r\n\
         Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         Lambda-Runtime-Deadline-Ms: {}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: \
         arn:aws:lambda:us-east-1:123456789012:function:{}\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n",
        deadline.as_millis(),
        plan.name
    );
    Ok(Response::new(&head, plan.event))
}

impl Session {
    fn answer(&mut self, request: Request) -> Option<Response> {
        let call = request.path.rsplit('/').next().unwrap_or_default();
        match (call, self.handed) {
            ("next", None) => match self.next(request.arrived) {
                Ok(event) => event,
                Err(error) => self.end(Err(error)),
            },
            ("response", Some(handed)) => {
                self.times.push(request.arrived - handed);
                self.responses.push(request.body);
                self.handed = None;
                Some(Response::json("202 Accepted", b"{\"status\":\"OK\"}"))
            }
            _ => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                self.end(Err(anyhow::anyhow!("it called {}: {body}", request.path)))
            }
        }
    }

    /// Hands out the next event, or ends the run after the last.
    fn next(&mut self, asked: Instant) -> Result<Option<Response>> {
        let process = *self.process.wait();
        if self.init.is_none() {
            self.init = Some(asked - self.started);
        }
        if let Some(mark) = self.cpu.get_mut(self.times.len()) {
            *mark = cpu(process)?;
        }
        if self.times.len() < self.wanted {
            self.handed = Some(Instant::now());
            return Ok(Some(self.event.clone()));
        }
        let mut times = std::mem::take(&mut self.times).into_iter();
        let [init_cpu, cpu_at_first] = self.cpu;
        let run = Run {
            init: self.init.unwrap_or_default(),
            first: times.next().unwrap_or_default(),
            warm: times.collect(),
            init_cpu,
            first_cpu: cpu_at_first.saturating_sub(init_cpu),
            warm_cpu: cpu(process)?.saturating_sub(cpu_at_first),
            peak_memory: peak_memory(process)?,
            responses: std::mem::take(&mut self.responses),
        };
        Ok(self.end(Ok(run)))
    }

    /// The function waits for its next call's answer until it is ended.
    fn end(&self, outcome: Result<Run>) -> Option<Response> {
        let _ = self.done.send(outcome);
        None
    }
}

/// The time that a process's threads were on a processor: proc(5), `schedstat`, in nanoseconds.
fn cpu(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let file = task?.path().join("schedstat");
        let text = match fs::read_to_string(&file) {
            // The thread that reads the policy ends while the function starts.
            Err(error) if error.kind() == ErrorKind::NotFound && nanoseconds > 0 => continue,
            read => read.with_context(|| format!("this system has no {}", file.display()))?,
        };
        let time = text.split(' ').next().unwrap_or_default();
        nanoseconds += time.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// proc(5), `VmHWM` of `status`.
fn peak_memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kilobytes = kilobytes.context("no VmHWM in /proc")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}
