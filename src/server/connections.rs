//! Accepts connections, and serves each in a task of its own, until the server is to end.

use super::limits::{HEAD_BYTES, Limits, late};
use super::responses::Refusal;
use super::signals::Stop;
use axum::Router;
use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

/// The most connections at a time, if the system allows for as many descriptors. Others wait until one is closed.
const CONNECTIONS: u64 = 4096;

/// Descriptors that are kept for files and children.
const OTHER_DESCRIPTORS: u64 = 256;

/// How long a server waits after the system has refused a connection, such as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` says so, and then until all requests are answered, but no longer than `grace`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Arc<Limits>,
    mut stop: Stop,
    grace: Duration,
) {
    let places = Arc::new(Semaphore::new(most_connections()));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some((stream, place)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        // Responses are written at once.
        let _ = stream.set_nodelay(true);
        let (router, limits, stop) = (router.clone(), Arc::clone(&limits), stop.clone());
        tasks.spawn(async move {
            connection(stream, router, &limits, stop).await;
            drop(place);
        });
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = timeout(grace, async { while tasks.join_next().await.is_some() {} }).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    Some((stream, place))
}

async fn connection(stream: TcpStream, router: Router, limits: &Limits, mut stop: Stop) {
    let (progress, mut answering) = watch::channel(false);
    let service = service_fn(move |request| {
        let response = answer(router.clone(), request);
        let progress = progress.clone();
        Box::pin(async move {
            progress.send_replace(true);
            let response = response.await;
            progress.send_replace(false);
            Ok::<_, Infallible>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(HEAD_BYTES)
        // A client that has sent all may say so, and still waits for its response.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut stops = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            _ = stop.wait_for(|stop| *stop), if !stops => {
                stops = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = stalled(&mut answering, limits.head_time + limits.body_time) => return,
        }
    };
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    let is_late = ended.is_err_and(|error| error.is_timeout());
    if is_late && !parts.read_buf.is_empty() {
        let _ = stream.try_write(&late("head").bytes());
    }
    close(stream).await;
}

/// In a task of its own: a command that has begun keeps its turn to its end, whether the client is still there or not.
async fn answer(mut router: Router, request: Request<Incoming>) -> Response {
    let response = tokio::spawn(async move { router.call(request).await });
    match response.await {
        Ok(Ok(response)) => response,
        Ok(Err(impossible)) => match impossible {},
        Err(panic) => Refusal::fault(&panic).into_response(),
    }
}

/// Returns once a client has neither sent a request nor taken a response for `time`.
async fn stalled(answering: &mut watch::Receiver<bool>, time: Duration) {
    loop {
        let is_answering = *answering.borrow_and_update();
        let changed = answering.changed();
        let ended = match is_answering {
            true => changed.await.is_err(),
            false => !matches!(timeout(time, changed).await, Ok(Ok(()))),
        };
        if ended {
            return;
        }
    }
}

/// Tells the client that nothing more comes, and takes what it still sends, so that it can read the response.
async fn close(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut left = [0; 4 << 10];
    let drain = async { while matches!(stream.read(&mut left).await, Ok(1..)) {} };
    let _ = timeout(Duration::from_secs(1), drain).await;
}

/// Raises the limit of descriptors to what the user may have.
fn most_connections() -> usize {
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, hard)| {
        let wanted = hard.min(CONNECTIONS + OTHER_DESCRIPTORS).max(soft);
        match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
            Ok(()) => wanted,
            Err(_) => soft,
        }
    });
    let left = descriptors
        .unwrap_or(1024)
        .saturating_sub(OTHER_DESCRIPTORS);
    usize::try_from(left.clamp(16, CONNECTIONS)).unwrap_or(16)
}
