//! Runs commands on worlds: whose turn it is, on a thread of its own, with machines that stay.

use super::bodies::Place;
use super::responses::Refusal;
use super::signals::Stop;
use crate::messages::GasSectionEntry;
use crate::tool::{Database, Environment, GasFiles, IdleMachines, Machines, Session, ToolError};
use crate::trace::Filter;
use axum::http::StatusCode;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

/// How many worlds can be changed at a time. Two worlds with the same remainder of their hashes take turns, too.
const TURNS: usize = 64;

/// How long a request waits until it can begin.
const WAIT: Duration = Duration::from_secs(60);

/// What all requests work with.
#[derive(Debug)]
pub struct Work {
    /// The folder of the worlds.
    pub database: PathBuf,
    /// The name of the world if a request names none.
    pub world: String,
    machines: Machines,
    gas_schedule: Vec<GasSectionEntry>,
    idle: IdleMachines,
    changing: Semaphore,
    reading: Semaphore,
    turns: Vec<Mutex<()>>,
    stop: Stop,
}

impl Work {
    /// Runs at most `jobs` commands that change worlds at a time, and as many that only read: those that wait for a turn must not wait
    /// behind all that read, too. Begins none after `stop`.
    pub fn new(
        (database, world): (PathBuf, String),
        machines: Machines,
        gas_schedule: Vec<GasSectionEntry>,
        jobs: NonZeroUsize,
        stop: Stop,
    ) -> Work {
        Work {
            database,
            world,
            machines,
            gas_schedule,
            idle: IdleMachines::default(),
            changing: Semaphore::new(jobs.get()),
            reading: Semaphore::new(jobs.get()),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            stop,
        }
    }

    /// Runs a command that changes the world, when it is its turn.
    pub async fn change<T: Send + 'static>(
        self: &Arc<Work>,
        place: Place,
        command: impl FnOnce(&Session, Environment<'_>) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let trace = place.trace;
        let session = self.session(place);
        let mut hasher = DefaultHasher::new();
        session.world.hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or(0);
        let _turn = self.wait(self.turns[turn].lock()).await?;
        self.run(&self.changing, trace, session, command).await
    }

    /// Runs a command that only reads.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Work>,
        place: Place,
        command: impl FnOnce(&Session, Environment<'_>) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let trace = place.trace;
        self.run(&self.reading, trace, self.session(place), command)
            .await
    }

    fn session(&self, place: Place) -> Session {
        Session {
            database: Database::new(&self.database),
            world: match place.world.is_empty() {
                true => self.world.clone(),
                false => place.world,
            },
            outcome: place.outcome,
            scenario: None,
            gas_files: GasFiles::default(),
        }
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Work>,
        places: &Semaphore,
        trace: bool,
        session: Session,
        command: impl FnOnce(&Session, Environment<'_>) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _running = self.wait(places.acquire()).await?;
        let work = Arc::clone(self);
        let command = move || {
            let all = Filter::all();
            let environment = Environment {
                machines: &work.machines,
                idle: Some(&work.idle),
                gas_schedule: &work.gas_schedule,
                recorded: trace.then_some(&all),
            };
            command(&session, environment)
        };
        match tokio::task::spawn_blocking(command).await {
            Ok(outcome) => Ok(outcome?),
            Err(panic) => Err(Refusal::fault(panic)),
        }
    }

    async fn wait<T>(&self, turn: impl Future<Output = T>) -> Result<T, Refusal> {
        let unavailable = |text: String| Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text,
        };
        let mut stop = self.stop.clone();
        let stopped = stop.wait_for(|stop| *stop);
        tokio::select! {
            // What can begin at once does, so that requests that were read are answered.
            biased;
            turn = timeout(WAIT, turn) => turn.map_err(|_| {
                let seconds = WAIT.as_secs();
                unavailable(format!("the server is busy: the request waited for {seconds} s and was not begun; try again"))
            }),
            _ = stopped => Err(unavailable("the server ends; nothing was changed".to_owned())),
        }
    }
}
