//! HTTP/1.1 on a stream of bytes: one request after the other, each with its length, and their responses.

use axum::body::Bytes;
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
};
use std::future::Future;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The longest request line with headers, in bytes.
const HEAD_BYTES: usize = 16 << 10;

/// The most headers.
const HEADERS: usize = 64;

/// Bytes that are read at a time.
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

/// A connection that ends without another request.
#[derive(Debug, Error)]
pub enum End {
    /// The client has closed it, or sent nothing more.
    #[error("closed")]
    Closed,
    /// A request that is not read to its end; the client is told.
    #[error("{0}: {1}")]
    Refused(StatusCode, String),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Closed
    }
}

/// A connection, with what was read of the next request.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A new connection.
    pub fn new(stream: S) -> Connection<S> {
        let read = Vec::new();
        Connection { stream, read }
    }

    /// Reads a request. `stop` ends a connection that waits for one. The second part keeps the room that its body takes.
    pub async fn request<'a>(
        &mut self,
        limits: &'a Limits,
        stop: impl Future<Output = ()>,
    ) -> Result<(Request<Bytes>, Room<'a>), End> {
        let head = tokio::select! {
            head = timeout(limits.head_time, self.head()) => head,
            () = stop, if self.read.is_empty() => return Err(End::Closed),
        };
        let late = |part| {
            let text = format!("the {part} of the request did not come in time");
            End::Refused(StatusCode::REQUEST_TIMEOUT, text)
        };
        let mut request = match head {
            Ok(head) => head?,
            Err(_) if self.read.is_empty() => return Err(End::Closed),
            Err(_) => return Err(late("head")),
        };
        let length = body_length(request.headers(), limits.body_bytes)?;
        if length > 0 && request.headers().contains_key(header::EXPECT) {
            self.stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await?;
        }
        let mut room = Room {
            of: &limits.bodies,
            bytes: 0,
        };
        let body = timeout(limits.body_time, self.body(length, &mut room)).await;
        *request.body_mut() = body.map_err(|_| late("body"))??;
        Ok((request, room))
    }

    async fn head(&mut self) -> Result<Request<Bytes>, End> {
        loop {
            if let Some((request, length)) = parse(&self.read)? {
                self.read.drain(..length);
                return Ok(request);
            }
            if self.read.len() >= HEAD_BYTES {
                let text = format!("the headers are longer than {HEAD_BYTES} bytes");
                return Err(End::Refused(
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    text,
                ));
            }
            self.read.reserve(HEAD_BYTES / 8);
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(End::Closed);
            }
        }
    }

    /// Memory is taken as bytes come, not as they are announced.
    async fn body(&mut self, length: usize, room: &mut Room<'_>) -> Result<Bytes, End> {
        while self.read.len() < length {
            if self.read.len() >= room.bytes {
                room.take(CHUNK_BYTES)?;
                self.read.reserve(CHUNK_BYTES);
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(End::Closed);
            }
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest).into())
    }

    /// Writes a response; whether the connection stays open is for the client to know.
    pub async fn respond(
        &mut self,
        response: Response<Bytes>,
        has_body: bool,
        stays_open: bool,
        limits: &Limits,
    ) -> Result<(), End> {
        let bytes = written(&response, has_body, stays_open);
        let written = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        timeout(limits.body_time, written)
            .await
            .map_err(|_| End::Closed)??;
        Ok(())
    }

    /// Tells the client that nothing more comes, and takes what it still sends, so that it can read the response.
    pub async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        let mut left = [0; CHUNK_BYTES];
        let drain = async { while matches!(self.stream.read(&mut left).await, Ok(1..)) {} };
        let _ = timeout(Duration::from_secs(1), drain).await;
    }
}

/// Room for a body. It is free again when this is dropped.
#[derive(Debug)]
pub struct Room<'a> {
    of: &'a Semaphore,
    bytes: usize,
}

impl Room<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), End> {
        let all = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = self.of.try_acquire_many(all).map_err(|_| {
            let text = "the bodies of all requests take too much memory; try again".to_owned();
            End::Refused(StatusCode::SERVICE_UNAVAILABLE, text)
        })?;
        permit.forget();
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.of.add_permits(self.bytes);
    }
}

/// A request without its body, and how long it is; None if it is not all there.
fn parse(bytes: &[u8]) -> Result<Option<(Request<Bytes>, usize)>, End> {
    let bad = |text: String| End::Refused(StatusCode::BAD_REQUEST, text);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(bad(format!("this is not HTTP: {error}"))),
    };
    let mut request = Request::new(Bytes::new());
    let method = parsed.method.unwrap_or_default().as_bytes();
    *request.method_mut() = Method::from_bytes(method).map_err(|error| bad(error.to_string()))?;
    let target: Result<Uri, _> = parsed.path.unwrap_or_default().parse();
    *request.uri_mut() = target.map_err(|error| bad(error.to_string()))?;
    *request.version_mut() = match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    for header in parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_bytes(header.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(bad(format!("the header {:?} is invalid", header.name)));
        };
        request.headers_mut().append(name, value);
    }
    Ok(Some((request, length)))
}

fn body_length(headers: &HeaderMap, limit: usize) -> Result<usize, End> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let text = "a body needs the header Content-Length".to_owned();
        return Err(End::Refused(StatusCode::LENGTH_REQUIRED, text));
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let (Some(length), None) = (lengths.next(), lengths.next()) else {
        return match headers.contains_key(header::CONTENT_LENGTH) {
            false => Ok(0),
            true => Err(End::Refused(
                StatusCode::BAD_REQUEST,
                "there are several headers Content-Length".to_owned(),
            )),
        };
    };
    let text = length.to_str().unwrap_or_default();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        _ if !is_number => Err(End::Refused(
            StatusCode::BAD_REQUEST,
            format!("the header Content-Length is {text:?}"),
        )),
        Ok(length) if length <= limit => Ok(length),
        _ => Err(End::Refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body has {text} bytes, and {limit} are allowed"),
        )),
    }
}

/// Whether the client wants to send another request on the same connection.
pub fn stays_open<T>(request: &Request<T>) -> bool {
    let values = request.headers().get_all(header::CONNECTION).iter();
    let mut words = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let closes = words.any(|word| word.trim().eq_ignore_ascii_case("close"));
    request.version() == Version::HTTP_11 && !closes
}

fn written(response: &Response<Bytes>, has_body: bool, stays_open: bool) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    let mut line = |name: &str, value: &[u8]| {
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH && name != header::CONNECTION {
            line(name.as_str(), value.as_bytes());
        }
    }
    // The response to HEAD has the length of what GET would bring.
    let length = response.headers().get(header::CONTENT_LENGTH);
    let length = length.filter(|_| !has_body).cloned();
    let length = length.unwrap_or_else(|| response.body().len().into());
    line("content-length", length.as_bytes());
    if !stays_open {
        line("connection", b"close");
    }
    head.extend(b"\r\n");
    if has_body {
        head.extend(response.body());
    }
    head
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
