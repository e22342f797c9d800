//! Several children for parallel queries.

use super::config::DriverConfig;
use super::error::CriticalError;
use super::handle::DriverHandle;
use super::stats::{DriverStats, Latencies};
use super::{Driver, Outcome};
use crate::hooks::BlockchainHook;
use crate::messages::ContractCallInput;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Queries that wait at a time, by default. Each is a thread of the node that is blocked.
const DEFAULT_QUEUE: usize = 256;

/// How long a query waits for a child, by default.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// Configuration of a [`DriverPool`]. Each field has a setter of the same name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolConfig {
    /// The configuration of every child.
    pub driver: DriverConfig,
    /// Number of children. Default: the processors that this process may use.
    pub children: usize,
    /// How many queries may wait at a time while all children are busy; one more is refused at once. Default 256.
    pub queue: usize,
    /// How long a query waits for a child before it is refused. It is not part of the time budget of the query
    /// ([`DriverConfig::max_loop_time`]), which begins when a child has it. Default 1 s.
    pub wait: Duration,
}

impl PoolConfig {
    /// The defaults, for children with this configuration.
    pub fn new(driver: DriverConfig) -> PoolConfig {
        PoolConfig {
            driver,
            children: std::thread::available_parallelism().map_or(1, usize::from),
            queue: DEFAULT_QUEUE,
            wait: DEFAULT_WAIT,
        }
    }

    /// Sets [`PoolConfig::driver`](#structfield.driver).
    #[must_use]
    pub fn driver(mut self, driver: DriverConfig) -> PoolConfig {
        self.driver = driver;
        self
    }

    /// Sets [`PoolConfig::children`](#structfield.children).
    #[must_use]
    pub fn children(mut self, children: usize) -> PoolConfig {
        self.children = children;
        self
    }

    /// Sets [`PoolConfig::queue`](#structfield.queue).
    #[must_use]
    pub fn queue(mut self, queue: usize) -> PoolConfig {
        self.queue = queue;
        self
    }

    /// Sets [`PoolConfig::wait`](#structfield.wait).
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> PoolConfig {
        self.wait = wait;
        self
    }
}

/// Why a pool could not be made, or a query of it has no outcome.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The configuration asks for no children.
    #[error("a pool needs children; set PoolConfig::children to 1 or more")]
    NoChildren,
    /// The configuration asks to pin the querying threads ([`DriverConfig::share_core`]). In a pool any thread may get any
    /// child, so that threads would be pinned to the same core.
    #[error(
        "the children of a pool can't share cores with threads; leave DriverConfig::share_core false"
    )]
    SharedCore,
    /// As many queries wait as may. Nothing was done; the query may be sent again later.
    #[error(
        "the pool is busy and {waiting} queries wait already; send it later, or set PoolConfig::queue"
    )]
    Full {
        /// The queries that wait.
        waiting: usize,
    },
    /// No child was free in time. Nothing was done; the query may be sent again.
    #[error(
        "none of {children} children was free within {waited:?}; send it later, or set PoolConfig::children"
    )]
    Busy {
        /// How long the query has waited.
        waited: Duration,
        /// The children of the pool.
        children: usize,
    },
    /// The query failed in a child, or at the start of the pool a child did not start.
    #[error("child {child} of the pool has failed")]
    Critical {
        /// The number of the child, from 0.
        child: usize,
        /// What happened.
        #[source]
        error: CriticalError,
    },
}

/// Statistics of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Queries and leases that got a child.
    pub served_total: u64,
    /// Those refused because too many waited ([`PoolError::Full`]).
    pub full_total: u64,
    /// Those refused because no child was free in time ([`PoolError::Busy`]).
    pub busy_total: u64,
    /// Queries that wait now.
    pub waiting: usize,
    /// Children that serve now.
    pub serving: usize,
    /// Each child, by its number.
    pub children: Vec<DriverStats>,
}

