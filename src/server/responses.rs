//! What requests are answered with.

use crate::messages::json::Writer;
use crate::tool::ToolError;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

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
    let mut json = Vec::new();
    Writer::new(&mut json, false).object(|out| {
        out.member("error", |out| out.text(&text));
        out.member("errorMessage", |out| out.text(&text));
        out.member("data", |out| out.literal("null"));
    });
    let mut response = (status, with_type("application/json", json)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    secured(response)
}

/// The response to a request that was run: the outcome as the reference has it, and as this tool prints it, and a picture of where
/// gas went.
pub fn answer(data: &[u8], result: &[u8], picture: Option<&[u8]>) -> Response {
    let mut json = Vec::new();
    Writer::new(&mut json, false).object(|out| {
        out.member("error", |out| out.literal("null"));
        out.member("errorMessage", |out| out.literal("null"));
        out.member("data", |out| out.literal(&String::from_utf8_lossy(data)));
        out.member("result", |out| {
            out.literal(&String::from_utf8_lossy(result))
        });
        out.member("flameGraph", |out| match picture {
            Some(picture) => out.text(&String::from_utf8_lossy(picture)),
            None => out.literal("null"),
        });
    });
    with_type("application/json", json)
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
