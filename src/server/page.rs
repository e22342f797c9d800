//! The page for people: one file without external resources.

use super::responses::with_type;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64_simd::STANDARD;
use sha2::{Digest as _, Sha256};

/// The page.
const PAGE: &str = include_str!("page.html");

/// Its response. The browser runs no script but the one that is in it, and asks no other server.
pub async fn page() -> Response {
    let mut response = with_type("text/html; charset=utf-8", PAGE);
    let hash = |element: &str| STANDARD.encode_to_string(Sha256::digest(inner(element)));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// What is in the only element of a name.
fn inner(element: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("<{element}>")).unwrap_or_default();
    rest.split_once(&format!("</{element}>"))
        .unwrap_or_default()
        .0
}