/// Several drivers, each with a child and a hook of its own, for queries from many threads at a time: calls whose outputs a node
/// shows to a user and does not apply.
///
/// - **Bounded**: so many children, so many queries that wait, each so long ([`PoolConfig`]).
/// - **Fair**: a free child goes to the query that has waited longest.
/// - **A child that dies costs one query**, the one that it ran. It is started again for a later one. While its next start is
///   put off because it keeps dying, the other children serve.
///
/// The hook runs on the thread that queries. All children see the same chain if their hooks do: give each a clone of what they
/// share.
///
#[cfg_attr(feature = "vm", doc = "```")]
#[cfg_attr(not(feature = "vm"), doc = "```text")]
/// # use arwen::bytes::Bytes;
/// # use arwen::driver::{DiskCache, DriverConfig, DriverPool, PoolConfig};
/// # use arwen::gas_schedule::flat_gas_schedule;
/// # use arwen::hooks::{BlockchainHook, HookResult};
/// # use arwen::messages::*;
/// # use std::sync::Arc;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # const COUNTER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contracts/counter.wat"));
/// # let arwen = concat!(env!("OUT_DIR"), "/../../../arwen");
/// /// A state that no longer changes: every address has the same contract.
/// #[derive(Clone)]
/// struct Block(Arc<Bytes>);
///
/// impl BlockchainHook for Block {
///     fn new_address(&mut self, _: &[u8], _: u64, _: &[u8]) -> HookResult<Bytes> {
///         Ok(Bytes::from(vec![b'c'; 32]))
///     }
///     fn storage_data(&mut self, _: &[u8], _: &[u8]) -> HookResult<Option<Bytes>> {
///         Ok(Some(Bytes::from_static(&[41])))
///     }
///     fn user_account(&mut self, _: &[u8]) -> HookResult<Option<Account>> {
///         let code = self.0.as_ref().clone();
///         Ok(Some(Account { balance: Some(BigInt::default()), code, ..Account::default() }))
///     }
/// }
///
/// let config = DriverConfig::new(Arguments {
///     vm_type: "\x05\0".into(),
///     block_gas_limit: 1_500_000_000,
///     gas_schedule: flat_gas_schedule(1, 100_000),
///     kalyan3104_protected_key_prefix: "KALYAN3104".into(),
///     ..Arguments::default()
/// });
/// # let config = config.binary(arwen).disk_cache(DiskCache::Off);
/// let block = Block(Arc::new(wat::parse_str(COUNTER)?.into()));
/// let pool = DriverPool::new(PoolConfig::new(config).children(2), |_| block.clone())?;
///
/// let input = ContractCallInput {
///     input: Some(VmInput {
///         caller_addr: vec![b'u'; 32].into(),
///         call_value: Some(BigInt::default()),
///         gas_provided: 100_000,
///         ..VmInput::default()
///     }),
///     recipient_addr: vec![b'c'; 32].into(),
///     function: "increment".into(),
/// };
/// std::thread::scope(|scope| {
///     for _ in 0..8 {
///         scope.spawn(|| {
///             let output = pool.query(input.clone()).expect("a child is free soon").expect("the VM works");
///             assert_eq!(output.return_data, ["\x2a"]);
///         });
///     }
/// });
/// assert_eq!(pool.stats().served_total, 8);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DriverPool<H> {
    handles: Vec<DriverHandle>,
    queue: usize,
    wait: Duration,
    state: Mutex<State<H>>,
}

type Guard<'a, H> = MutexGuard<'a, State<H>>;

#[derive(Debug)]
struct State<H> {
    /// The free drivers. The last one that may serve is taken next.
    free: Vec<Free<H>>,
    /// Those who wait, the first one first. Only the first one takes a driver.
    waiting: VecDeque<Arc<Condvar>>,
    stats: PoolStats,
    waits: Latencies,
}

#[derive(Debug)]
struct Free<H> {
    number: usize,
    driver: Driver<H>,
    /// Before that its child is not started again.
    due: Option<Instant>,
}

impl<H> State<H> {
    fn take(&mut self, now: Instant) -> Option<Free<H>> {
        let may_serve = |free: &Free<H>| free.due.is_none_or(|due| due <= now);
        let at = self.free.iter().rposition(may_serve)?;
        Some(self.free.remove(at))
    }

    /// When the next of the free drivers may serve.
    fn next_due(&self) -> Option<Instant> {
        self.free.iter().filter_map(|free| free.due).min()
    }

    fn wake_first(&self) {
        if let Some(first) = self.waiting.front() {
            first.notify_one();
        }
    }
}

impl<H: BlockchainHook> DriverPool<H> {
    /// Starts all children, so that a broken setup fails at once. `hook` makes the hook of each child, which it is given the
    /// number of.
    pub fn new(
        config: PoolConfig,
        mut hook: impl FnMut(usize) -> H,
    ) -> Result<DriverPool<H>, PoolError> {
        if config.children == 0 {
            return Err(PoolError::NoChildren);
        }
        if config.driver.share_core {
            return Err(PoolError::SharedCore);
        }
        let (mut free, mut handles) = (Vec::new(), Vec::new());
        for number in 0..config.children {
            let driver = Driver::new(config.driver.clone(), hook(number));
            let driver = driver.map_err(|error| PoolError::Critical {
                child: number,
                error,
            })?;
            handles.push(driver.handle());
            free.push(Free {
                number,
                driver,
                due: None,
            });
        }
        // The first child serves first.
        free.reverse();
        Ok(DriverPool {
            handles,
            queue: config.queue,
            wait: config.wait,
            state: Mutex::new(State {
                free,
                waiting: VecDeque::new(),
                stats: PoolStats::default(),
                waits: Latencies::default(),
            }),
        })
    }

