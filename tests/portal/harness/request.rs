//! Requests as the pipeline gets them, behind API Gateway's authorizer.

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::access::{Claims, Role};
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId, ProxyId};
use uuid::Uuid;

/// When the tests' callers signed in.
pub const SIGNED_IN: i64 = 1_760_000_000;

/// A request of an account.
pub fn signed_in(account: AccountId, role: Role) -> Request {
    let claims = json!({
        "sub": account,
        "token_use": "access",
        "cognito:groups": role.group(),
        "auth_time": SIGNED_IN.to_string(),
        "origin_jti": format!("origin of {account}"),
    });
    Request {
        claims: Claims::from_authorizer(&claims),
        ..anonymous()
    }
}

/// A request of nobody.
pub fn anonymous() -> Request {
    Request {
        source_ip: "198.51.100.7".to_owned(),
        user_agent: "tests".to_owned(),
        request_id: Uuid::new_v4().to_string(),
        ..Request::default()
    }
}

/// Parts that a test adds to a request.
pub trait With: Sized {
    fn patient(self, patient: PatientId) -> Self;
    fn proxy(self, proxy: ProxyId) -> Self;
    fn concern(self, id: &str) -> Self;
    fn appointment(self, id: &str) -> Self;
    fn refill(self, id: &str) -> Self;
    fn amendment(self, id: &str) -> Self;
    fn access(self, id: &str) -> Self;
    fn result(self, id: &str) -> Self;
    fn document(self, id: &str) -> Self;
    /// The caller signed in so many seconds ago.
    fn since(self, seconds: i64) -> Self;
    fn account(self, account: AccountId) -> Self;
    fn query(self, name: &str, value: &str) -> Self;
    fn header(self, name: &'static str, value: &str) -> Self;
    fn json(self, body: &Value) -> Self;
    fn bytes(self, body: &[u8]) -> Self;
    /// The same request once more, by an id of its own.
    fn again(&self) -> Self;
}

impl With for Request {
    fn patient(mut self, patient: PatientId) -> Self {
        self.path.push(("patient".to_owned(), patient.to_string()));
        self
    }

    fn proxy(mut self, proxy: ProxyId) -> Self {
        self.path.push(("proxy".to_owned(), proxy.to_string()));
        self
    }

    fn concern(mut self, id: &str) -> Self {
        self.path.push(("concern".to_owned(), id.to_owned()));
        self
    }

    fn appointment(mut self, id: &str) -> Self {
        self.path.push(("appointment".to_owned(), id.to_owned()));
        self
    }

    fn refill(mut self, id: &str) -> Self {
        self.path.push(("refill".to_owned(), id.to_owned()));
        self
    }

    fn amendment(mut self, id: &str) -> Self {
        self.path.push(("amendment".to_owned(), id.to_owned()));
        self
    }

    fn access(mut self, id: &str) -> Self {
        self.path.push(("access".to_owned(), id.to_owned()));
        self
    }

    fn result(mut self, id: &str) -> Self {
        self.path.push(("result".to_owned(), id.to_owned()));
        self
    }

    fn document(mut self, id: &str) -> Self {
        self.path.push(("document".to_owned(), id.to_owned()));
        self
    }

    fn since(mut self, seconds: i64) -> Self {
        if let Some(claims) = &mut self.claims {
            claims.auth_time = Timestamp::now().as_second() - seconds;
        }
        self
    }

    fn account(mut self, account: AccountId) -> Self {
        self.path.push(("account".to_owned(), account.to_string()));
        self
    }

    fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    fn json(self, body: &Value) -> Self {
        self.bytes(&serde_json::to_vec(body).unwrap())
    }

    fn bytes(mut self, body: &[u8]) -> Self {
        let json = HeaderValue::from_static("application/json");
        self.headers = HeaderMap::from_iter(
            std::mem::take(&mut self.headers)
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value))),
        );
        self.headers.entry("content-type").or_insert(json);
        self.body = body.to_vec();
        self
    }

    fn again(&self) -> Self {
        Self {
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            claims: self.claims.clone(),
            source_ip: self.source_ip.clone(),
            user_agent: self.user_agent.clone(),
            body: self.body.clone(),
            request_id: Uuid::new_v4().to_string(),
        }
    }
}

/// A response's JSON body.
pub fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}
