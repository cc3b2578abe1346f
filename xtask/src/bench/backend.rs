//! The canned AWS that the functions under measurement talk to.
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{Request, Response, listen};
use super::patient::{DATA_KEY, Tables};

pub(super) struct Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

/// What a function asked since it was last looked at.
#[derive(Default)]
struct Seen {
    audit_records: usize,
    unexpected: Option<String>,
}

struct Answers {
    account: Response,
    context: Response,
    lab_results: Response,
    prescriptions: Response,
    data_key: Response,
    nothing: Response,
}

impl Backend {
    /// Starts to answer about the patient of a request.
    pub(super) fn start(event: &Value) -> Result<Self> {
        let text = |pointer| {
            let value = event.pointer(pointer).and_then(Value::as_str);
            value.with_context(|| format!("the event has no {pointer}"))
        };
        let account = text("/requestContext/authorizer/claims/sub")?;
        let tables = Tables::seal(text("/pathParameters/patient")?, account)?;
        let data_key = json!({
            "KeyId": "arn:aws:kms:us-east-1:123456789012:key/phi",
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "Plaintext": STANDARD.encode(DATA_KEY),
        });
        let ok = |body: &[u8]| Response::json("200 OK", body);
        let answers = Answers {
            account: ok(&tables.account),
            context: ok(&tables.context),
            lab_results: ok(&tables.lab_results),
            prescriptions: ok(&tables.prescriptions),
            data_key: ok(&serde_json::to_vec(&data_key)?),
            nothing: ok(b"{}"),
        };
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noting = Arc::clone(&seen);
        let address = listen(move |request| {
            let mut seen = noting.lock().unwrap_or_else(PoisonError::into_inner);
            Some(answers.answer(&request, &mut seen))
        })?;
        Ok(Self { address, seen })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sees to it that what was asked since the last time is what an operation asks that answers
    /// `responses` requests.
    pub(super) fn settle(&self, responses: usize) -> Result<()> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = std::mem::take(&mut *seen);
        if let Some(request) = seen.unexpected {
            bail!("it asked for what the bench has no answer to: {request}");
        }
        let records = seen.audit_records;
        ensure!(
            records == responses,
            "{records} audit records for {responses} responses"
        );
        Ok(())
    }
}

impl Answers {
    fn answer(&self, request: &Request, seen: &mut Seen) -> Response {
        let body = String::from_utf8_lossy(&request.body);
        let operation = request.target.split_once('.').unwrap_or_default().1;
        let answer = match operation {
            "GetItem" if body.contains("ACCOUNT#") => &self.account,
            "GetItem" if body.contains("PRIME") => &self.nothing,
            "Query" if body.contains("CONTEXT#") => &self.context,
            "Query" if body.contains("by-arrival") => &self.lab_results,
            "Query" if body.contains("MEDICATION#ACTIVE#") => &self.prescriptions,
            "Query" if body.contains("by-start") => &self.nothing,
            "PutItem" if body.contains("dashboard.read") || body.contains("profile.read") => {
                seen.audit_records += 1;
                &self.nothing
            }
            "Decrypt" => &self.data_key,
            _ => {
                seen.unexpected = Some(format!("{} {}", request.target, body));
                return Response::json("400 Bad Request", b"{\"__type\":\"NotCanned\"}");
            }
        };
        answer.clone()
    }
}
