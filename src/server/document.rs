//! The description of the routes for generators of clients: OpenAPI 3.1, made from the handlers and the types of their bodies.

use utoipa::openapi::{Info, OpenApi};
use utoipa::{OpenApi as _, ToSchema};

/// A request that was run.
#[derive(Debug, ToSchema)]
#[allow(
    dead_code,
    reason = "a description; the bytes are written as they come from the tool"
)]
pub struct Answer {
    /// Null.
    #[schema(required = true)]
    error: Option<String>,
    /// Null.
    #[schema(rename = "errorMessage", required = true)]
    error_message: Option<String>,
    /// The outcome as the reference's tool has it: Input and Output, or Account. Bytes are in base64.
    #[schema(value_type = Object)]
    data: (),
    /// The outcome as `arwendebug --json` prints it: names, what was changed, gas. Bytes are hexadecimal digits behind 0x.
    #[schema(value_type = Object)]
    result: (),
    /// A picture (SVG) of where gas went, if Trace was asked for; else null.
    #[schema(rename = "flameGraph", required = true)]
    flame_graph: Option<String>,
}

/// A request that was not run, or without an outcome.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "a description; `refuse` writes it")]
pub struct Failure {
    /// One line: what is wrong, and what to do.
    error: String,
    /// The same, under the name that clients of the reference look for.
    #[schema(rename = "errorMessage")]
    error_message: String,
    /// Null.
    #[schema(value_type = Option<Object>, required = true)]
    data: (),
}

#[derive(utoipa::OpenApi)]
#[openapi()]
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
