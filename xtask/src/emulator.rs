//! The emulator's process: started on a loopback port with its state in the home, stopped so that it saves it.
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::home::Home;
use crate::tools::{self, Set};

/// Starts MiniStack and ties its life to ours: when its standard input closes, which happens
/// however this process ends, it takes that for a SIGTERM and saves its state. With it go the
/// functions that are still warm, which it would leave behind.
///
/// It trusts whoever reaches its port, and opens itself to every web page. So it is wrapped: what a
/// page has sent, known by its `Origin`, its `Sec-Fetch-Site` or by a name of the page's own that
/// points here (DNS rebinding), is refused. The app's own page is let in, as its buckets' CORS rules
/// say, and so is a browser that follows a signed link to save a file, of which no page sees
/// anything. `main` serves the module's `app`, which is replaced.
///
/// It does not know AdminDeleteSoftwareToken yet, which Cognito has had since August 2026, and the
/// passwords that it mails are shorter than the pool asks for.
const LAUNCH: &str = "
import os, secrets, signal, sys, threading
def until_parent_ends():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=until_parent_ends, daemon=True).start()
import ministack.app
emulator = sys.modules['ministack.app']
unguarded = emulator.app
app_origin = os.environ['APP_ORIGIN'].encode()
def from_a_page(scope):
    headers = scope['headers']
    values = lambda wanted: [value for name, value in headers if name.lower() == wanted]
    hosts = [host.partition(b':')[0].lower() for host in values(b'host')]
    if not hosts or any(host not in (b'127.0.0.1', b'localhost') for host in hosts):
        return True
    if values(b'origin'):
        return values(b'origin') != [app_origin]
    saving = (
        scope.get('method') == 'GET'
        and values(b'sec-fetch-mode') == [b'navigate']
        and values(b'sec-fetch-site') == [b'same-site']
        and b'X-Amz-Signature=' in scope['query_string']
    )
    return not saving and any(site != b'none' for site in values(b'sec-fetch-site'))
async def guarded(scope, receive, send):
    if scope['type'] == 'lifespan' or not from_a_page(scope):
        await unguarded(scope, receive, send)
    elif scope['type'] == 'websocket':
        # Closing before accepting is answered with 403.
        await receive()
        await send({'type': 'websocket.close', 'code': 1008})
    else:
        await send({'type': 'http.response.start', 'status': 403, 'headers': []})
        await send({'type': 'http.response.body', 'body': b''})
emulator.app = guarded
from ministack.services import cognito
dispatch = cognito._dispatch_idp
async def dispatch_more(action, data):
    if action != 'AdminDeleteSoftwareToken':
        return await dispatch(action, data)
    pool, error = cognito._resolve_pool(data.get('UserPoolId'))
    user, error = (None, error) if error else cognito._resolve_user(pool, data.get('Username'))
    if error:
        return error
    user.pop('_totp_secret', None)
    return await dispatch('AdminSetUserMFAPreference', {**data, 'SoftwareTokenMfaSettings': {'Enabled': False}})
cognito._dispatch_idp = dispatch_more
cognito._generate_temp_password = lambda: 'Aa1!' + secrets.token_hex(14)
sys.argv = ['ministack']
try:
    emulator.main()
finally:
    os.killpg(0, signal.SIGKILL)
";

/// How long it may take to start or, with a lot of state to save, to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running emulator. Dropping it ends it.
pub struct Emulator {
    child: Child,
    /// Its standard input, apart from the child because waiting for that would close it.
    _alive: Option<ChildStdin>,
    endpoint: String,
    log: PathBuf,
}

impl Emulator {
    /// Starts the emulator on `port`, or on the port it had before, or on any free one, for an app
    /// whose pages have this origin.
    pub async fn start(home: &Home, port: Option<u16>, app: &str) -> Result<Self> {
        let programs = tools::install(Set::Emulator).await?;
        let folder = home.folder("emulator")?;
        let log = folder.join("log");
        let port_file = folder.join("port");
        let port = match port {
            Some(port) => port,
            None => free_port(
                fs::read_to_string(&port_file)
                    .ok()
                    .and_then(|p| p.parse().ok()),
            )?,
        };
        fs::write(&port_file, port.to_string())?;
        let endpoint = format!("http://127.0.0.1:{port}");

        let out = File::create(&log)?;
        let mut child = Command::new(programs.join("python"))
            .args(["-u", "-c", LAUNCH])
            // Functions inherit this environment, so it holds nothing of the developer's.
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &folder)
            .env("TMPDIR", home.folder("emulator/tmp")?)
            .env("GATEWAY_PORT", port.to_string())
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("APP_ORIGIN", app)
            // It listens on every address unless told otherwise, and opens ports for MQTT and SFTP.
            .env("BIND_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            // Roles are enforced, so that a missing permission shows here first.
            .env("AUTH", "true")
            // As on AWS, no tokens when the trigger that adds their claims fails.
            .env("MINISTACK_COGNITO_PRETOKEN_STRICT", "1")
            .env("LAMBDA_EXECUTOR", "local")
            .env("PERSIST_STATE", "1")
            .env("STATE_DIR", home.folder("emulator/state")?)
            .env("S3_PERSIST", "1")
            .env("S3_DATA_DIR", home.folder("emulator/s3")?)
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            // A group of its own: Ctrl-C reaches us alone, and we stop it in our own order.
            .process_group(0)
            .spawn()
            .context("cannot start the emulator")?;
        let mut emulator = Self {
            _alive: child.stdin.take(),
            child,
            endpoint,
            log,
        };
        emulator.healthy().await?;
        Ok(emulator)
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn log(&self) -> &std::path::Path {
        &self.log
    }

    async fn healthy(&mut self) -> Result<()> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let health = format!("{}/_ministack/health", self.endpoint);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the emulator ended ({status}); {}",
                    tools::end_of(&self.log)
                );
            }
            if http
                .get(&health)
                .send()
                .await
                .is_ok_and(|r| r.status().is_success())
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the emulator did not answer; {}", tools::end_of(&self.log));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns when the emulator ends by itself.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Stops it with SIGTERM, the only way in which it saves its state, and waits until it has.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.child.id().map(u32::cast_signed);
        let Some(pid) = id.and_then(Pid::from_raw) else {
            return Ok(());
        };
        rustix::process::kill_process(pid, Signal::TERM)?;
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            rustix::process::kill_process_group(pid, Signal::KILL)?;
            bail!("the emulator did not stop in time and was killed; its state may be old");
        }
        Ok(())
    }
}

/// A free loopback port: the wanted one if it is free.
pub fn free_port(wanted: Option<u16>) -> Result<u16> {
    let listener = wanted
        .and_then(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)?;
    Ok(listener.local_addr()?.port())
}
