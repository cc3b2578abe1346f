//! Prints the API's OpenAPI document; `cargo xtask openapi` keeps it in web/openapi.json.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use shared::http::Request;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let document = shared::openapi::document(|spec| {
        let event = std::fs::read_to_string(events.join(format!("{}.json", spec.id)))?;
        let request = lambda_http::request::from_str(&event)?;
        Ok::<_, Box<dyn Error>>(Request::from_lambda(request))
    })?;
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}
