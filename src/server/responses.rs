//! What requests are answered with.

use super::document::{Answer, Failure};
use crate::tool::ToolError;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, response};
use utoipa::{IntoResponses, ToSchema as _};

/// Statuses of refusals, and what they say of the request.
const REFUSED: [(&str, &str); 2] = [
    ("4XX", "The request is refused, and nothing was changed"),
    (
        "5XX",
        "The machine, the time or a fault of the server is in the way, and nothing was changed",
    ),
];

/// A request that is not answered with a result.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// One line: what is wrong, and what to do.
    pub text: String,
}

impl Refusal {
    /// One for a request that is wrong.
    pub fn bad(text: impl ToString) -> Refusal {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            text: text.to_string(),
        }
    }

    /// One for a fault of the server.
    pub fn fault(fault: impl ToString) -> Refusal {
        Refusal {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            text: format!("a fault of this program: {}", fault.to_string()),
        }
    }

    /// The whole response as bytes, for a request that hyper gives up. The connection is closed behind it.
    pub fn bytes(&self) -> Vec<u8> {
        let json = json(&Failure::new(&self.text));
        let (status, length) = (self.status, json.len());
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        [head.into_bytes(), json].concat()
    }
}

impl IntoResponses for Refusal {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let described = REFUSED.map(|(statuses, about)| {
            let schema = Ref::from_schema_name(Failure::name());
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new().description(about);
            let response = response.content("application/json", content).build();
            (statuses.to_owned(), response.into())
        });
        described.into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refuse(self.status, self.text)
    }
}

impl From<ToolError> for Refusal {
    fn from(error: ToolError) -> Refusal {
        let status = match &error {
            ToolError::NoWorld { .. }
            | ToolError::NoAccount { .. }
            | ToolError::NoContract { .. } => StatusCode::NOT_FOUND,
            ToolError::WorldName(_) | ToolError::GasNotPaid { .. } => StatusCode::BAD_REQUEST,
            ToolError::WorldLocked { .. } => StatusCode::SERVICE_UNAVAILABLE,
            error if error.is_time_expired() => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let text = error.to_string();
        Refusal { status, text }
    }
}

/// The response to a request that is refused.
pub fn refuse(status: StatusCode, text: String) -> Response {
    let json = json(&Failure::new(&text));
    let mut response = (status, with_type("application/json", json)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    secured(response)
}

/// The response to a request that was run: the outcome as the reference has it, and as this tool prints it, and a picture of where
/// gas went.
pub fn answer(
    data: Vec<u8>,
    result: Vec<u8>,
    picture: Option<Vec<u8>>,
) -> Result<Response, Refusal> {
    let picture = picture.map(|picture| String::from_utf8_lossy(&picture).into_owned());
    let answer = Answer::new(data, result, picture).map_err(Refusal::fault)?;
    Ok(with_type("application/json", json(&answer)))
}

/// Types of responses are written without errors: their members have texts as names.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// A body of a type.
pub fn with_type(kind: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind)], body.into()).into_response()
}

/// What browsers must not do with any response.
pub fn secured(mut response: Response) -> Response {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
