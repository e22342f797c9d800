//! The JSON of responses, and the description of the routes for generators of clients: OpenAPI 3.1, made from the handlers and
//! the types of their bodies.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::openapi::{Info, OpenApi};
use utoipa::{OpenApi as _, ToSchema};

/// A request that was run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Null.
    #[schema(required = true)]
    error: Option<String>,
    /// Null.
    #[schema(required = true)]
    error_message: Option<String>,
    /// The outcome as the reference's tool has it: Input and Output, or Account. Bytes are in base64.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// The outcome as `arwendebug --json` prints it: names, what was changed, gas. Bytes are hexadecimal digits behind 0x.
    #[schema(value_type = Object)]
    result: Box<RawValue>,
    /// A picture (SVG) of where gas went, if Trace was asked for; else null.
    #[schema(required = true)]
    flame_graph: Option<String>,
}

impl Answer {
    /// `data` and `result` are JSON.
    pub fn new(
        data: Vec<u8>,
        result: Vec<u8>,
        flame_graph: Option<String>,
    ) -> Result<Answer, serde_json::Error> {
        Ok(Answer {
            error: None,
            error_message: None,
            data: serde_json::from_slice(&data)?,
            result: serde_json::from_slice(&result)?,
            flame_graph,
        })
    }
}

/// A request that was not run, or without an outcome.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure<'a> {
    /// One line: what is wrong, and what to do.
    error: &'a str,
    /// The same, under the name that clients of the reference look for.
    error_message: &'a str,
    /// Null.
    #[schema(value_type = Option<Object>, required = true)]
    data: (),
}

impl Failure<'_> {
    /// `error` is one line.
    pub fn new(error: &str) -> Failure<'_> {
        Failure {
            error,
            error_message: error,
            data: (),
        }
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(Failure)))]
struct Description;

/// The description without routes.
pub fn information() -> OpenApi {
    let mut document = Description::openapi();
    document.info = Info::new("arwendebug server", env!("CARGO_PKG_VERSION"));
    let about = "Deploys, calls and queries contracts in worlds of arwendebug.";
    document.info.description = Some(about.to_owned());
    document
}

/// The text of a description.
pub fn text(document: &OpenApi) -> String {
    document.to_pretty_json().unwrap_or_default()
}
