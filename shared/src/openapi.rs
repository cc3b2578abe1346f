//! The OpenAPI document of the API (OpenAPI 3.1): what the types say, and nothing written by hand.
//!
//! Answers are described by the schemas of their types. What an operation reads of a request is
//! found out by letting it parse its sample event (events/): each thing that it asks the request
//! for is noted here, with the type that it asked for.

use crate::api::{Auth, Operation, Spec, Trigger, Visitor, visit_all};
use crate::http::Request;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::cell::RefCell;

/// What an operation read of a request.
#[derive(Default)]
struct Reads {
    headers: Vec<&'static str>,
    query: Option<Schema>,
    body: Option<Schema>,
}

thread_local! {
    static READS: RefCell<Reads> = RefCell::default();
}

fn note(what: impl FnOnce(&mut Reads)) {
    READS.with_borrow_mut(what);
}

pub(crate) fn reads_header(name: &'static str) {
    note(|reads| {
        if !reads.headers.contains(&name) {
            reads.headers.push(name);
        }
    });
}

pub(crate) fn reads_query<T: JsonSchema>() {
    note(|reads| reads.query = Some(input::<T>()));
}

pub(crate) fn reads_body<T: JsonSchema>() {
    note(|reads| reads.body = Some(input::<T>()));
}

/// A type as it is read. It stands where it is used: the same type may be written otherwise.
fn input<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12()
        .for_deserialize()
        .with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        });
    settings.into_generator().into_root_schema_for::<T>()
}

/// The document, of the operations as they parse the event that `event` has for each.
pub fn document<E>(event: impl FnMut(&Spec) -> Result<Request, E>) -> Result<Value, E> {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| {
            settings.meta_schema = None;
            settings.definitions_path = "/components/schemas".into();
        });
    let mut all = Operations {
        event,
        outputs: settings.into_generator(),
        paths: Map::new(),
        failed: None,
    };
    visit_all(&mut all);
    if let Some(failed) = all.failed {
        return Err(failed);
    }
    let mut schemas = all.outputs.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem());
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Patient portal",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What holds for all operations is in docs/API.md.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "access-token": [] }],
        "paths": all.paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "Not a success (RFC 9457); docs/API.md lists the types",
                    "content": {
                        "application/problem+json": {
                            "schema": { "$ref": "#/components/schemas/Problem" },
                        },
                    },
                },
            },
            "securitySchemes": {
                "access-token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A Cognito access token, good for five minutes",
                },
            },
        },
    });
    spell_out(&mut document);
    Ok(document)
}

/// Says in `allOf` what JSON Schema lets stand side by side: generators of clients overlook it.
fn spell_out(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(spell_out),
        Value::Object(fields) => {
            fields.values_mut().for_each(spell_out);
            if !fields.contains_key("properties") {
                return;
            }
            for keyword in ["$ref", "anyOf", "oneOf"] {
                if let Some(part) = fields.remove(keyword) {
                    fields.insert("allOf".to_owned(), json!([{ keyword: part }]));
                }
            }
        }
        _ => {}
    }
}

struct Operations<F, E> {
    event: F,
    outputs: SchemaGenerator,
    paths: Map<String, Value>,
    failed: Option<E>,
}

impl<E, F: FnMut(&Spec) -> Result<Request, E>> Visitor for Operations<F, E> {
    fn operation<Op: Operation>(&mut self) {
        let Trigger::Http { method, path, auth } = Op::SPEC.trigger else {
            return;
        };
        let request = match (self.event)(Op::SPEC) {
            Ok(request) => request,
            Err(error) => {
                self.failed.get_or_insert(error);
                return;
            }
        };
        READS.take();
        // A test of the sample events sees to it that every operation takes its own.
        let _ = Op::parse(&request);
        let reads = READS.take();

        let mut operation = json!({
            "operationId": Op::SPEC.id,
            "parameters": parameters(path, &reads),
            "responses": {
                Op::SUCCESS.as_str(): {
                    "description": "Success",
                    "content": {
                        Op::MEDIA_TYPE: { "schema": self.outputs.subschema_for::<Op::Output>() },
                    },
                },
                "default": { "$ref": "#/components/responses/Problem" },
            },
        });
        if let Some(fields) = operation.as_object_mut() {
            if let Some(body) = reads.body {
                let content = json!({ "application/json": { "schema": body } });
                let body = json!({ "required": true, "content": content });
                fields.insert("requestBody".to_owned(), body);
            }
            if auth == Auth::Open {
                fields.insert("security".to_owned(), json!([]));
            }
        }
        let item = self
            .paths
            .entry(path)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.as_str().to_ascii_lowercase(), operation);
        }
    }

    fn event(&mut self, _: &'static Spec) {}
}

fn parameters(path: &str, reads: &Reads) -> Vec<Value> {
    let in_path = path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": { "type": "string" },
        }))
    });
    let in_headers = reads.headers.iter().map(|name| {
        json!({
            "name": name,
            "in": "header",
            "required": true,
            "schema": { "type": "string" },
        })
    });
    in_path
        .chain(reads.query.iter().flat_map(in_query))
        .chain(in_headers)
        .collect()
}

/// A parameter for each field of the query's type.
fn in_query(query: &Schema) -> Vec<Value> {
    let required = query.get("required").and_then(Value::as_array);
    let fields = query.get("properties").and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    fields
        .map(|(name, schema)| {
            json!({
                "name": name,
                "in": "query",
                "required": required.is_some_and(|required| required.iter().any(|one| one == name)),
                "schema": not_null(schema),
            })
        })
        .collect()
}

/// A parameter that may be left out; there is no null in a query.
fn not_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    }
    schema
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457). A type may have members of its own.",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": { "type": "string", "description": "`/problems/` and one of docs/API.md" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What to do next" },
            "instance": { "type": "string", "description": "Names the request" },
            "until": {
                "type": "string",
                "format": "date-time",
                "description": "Until when it stays so; of `barred` and `already-broken`",
            },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": { "type": "string" },
                        "detail": { "type": "string" },
                    },
                },
            },
        },
    })
}
