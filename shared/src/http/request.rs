//! A request as the pipeline sees it, and its parsing into types that cannot hold invalid values.

use super::Problem;
use crate::access::Claims;
use crate::api::channels::CONNECTION;
use crate::api::text::Line;
use ::http::{HeaderMap, header};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::str::FromStr;

/// What the OpenAPI document can tell of: with the feature `openapi`, a type that has a schema.
#[cfg(feature = "openapi")]
pub use schemars::JsonSchema as Described;

/// What the OpenAPI document can tell of: without the feature `openapi`, any type.
#[cfg(not(feature = "openapi"))]
pub trait Described {}

#[cfg(not(feature = "openapi"))]
impl<T> Described for T {}

/// The largest body an operation takes, in bytes. Documents go to S3, never through the API.
pub const MAX_BODY: usize = 64 * 1024;

/// The longest user agent that goes into an audit record, in characters.
const MAX_USER_AGENT: usize = 256;

/// A request, apart from the library that brought it.
#[derive(Default)]
pub struct Request {
    pub path: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// What the authorizer found in the access token.
    pub claims: Option<Claims>,
    pub source_ip: String,
    pub user_agent: String,
    pub request_id: String,
}

impl Request {
    /// Reads an event of API Gateway.
    pub fn from_lambda(event: lambda_http::Request) -> Self {
        let path = pairs(event.path_parameters().iter());
        let query = pairs(event.query_string_parameters().iter());
        let (claims, source_ip, request_id) = match event.request_context_ref() {
            Some(RequestContext::ApiGatewayV1(context)) => (
                context
                    .authorizer
                    .fields
                    .get("claims")
                    .and_then(Claims::from_authorizer),
                context.identity.source_ip.clone().unwrap_or_default(),
                context.request_id.clone().unwrap_or_default(),
            ),
            _ => (None, String::new(), String::new()),
        };
        let (parts, body) = event.into_parts();
        let user_agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(|text| text.chars().take(MAX_USER_AGENT).collect())
            .unwrap_or_default();
        Self {
            path,
            query,
            headers: parts.headers,
            body: body.to_vec(),
            claims,
            source_ip,
            user_agent,
            request_id,
        }
    }

