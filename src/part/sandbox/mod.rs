//! The sandbox of the child, which limits what code that has broken out of a contract can reach.
//!
//! It is entered once, while the process has a single thread, and can't be left. The child keeps its pipes and the
//! folder of compiled modules, and needs nothing else of the machine.
//!
//! | layer | what it refuses | file |
//! |---|---|---|
//! | `landlock` | every file but those of the cache folder, every TCP port, signals to other processes | `files` |
//! | `seccomp` | system calls that start programs, reach other processes or the network, or change the machine | `system_calls` |
//! | `limits` | core dumps, and more descriptors than a child needs | `limits` |
//! | `environment` | variables that the node had for itself | `limits` |
//!
//! A refused system call fails with `EPERM`, and its name is written to stderr (`refusals`). Those that create a
//! process fail without a message.

mod files;
mod layer;
mod limits;
mod refusals;
mod system_calls;

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

pub use layer::{Layer, LayerError, Reachable, Report};
pub use limits::lower_addresses;
pub use system_calls::{Rule, SYSTEM_CALLS, SystemCall};

/// Whether the child restricts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// The child does not start unless every layer is fully in force.
    Required,
    /// The supported layers are in force; missing ones are reported on stderr.
    #[default]
    BestEffort,
    /// No sandbox.
    Off,
}

impl Sandbox {
    /// All modes, with their names in options and variables.
    pub const ALL: [(&str, Sandbox); 3] = [
        ("required", Sandbox::Required),
        ("best-effort", Sandbox::BestEffort),
        ("off", Sandbox::Off),
    ];
}

/// An unknown name of a sandbox mode.
#[derive(Debug, Error)]
#[error("the sandbox is required, best-effort or off, not {0:?}")]
pub struct UnknownSandbox(String);

impl FromStr for Sandbox {
    type Err = UnknownSandbox;

    fn from_str(name: &str) -> Result<Self, UnknownSandbox> {
        let known = Sandbox::ALL.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, sandbox)| *sandbox)
            .ok_or_else(|| UnknownSandbox(name.to_owned()))
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Sandbox::ALL.iter().find(|(_, sandbox)| sandbox == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

/// The sandbox is required, and a layer is not in force.
#[derive(Debug, Error)]
#[error("the sandbox is required, but has no {layer}: {reason}")]
pub struct SandboxError {
    layer: &'static str,
    reason: LayerError,
}

/// Restricts this process permanently. Call it while the process has one thread.
///
/// # Errors
///
/// With [`Sandbox::Required`] the first layer that is not in force. Those before it stay in force.
pub fn enter(sandbox: Sandbox, reachable: &Reachable) -> Result<Report, SandboxError> {
    let mut report = Report::default();
    if sandbox == Sandbox::Off {
        return Ok(report);
    }
    type Enter = fn(&Reachable) -> Result<String, LayerError>;
    // Landlock opens the folders, so it comes before the seccomp filter. It needs no environment variable.
    let layers: [(&str, Enter); 4] = [
        ("environment", |_| limits::clear_environment()),
        ("limits", |_| limits::lower()),
        ("landlock", files::restrict),
        ("seccomp", |_| {
            refusals::handle()?;
            system_calls::filter()
        }),
    ];
    for (name, enter) in layers {
        let state = limits::check_threads().and_then(|()| enter(reachable));
        match state {
            Err(reason) if sandbox == Sandbox::Required => {
                return Err(SandboxError {
                    layer: name,
                    reason,
                });
            }
            state => report.layers.push(Layer { name, state }),
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_has_a_name_that_is_read_back() {
        for (name, sandbox) in Sandbox::ALL {
            assert_eq!(sandbox.to_string(), name);
            assert_eq!(name.parse::<Sandbox>().expect("a name"), sandbox);
        }
        let error = "maybe".parse::<Sandbox>().expect_err("not a mode");
        assert!(error.to_string().contains("\"maybe\""), "{error}");
    }

    #[test]
    fn nothing_is_restricted_when_it_is_off() {
        let report = enter(Sandbox::Off, &Reachable::default()).expect("nothing to do");
        assert_eq!(report.to_string(), "off");
    }

    /// Tests run on several threads, so that no layer can restrict the whole process, and none is applied here.
    #[test]
    fn a_process_with_more_threads_is_not_restricted_by_halves() {
        let error = enter(Sandbox::Required, &Reachable::default()).expect_err("many threads");
        assert!(matches!(error.reason, LayerError::Threads(2..)), "{error}");
        let report = enter(Sandbox::BestEffort, &Reachable::default()).expect("best effort");
        assert_eq!(report.layers.len(), 4);
        assert!(
            report
                .to_string()
                .starts_with("no environment (the process has "),
            "{report}"
        );
    }
}
