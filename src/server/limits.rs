//! What clients may take: time, and memory for the bodies of requests.

use super::responses::Refusal;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The longest request line with headers, in bytes.
pub const HEAD_BYTES: usize = 16 << 10;

/// Room is taken in steps of so many bytes.
const CHUNK_BYTES: usize = 16 << 10;

/// What a client may take.
#[derive(Debug)]
pub struct Limits {
    /// From a connection, or the response before, to the end of the headers.
    pub head_time: Duration,
    /// For the body, and for taking the response.
    pub body_time: Duration,
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// Bytes that all bodies together may still take.
    pub bodies: Semaphore,
}

/// Reads the body of a request before its handler runs. The body has its room until there is a response.
pub async fn take_body(
    State(limits): State<Arc<Limits>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let mut room = Room {
        of: &limits.bodies,
        bytes: 0,
    };
    let body = timeout(
        limits.body_time,
        limits.whole(&parts.headers, body, &mut room),
    );
    let body = body.await.map_err(|_| late("body"))??;
    Ok(next.run(Request::from_parts(parts, body.into())).await)
}

/// The refusal of a client that is too slow.
pub fn late(part: &str) -> Refusal {
    Refusal {
        status: StatusCode::REQUEST_TIMEOUT,
        text: format!("the {part} of the request did not come in time"),
    }
}

impl Limits {
    /// Memory is taken as bytes come, not as they are announced.
    async fn whole(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        room: &mut Room<'_>,
    ) -> Result<Bytes, Refusal> {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return Err(Refusal {
                status: StatusCode::LENGTH_REQUIRED,
                text: "a body needs the header Content-Length".to_owned(),
            });
        }
        let (length, limit) = (body.size_hint().lower(), self.body_bytes);
        if length > limit as u64 {
            return Err(Refusal {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                text: format!("the body has {length} bytes, and {limit} are allowed"),
            });
        }
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let cut = |error| Refusal::bad(format!("the body is cut short: {error}"));
            if let Ok(bytes) = frame.map_err(cut)?.into_data() {
                room.take_for(read.len() + bytes.len())?;
                read.extend_from_slice(&bytes);
            }
        }
        Ok(read.into())
    }
}

/// Room for a body. It is free again when this is dropped.
#[derive(Debug)]
struct Room<'a> {
    of: &'a Semaphore,
    bytes: usize,
}

impl Room<'_> {
    fn take_for(&mut self, length: usize) -> Result<(), Refusal> {
        let more = length.saturating_sub(self.bytes);
        let more = more.next_multiple_of(CHUNK_BYTES);
        let permits = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = self.of.try_acquire_many(permits).map_err(|_| Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: "the bodies of all requests take too much memory; try again".to_owned(),
        })?;
        permit.forget();
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.of.add_permits(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    fn limits() -> Limits {
        Limits {
            head_time: Duration::from_secs(5),
            body_time: Duration::from_secs(5),
            body_bytes: 1 << 20,
            bodies: Semaphore::new(100 << 10),
        }
    }

    fn whole(limits: &Limits, length: usize, room: &mut Room<'_>) -> Result<Bytes, StatusCode> {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let body = Body::from(vec![b'x'; length]);
        let headers = HeaderMap::new();
        let whole = limits.whole(&headers, body, room);
        runtime.block_on(whole).map_err(|refusal| refusal.status)
    }

    #[test]
    fn bodies_take_room_until_they_are_dropped() {
        let limits = limits();
        let (of, free) = (&limits.bodies, limits.bodies.available_permits());
        let mut room = Room { of, bytes: 0 };
        let body = whole(&limits, 60_000, &mut room).expect("a body");
        assert_eq!(body.len(), 60_000);
        assert!(of.available_permits() < free - 60_000 + CHUNK_BYTES);
        // Another one has no room beside it.
        let mut other = Room { of, bytes: 0 };
        let refused = whole(&limits, 60_000, &mut other);
        assert_eq!(refused, Err(StatusCode::SERVICE_UNAVAILABLE));
        drop((room, other));
        assert_eq!(of.available_permits(), free);
    }

    #[test]
    fn a_body_that_is_too_long_takes_no_room() {
        let limits = limits();
        let (of, free) = (&limits.bodies, limits.bodies.available_permits());
        let mut room = Room { of, bytes: 0 };
        let refused = whole(&limits, (1 << 20) + 1, &mut room);
        assert_eq!(refused, Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(of.available_permits(), free);
    }
}