    /// Reads a handshake of the WebSocket API
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>).
    pub fn from_socket(event: &Value) -> Self {
        let text = |pointer: &str| {
            let text = event.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let query = event
            .get("queryStringParameters")
            .and_then(Value::as_object);
        let query = query.into_iter().flatten().filter_map(|(name, value)| {
            let value = value.as_str()?;
            Some((name.clone(), value.to_owned()))
        });
        let connection = text("/requestContext/connectionId");
        let agent = text("/requestContext/identity/userAgent");
        Self {
            path: vec![(CONNECTION.to_owned(), connection)],
            query: query.collect(),
            source_ip: text("/requestContext/identity/sourceIp"),
            user_agent: agent.chars().take(MAX_USER_AGENT).collect(),
            request_id: text("/requestContext/requestId"),
            ..Self::default()
        }
    }

    /// A parameter of the path.
    pub fn path<T: FromStr<Err: ToString>>(&self, name: &'static str) -> Result<T, Problem> {
        self.path
            .iter()
            .find(|(key, _)| key == name)
            .ok_or(Problem::field(format!("path/{name}"), "is missing"))?
            .1
            .parse()
            .map_err(|error: T::Err| Problem::field(format!("path/{name}"), error.to_string()))
    }

    /// The query, whole: unknown and repeated parameters are refused.
    pub fn query<T: DeserializeOwned + Described>(&self) -> Result<T, Problem> {
        #[cfg(feature = "openapi")]
        crate::openapi::reads_query::<T>();
        for (at, (name, _)) in self.query.iter().enumerate() {
            if self
                .query
                .iter()
                .take(at)
                .any(|(earlier, _)| earlier == name)
            {
                return Err(Problem::field("query", "must name each parameter once"));
            }
        }
        let query: serde_json::Map<String, Value> = self
            .query
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect();
        serde_path_to_error::deserialize(Value::Object(query)).map_err(|error| {
            let text = error.inner().to_string();
            let pointer = match error.path().iter().next() {
                Some(serde_path_to_error::Segment::Map { key }) if !is_unknown(&text) => {
                    format!("query/{key}")
                }
                _ => "query".to_owned(),
            };
            Problem::field(pointer, in_our_words(&text))
        })
    }

    /// For operations that take no query parameter.
    pub fn no_query(&self) -> Result<(), Problem> {
        match self.query.as_slice() {
            [] => Ok(()),
            _ => Err(Problem::field(
                "query",
                "takes no parameters, and one was sent",
            )),
        }
    }

    /// The JSON body, whole: unknown fields are refused.
    pub fn body<T: DeserializeOwned + Described>(&self) -> Result<T, Problem> {
        self.body_within(MAX_BODY)
    }

    /// The same of an operation with a limit of its own, in bytes.
    pub fn body_within<T: DeserializeOwned + Described>(&self, most: usize) -> Result<T, Problem> {
        #[cfg(feature = "openapi")]
        crate::openapi::reads_body::<T>();
        if self.body.len() > most {
            return Err(Problem::too_large());
        }
        let media_type = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok());
        let essence = media_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::unsupported_media_type());
        }
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut json);
        let Object(value) = value.map_err(|error| {
            let text = error.inner().to_string();
            let known = !is_unknown(&text);
            let syntax = !error.inner().is_data();
            let mut problem = Problem::field(
                pointer(error.path(), known),
                if syntax {
                    Cow::Borrowed("is not well-formed JSON (RFC 8259)")
                } else {
                    in_our_words(&text)
                },
            );
            if syntax {
                problem.title = "The body is not well-formed JSON";
            }
            problem
        })?;
        json.end()
            .map_err(|_| Problem::field("", "must be one JSON value and nothing more"))?;
        Ok(value)
    }

    /// A header that may stand once, as text.
    pub fn header(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        #[cfg(feature = "openapi")]
        crate::openapi::reads_header(name);
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Problem::field(format!("header/{name}"), "must stand once"));
        }
        value
            .to_str()
            .map(Some)
            .map_err(|_| Problem::field(format!("header/{name}"), "must be visible ASCII"))
    }

    /// The `Idempotency-Key` of a request that makes something: 8 to 64 characters.
    pub fn idempotency_key(&self) -> Result<Line<8, 64>, Problem> {
        const NAME: &str = "idempotency-key";
        let wrong = |must: String| Problem::field(format!("header/{NAME}"), must);
        let key = self
            .header(NAME)?
            .ok_or_else(|| wrong("must be sent, with a value new for each try".to_owned()))?;
        Line::try_from(key.to_owned()).map_err(|must| wrong(must.to_string()))
    }

    /// The version of an `If-Match` header that repeats the `ETag` of [`super::Response`].
    pub fn if_match(&self) -> Result<u64, Problem> {
        let Some(tag) = self.header("if-match")? else {
            return Err(Problem::precondition_required());
        };
        tag.strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .and_then(|version| version.parse().ok())
            // `+1` and `01` are numbers too, and no ETag of ours.
            .filter(|version: &u64| tag == format!("\"{version}\""))
            .ok_or_else(|| Problem::field("header/if-match", "must be the ETag of a former answer"))
    }
}

/// A JSON object. Serde's derived types would take an array of their fields' values as well.
#[cfg_attr(
    feature = "openapi",
    derive(schemars::JsonSchema),
    schemars(transparent)
)]
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

fn pairs<'a>(map: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    map.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn is_unknown(error: &str) -> bool {
    error.starts_with("unknown field") || error.starts_with("unknown variant")
}

/// The JSON pointer (RFC 6901) of a place in the body. The name of an unknown field is the
/// sender's text, so the pointer stops at its parent.
fn pointer(path: &serde_path_to_error::Path, known: bool) -> String {
    let mut segments: Vec<String> = path
        .iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
            serde_path_to_error::Segment::Map { key } => {
                Some(key.replace('~', "~0").replace('/', "~1"))
            }
            _ => None,
        })
        .collect();
    if !known {
        segments.pop();
    }
    segments
        .iter()
        .fold(String::new(), |pointer, segment| pointer + "/" + segment)
}

/// Serde's messages quote the input; keep what was expected and drop what was found.
/// Messages of our own types begin with "must".
fn in_our_words(error: &str) -> Cow<'static, str> {
    let error = error
        .rsplit_once(" at line ")
        .map_or(error, |(message, _)| message);
    if error.starts_with("must ") {
        return Cow::Owned(error.to_owned());
    }
    if let Some(field) = error.strip_prefix("missing field ") {
        return Cow::Owned(format!("lacks the field {field}"));
    }
    if error.starts_with("duplicate field") {
        return Cow::Borrowed("names a field twice");
    }
    match error.rsplit_once(", expected ") {
        Some((_, expected)) if error.starts_with("unknown field") => {
            Cow::Owned(format!("has a field that is not known; known: {expected}"))
        }
        Some((_, expected)) => Cow::Owned(format!("must be {expected}")),
        None if error.starts_with("unknown field") => {
            Cow::Borrowed("takes no fields, and one was sent")
        }
        None => Cow::Borrowed("is not valid"),
    }
}
