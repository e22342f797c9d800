//! What the process is doing, for the signal that asks it. There is one in a process, as there is one dialogue loop in a child.

use crate::messages::{MessageKind, kind_name};
use bytes::Bytes;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
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
}

static CURRENT: Mutex<Activity> = Mutex::new(Activity::Starting);

/// The number of the kind of the hook call that the node has yet to answer; 0 for none. Outside of the lock, which a hook call would
/// take twice.
static ASKING: AtomicU32 = AtomicU32::new(0);

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
pub fn asking(kind: Option<MessageKind>) {
    ASKING.store(kind.map_or(0, MessageKind::wire), Relaxed);
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
    text(&activity, ASKING.load(Relaxed), COMPILING.load(Relaxed))
}

fn text(activity: &Activity, asking: u32, compiling: usize) -> String {
    let mut text = activity.to_string();
    if let (Activity::Serving(_), kind @ 1..) = (activity, asking) {
        let kind = kind_name(kind);
        text += &format!(", waiting for the node's answer to {kind}");
    }
    if compiling > 0 {
        text += &format!("; compiling {compiling} module(s)");
    }
    text
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
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_one_line() {
        assert_eq!(
            text(&Activity::Starting, 0, 1),
            "starting; compiling 1 module(s)"
        );
        let waiting = Activity::Waiting { served: 7 };
        assert_eq!(text(&waiting, 6, 0), "waiting for a request, 7 answered");
        let serving = Serving {
            number: 8,
            nonce: 1,
            kind: crate::messages::MessageKind::ContractCallRequest.wire(),
            contract: Bytes::from_static(&[0xab, 1]),
            function: "pay\n".to_owned(),
            since: Instant::now(),
        };
        let asking = MessageKind::BlockchainGetStorageDataRequest.wire();
        let text = text(&Activity::Serving(serving), asking, 2);
        assert!(text.starts_with("running request 8 [kind=ContractCallRequest nonce=1] for 0."));
        let end = " s, contract ab01, function \"pay\\n\", waiting for the node's answer to BlockchainGetStorageDataRequest; compiling 2 module(s)";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn compilers_are_counted() {
        let compiling = [compiling(), compiling()];
        assert!(describe().contains("; compiling "));
        drop(compiling);
    }
}
