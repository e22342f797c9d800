//! Starts a server and ends it.

use super::connections::serve;
use super::error::ServerError;
use super::limits::Limits;
use super::routes::routes;
use super::signals;
use super::work::Work;
use crate::messages::GasSectionEntry;
use crate::scenario::{ChildSettings, DEFAULT_PROTECTED_PREFIX, SharedWorld, arguments};
use crate::tool::Machines;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

/// What all bodies together may take, in bytes.
const BODIES_BYTES: usize = 256 << 20;

/// Beyond the time of a request, for its response, until a server that ends gives up.
const LAST_RESPONSES: Duration = Duration::from_secs(5);

/// What a server needs.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen; port 0 is any that is free.
    pub address: SocketAddr,
    /// The folder of the worlds.
    pub database: PathBuf,
    /// The name of the world if a request names none.
    pub world: String,
    /// The costs.
    pub gas_schedule: Vec<GasSectionEntry>,
    /// The children that run contracts, with the time of a request.
    pub child: ChildSettings,
    /// How many requests run at a time.
    pub jobs: NonZeroUsize,
    /// The longest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a client may take for the head of a request, and three times as long for the body.
    pub client_time: Duration,
}

/// Serves until SIGINT or SIGTERM. `started` is told the address.
pub fn run(settings: ServerSettings, started: impl FnOnce(SocketAddr)) -> Result<(), ServerError> {
    let machines = Machines::Child(settings.child.clone());
    // Whether there is a program, and whether it takes the costs, is known before the first request.
    let arguments = arguments(DEFAULT_PROTECTED_PREFIX, &settings.gas_schedule);
    machines.build(&arguments, SharedWorld::default())?;
    let stop = signals::take()?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2 * settings.jobs.get())
        .build()?;
    let unavailable = |reason| ServerError::Address {
        address: settings.address,
        reason,
    };
    let listener = runtime.block_on(TcpListener::bind(settings.address));
    let listener = listener.map_err(unavailable)?;
    started(listener.local_addr().map_err(unavailable)?);
    let grace = settings.child.time_limit + LAST_RESPONSES;
    let limits = Arc::new(Limits {
        head_time: settings.client_time,
        body_time: 3 * settings.client_time,
        body_bytes: settings.body_bytes,
        bodies: Semaphore::new(BODIES_BYTES),
    });
    let work = Work::new(
        (settings.database, settings.world),
        machines,
        settings.gas_schedule,
        settings.jobs,
        stop.clone(),
    );
    let router = routes(Arc::new(work), Arc::clone(&limits));
    runtime.block_on(serve(listener, router, limits, stop, grace));
    // What still runs is ended with this process; worlds are replaced as a whole.
    runtime.shutdown_background();
    Ok(())
}
