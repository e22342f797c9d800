//! Accepts connections, and serves each in a task of its own, until the server is to end.

use super::http::{Connection, End, Limits, stays_open};
use super::responses::refuse;
use super::signals::Stop;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, Response};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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
    limits: Limits,
    mut stop: Stop,
    grace: Duration,
) {
    let limits = Arc::new(limits);
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

async fn connection(stream: TcpStream, mut router: Router, limits: &Limits, mut stop: Stop) {
    let mut connection = Connection::new(stream);
    loop {
        let mut stopped = stop.clone();
        let stopped = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let (request, _room) = match connection.request(limits, stopped).await {
            Ok(request) => request,
            Err(End::Closed) => break,
            Err(End::Refused(status, text)) => {
                let response = whole(refuse(status, text)).await;
                let _ = connection.respond(response, true, false, limits).await;
                break;
            }
        };
        let has_body = *request.method() != Method::HEAD;
        let is_wanted = stays_open(&request);
        let response = answer(&mut router, request).await;
        let stays_open = is_wanted && !*stop.borrow_and_update();
        let responded = connection.respond(response, has_body, stays_open, limits);
        if responded.await.is_err() || !stays_open {
            break;
        }
    }
    connection.close().await;
}

async fn answer(router: &mut Router, request: Request<Bytes>) -> Response<Bytes> {
    let response: Result<_, Infallible> = router.call(request.map(Body::from)).await;
    match response {
        Ok(response) => whole(response).await,
        Err(impossible) => match impossible {},
    }
}

/// Bodies are in memory already.
async fn whole(response: Response<Body>) -> Response<Bytes> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    Response::from_parts(parts, body)
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
