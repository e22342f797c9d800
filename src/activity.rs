//! What the process is doing, for the signal that asks it. There is one in a process, as there is one dialogue loop in a child.

use crate::messages::kind_name;
use bytes::Bytes;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the dialogue loop does.
#[derive(Debug, Clone, Default)]
pub enum Activity {
    /// The loop does not run yet.
    #[default]
    Starting,
    /// The node has asked for nothing.
    Waiting {
        /// Requests that were answered.
        served: u64,
    },
    /// A request is being served.
    Serving(Serving),
}

/// The request that is being served.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Its number in the life of the process, from 1.
    pub number: u64,
    /// Its nonce.
    pub nonce: u32,
    /// The number of its kind.
    pub kind: u32,
    /// The contract that is called; empty for other requests.
    pub contract: Bytes,
    /// The function that is called; empty for other requests.
    pub function: String,
    /// When it came.
    pub since: Instant,
    /// The kind of the hook call that the node has yet to answer.
    pub asking: Option<&'static str>,
}

static CURRENT: Mutex<Activity> = Mutex::new(Activity::Starting);

static COMPILING: AtomicUsize = AtomicUsize::new(0);

fn current() -> MutexGuard<'static, Activity> {
    // Nothing panics while it is locked.
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what the dialogue loop does from now on.
pub fn begin(activity: Activity) {
    *current() = activity;
}

/// Notes that the node was asked, or has answered.
pub fn asking(kind: Option<&'static str>) {
    if let Activity::Serving(serving) = &mut *current() {
        serving.asking = kind;
    }
}

/// A module is being compiled as long as this lives. Only the engine compiles.
#[cfg(any(feature = "vm", test))]
#[derive(Debug)]
pub struct Compiling(());

/// Notes that a module is being compiled, on any thread.
#[cfg(any(feature = "vm", test))]
pub fn compiling() -> Compiling {
    COMPILING.fetch_add(1, Relaxed);
    Compiling(())
}

#[cfg(any(feature = "vm", test))]
impl Drop for Compiling {
    fn drop(&mut self) {
        COMPILING.fetch_sub(1, Relaxed);
    }
}

/// All of it, in one line.
pub fn describe() -> String {
    let activity = current().clone();
    match COMPILING.load(Relaxed) {
        0 => activity.to_string(),
        modules => format!("{activity}; compiling {modules} module(s)"),
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Waiting { served } => write!(f, "waiting for a request, {served} answered"),
            Self::Serving(serving) => serving.fmt(f),
        }
    }
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            nonce,
            kind,
            contract,
            function,
            since,
            asking,
        } = self;
        let kind = kind_name(*kind);
        let seconds = since.elapsed().as_secs_f64();
        write!(
            f,
            "running request {number} [kind={kind} nonce={nonce}] for {seconds:.3} s"
        )?;
        if !contract.is_empty() {
            write!(f, ", contract {contract:x}, function {function:?}")?;
        }
        if let Some(kind) = asking {
            write!(f, ", waiting for the node's answer to {kind}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_one_line() {
        assert_eq!(Activity::Starting.to_string(), "starting");
        let waiting = Activity::Waiting { served: 7 };
        assert_eq!(waiting.to_string(), "waiting for a request, 7 answered");
        let mut serving = Serving {
            number: 8,
            nonce: 1,
            kind: crate::messages::MessageKind::ContractCallRequest.wire(),
            contract: Bytes::from_static(&[0xab, 1]),
            function: "pay\n".to_owned(),
            since: Instant::now(),
            asking: Some("BlockchainGetStorageDataRequest"),
        };
        let text = serving.to_string();
        assert!(text.starts_with("running request 8 [kind=ContractCallRequest nonce=1] for 0."));
        let end = " s, contract ab01, function \"pay\\n\", waiting for the node's answer to BlockchainGetStorageDataRequest";
        assert!(text.ends_with(end), "{text}");
        (serving.contract, serving.asking) = (Bytes::new(), None);
        assert!(serving.to_string().ends_with(" s"));
    }

    #[test]
    fn compilers_are_counted() {
        let compiling = [compiling(), compiling()];
        assert!(describe().contains("; compiling "));
        drop(compiling);
    }
}