    /// Calls a contract in a child that is free, and waits for one if all are busy.
    pub fn query(&self, input: ContractCallInput) -> Result<Outcome, PoolError> {
        let mut lease = self.lease()?;
        let child = lease.number();
        let outcome = lease.call(input);
        outcome.map_err(|error| PoolError::Critical { child, error })
    }

    /// Gives a driver to this thread until the lease is dropped, for what is more than a call: to say which block the hook
    /// answers of, to deploy, to make several calls in a row. Waits like a query.
    pub fn lease(&self) -> Result<Lease<'_, H>, PoolError> {
        let begun = Instant::now();
        let mut state = self.lock();
        let at_once = match state.waiting.is_empty() {
            true => state.take(begun),
            false => None,
        };
        let (mut state, free) = match at_once {
            Some(free) => (state, free),
            None => self.wait_in_line(state, begun)?,
        };
        state.stats.served_total += 1;
        state.waits.add(begun.elapsed());
        Ok(Lease {
            pool: self,
            number: free.number,
            driver: Some(free.driver),
        })
    }

    /// Waits for a driver, behind those who have come before.
    fn wait_in_line<'a>(
        &'a self,
        mut state: Guard<'a, H>,
        begun: Instant,
    ) -> Result<(Guard<'a, H>, Free<H>), PoolError> {
        let waiting = state.waiting.len();
        if waiting >= self.queue {
            state.stats.full_total += 1;
            return Err(PoolError::Full { waiting });
        }
        let own = Arc::new(Condvar::new());
        state.waiting.push_back(Arc::clone(&own));
        loop {
            let now = Instant::now();
            let first = state.waiting.front();
            let is_first = first.is_some_and(|first| Arc::ptr_eq(first, &own));
            let taken = is_first.then(|| state.take(now)).flatten();
            let waited = now.duration_since(begun);
            let left = self.wait.saturating_sub(waited);
            if taken.is_some() || left.is_zero() {
                state.waiting.retain(|other| !Arc::ptr_eq(other, &own));
                // There may be a driver for the next one, or one that it has to wait for.
                state.wake_first();
            }
            if let Some(free) = taken {
                return Ok((state, free));
            }
            if left.is_zero() {
                state.stats.busy_total += 1;
                let children = self.handles.len();
                return Err(PoolError::Busy { waited, children });
            }
            let due = is_first.then(|| state.next_due()).flatten();
            let until_due = due.map(|due| due.saturating_duration_since(now));
            let pause = until_due.map_or(left, |until_due| until_due.min(left));
            let woken = own.wait_timeout(state, pause);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<H> DriverPool<H> {
    /// Statistics so far, without the running queries.
    pub fn stats(&self) -> PoolStats {
        let children = self.handles.iter().map(DriverHandle::stats).collect();
        let state = self.lock();
        PoolStats {
            waiting: state.waiting.len(),
            serving: self.handles.len() - state.free.len(),
            children,
            ..state.stats.clone()
        }
    }

    /// How long those who got a child have waited for it.
    pub fn waits(&self) -> Latencies {
        self.lock().waits.clone()
    }

    /// A handle of each child, by its number: its latencies and its report, to set its log profile, to abort what it runs.
    pub fn handles(&self) -> &[DriverHandle] {
        &self.handles
    }

    /// Ignores poisoning: a panic elsewhere leaves the state consistent.
    fn lock(&self) -> Guard<'_, H> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, number: usize, driver: Driver<H>) {
        let now = Instant::now();
        let pause = driver.start_due_in(now);
        let due = (!pause.is_zero()).then(|| now + pause);
        let has_child = driver.has_child();
        let free = Free {
            number,
            driver,
            due,
        };
        let mut state = self.lock();
        match has_child {
            // The one that ran last is the warmest.
            true => state.free.push(free),
            // One that must be started is the last choice.
            false => state.free.insert(0, free),
        }
        state.wake_first();
    }
}

/// A driver of a [`DriverPool`], for one thread. It goes back when this is dropped.
#[derive(Debug)]
pub struct Lease<'a, H> {
    pool: &'a DriverPool<H>,
    number: usize,
    /// Always there, but in `drop`.
    driver: Option<Driver<H>>,
}

impl<H> Lease<'_, H> {
    /// The number of the child, from 0.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl<H> Deref for Lease<'_, H> {
    type Target = Driver<H>;

    fn deref(&self) -> &Driver<H> {
        self.driver.as_ref().expect("it is given back by drop only")
    }
}

impl<H> DerefMut for Lease<'_, H> {
    fn deref_mut(&mut self) -> &mut Driver<H> {
        self.driver.as_mut().expect("it is given back by drop only")
    }
}

impl<H> Drop for Lease<'_, H> {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            self.pool.give_back(self.number, driver);
        }
    }
}
