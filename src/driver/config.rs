use super::error::{Fault, ProfileError};
use super::limits::{ChildLimits, User};
use super::locate::Places;
use super::read_ahead::ReadAhead;
use crate::logs::profile::{self, LevelPatterns, Levels};
use crate::messages::codec::DEFAULT_PAYLOAD_LIMIT_BYTES;
use crate::messages::{Arguments, Format, LogProfile};
use crate::transport::Waiting;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// Longest frame of a log profile, in bytes: `PIPE_BUF` on Linux. Up to this size a write to a pipe is atomic, so that
/// no frame is torn when the child does not read.
pub(super) const PROFILE_FRAME_LIMIT_BYTES: usize = 4096;

/// Units of gas per millisecond to assume when choosing a time budget, with the realistic gas schedule of the reference
/// (docs/spec/gas_schedule.toml). Loops run 4 to 7 million units per millisecond on a core of their own, and less than
/// a million on a core that many share. This value leaves room for a slower and busier machine. A block gas limit of
/// 600 million units thus needs a [`DriverConfig::max_loop_time`] of 2.4 s. A test measures loops against it.
pub const GAS_PER_MILLISECOND: u64 = 250_000;

/// Configuration of a driver and its children. Create it with [`DriverConfig::new`]; each field has a setter of the
/// same name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DriverConfig {
    /// The Initialize arguments: VM type, gas schedule and so on. The driver sets the two marshalizers.
    pub arguments: Arguments,
    /// Time budget of one request, including the start of a new child if it needs one. Time in the node's hooks does
    /// not count. When the budget is used up, the child is killed and the request fails with a critical error. Other
    /// nodes may not see that error, so the budget must be well above what the gas limit of a block allows for: with
    /// the realistic gas schedule, a millisecond for each [`GAS_PER_MILLISECOND`] units of gas. Default 1 s, as in the
    /// reference.
    pub max_loop_time: Duration,
    /// Time limit of a child from its start to its first answer. A request that waits for it waits no longer than its
    /// own budget; the start then continues without it. Default 10 s: a cold start reads the binary from a disk that
    /// may be busy.
    pub start_time: Duration,
    /// Path of the binary. With `None`, the default, it is the first of these that exists and is not a directory: the
    /// file `arwen` in the current directory, the file that the environment variable `ARWEN_PATH` names, the file
    /// `arwen` beside the running program. A given path is used or refused; there is no fallback.
    pub binary: Option<PathBuf>,
    /// Which lines the child logs, from its first request on. Default `*:INFO`.
    pub log_profile: LogProfile,
    /// The format of messages and log lines. Default JSON, or protobuf with the feature `protobuf`; without the feature,
    /// protobuf is refused at the start.
    pub format: Format,
    /// Longest payload in both directions, in bytes of its JSON form, whatever the format is. The driver passes the
    /// limit on to the child. An output that is longer is a failure of the VM ([`VmFailure`](super::VmFailure)), so all
    /// nodes of a network should have the same limit (docs/spec/wire.md#frame-limit). Default
    /// [`DEFAULT_PAYLOAD_LIMIT_BYTES`](super::DEFAULT_PAYLOAD_LIMIT_BYTES), which says why it is 1 GiB.
    pub payload_limit_bytes: u32,
    /// Whether to pin the thread that makes requests and the main thread of the child to one core. The two only ever
    /// take turns, and waking a thread on another core takes several times as long as on the same one
    /// (docs/benchmarks.md). The requesting thread is pinned to its current core and stays pinned afterwards, so use a
    /// dedicated thread. The child is pinned after its first answer; its compiler thread is not. Default false: pinned
    /// threads can't move away from a core that others use.
    pub share_core: bool,
    /// How long both sides busy-wait for the next message before they sleep, in whole microseconds; zero sleeps at once.
    /// With `None`, the default, each side looks for at most 200 microseconds, for as long as that gains something, and
    /// leaves its core to others who want it: waking a sleeping core takes long, as in a virtual machine
    /// (docs/benchmarks.md). With [`DriverConfig::share_core`], or on one core, `None` sleeps at once. A fixed time costs
    /// up to that much CPU time at each wait, however long it is. A child that does not know the option sleeps at once.
    pub spin: Option<Duration>,
    /// How much is answered ahead, so that a call takes one round trip. Default [`ReadAhead::default`]. A child that does not know it asks as
    /// ever.
    pub read_ahead: ReadAhead,
    /// Code that each child compiles ahead and keeps compiled ([`Driver::pin`](super::Driver::pin)). [`Driver::new`](super::Driver::new)
    /// sends all of it within [`DriverConfig::start_time`], which therefore has to allow for it. Default none. A child that does not
    /// know the option is sent nothing.
    pub pinned: Vec<Bytes>,
    /// Where the child keeps compiled modules on disk, so that the next child need not compile them. Default
    /// [`DiskCache::OfChild`].
    pub disk_cache: DiskCache,
    /// The sandbox that the child enters at its start. Default [`Sandbox::OfChild`], which is the best effort.
    pub sandbox: Sandbox,
    /// The limits of the child's memory. Default none.
    pub limits: ChildLimits,
    /// The user that the child runs as, for a node that runs as root. The user must be able to execute the binary, and must own
    /// the folder of compiled modules ([`DriverConfig::disk_cache`]). The child is started in a fork of the node then, which
    /// takes 0.2 s for a node of 8 GiB. Default `None`: the node's user.
    pub user: Option<User>,
    /// The protocol version that a child must report (docs/spec/wire.md#ready); this driver's own is
    /// [`PROTOCOL_VERSION`](crate::messages::PROTOCOL_VERSION). A child with another one, or without a report, is refused at
    /// its start. Default `None`: any child is taken.
    pub require_protocol_version: Option<u32>,
    /// Which of the node's environment variables the child gets. Default [`Environment::Scrubbed`].
    pub environment: Environment,
    /// Number of answered requests after which the child is replaced. The next request stops it and starts another one,
    /// which takes some milliseconds. Default `None`: never.
    pub recycle_after_requests: Option<u64>,
    /// Memory in use, in bytes, above which the child is replaced before the next request. Default `None`: never.
    pub recycle_above_bytes: Option<u64>,
    /// The folder in which to record all frames of each child, one file for a child (docs/recordings.md). It is created if it does
    /// not exist. The files have all that contracts and their callers say; they are the user's alone (mode 600), and the driver
    /// never deletes one. Requests don't wait for the disk. Default `None`: nothing is recorded.
    #[cfg(feature = "record")]
    pub record: Option<PathBuf>,
}

/// The sandbox of a child (docs/operation.md#sandbox). A child without this option ignores it, and is refused where the sandbox
/// is required.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sandbox {
    /// The child's default, unless the environment overrides it.
    #[default]
    OfChild,
    /// All layers; if the system lacks one, the child does not start. A child that does not report all of them in force is
    /// refused.
    Required,
    /// The layers that the system supports.
    BestEffort,
    /// No sandbox.
    Off,
}

impl Sandbox {
    /// The environment variable of this option.
    const VARIABLE: &str = "ARWEN_SANDBOX";

    fn variable(self) -> Option<(&'static str, &'static OsStr)> {
        let mode = match self {
            Sandbox::OfChild => return None,
            Sandbox::Required => "required",
            Sandbox::BestEffort => "best-effort",
            Sandbox::Off => "off",
        };
        Some((Self::VARIABLE, OsStr::new(mode)))
    }
}

/// Which of the node's environment variables a child gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// Only what a child reads: its options (`ARWEN_...`), and the paths of programs, libraries and the user's folders.
    /// A process that runs contracts learns nothing else of the node.
    #[default]
    Scrubbed,
    /// All of them.
    OfNode,
}

impl Environment {
    /// Variables that a scrubbed environment keeps besides the child's options.
    const KEPT: [&str; 5] = [
        "HOME",
        "LD_LIBRARY_PATH",
        "PATH",
        "RUST_BACKTRACE",
        "XDG_CACHE_HOME",
    ];

    fn keeps(self, name: &OsStr) -> bool {
        let is_option = || name.as_encoded_bytes().starts_with(b"ARWEN_");
        self == Environment::OfNode || is_option() || Self::KEPT.iter().any(|kept| name == *kept)
    }
}

/// The disk cache of compiled modules. A child without such a cache ignores it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskCache {
    /// The child's default (`arwen --help`): in the user's cache folder, unless the environment overrides it.
    #[default]
    OfChild,
    /// No disk cache.
    Off,
    /// In this folder, which must be accessible to this user only (mode 700). It is created if it does not exist.
    /// Several children may share it.
    Folder(PathBuf),
}

impl DiskCache {
    /// The environment variable of this option; empty for no cache.
    const VARIABLE: &str = "ARWEN_MODULE_CACHE";

    /// Environment override; `None` inherits the node's value.
    fn variable(&self) -> Option<(&'static str, &OsStr)> {
        match self {
            DiskCache::OfChild => None,
            DiskCache::Off => Some((Self::VARIABLE, OsStr::new(""))),
            DiskCache::Folder(path) => Some((Self::VARIABLE, path.as_os_str())),
        }
    }
}

impl DriverConfig {
    /// The defaults, for a VM with these arguments.
    pub fn new(arguments: Arguments) -> DriverConfig {
        DriverConfig {
            arguments,
            max_loop_time: Duration::from_secs(1),
            start_time: Duration::from_secs(10),
            binary: None,
            log_profile: LogProfile {
                log_level_patterns: "*:INFO".to_owned(),
                ..LogProfile::default()
            },
            format: Format::PREFERRED,
            payload_limit_bytes: DEFAULT_PAYLOAD_LIMIT_BYTES,
            share_core: false,
            spin: None,
            read_ahead: ReadAhead::default(),
            pinned: Vec::new(),
            disk_cache: DiskCache::default(),
            sandbox: Sandbox::default(),
            limits: ChildLimits::default(),
            user: None,
            require_protocol_version: None,
            environment: Environment::default(),
            recycle_after_requests: None,
            recycle_above_bytes: None,
            #[cfg(feature = "record")]
            record: None,
        }
    }

    /// How both sides wait for messages.
    pub(super) fn waiting(&self) -> Waiting {
        match self.spin {
            None if self.share_core => Waiting::Sleeping,
            None => Waiting::Adapting,
            Some(Duration::ZERO) => Waiting::Sleeping,
            Some(spin) => Waiting::Spinning(spin),
        }
    }

    /// Sets [`DriverConfig::max_loop_time`](#structfield.max_loop_time).
    #[must_use]
    pub fn max_loop_time(mut self, max_loop_time: Duration) -> DriverConfig {
        self.max_loop_time = max_loop_time;
        self
    }

    /// Sets [`DriverConfig::start_time`](#structfield.start_time).
    #[must_use]
    pub fn start_time(mut self, start_time: Duration) -> DriverConfig {
        self.start_time = start_time;
        self
    }

    /// Sets [`DriverConfig::binary`](#structfield.binary).
    #[must_use]
    pub fn binary(mut self, binary: impl Into<PathBuf>) -> DriverConfig {
        self.binary = Some(binary.into());
        self
    }

    /// Sets [`DriverConfig::log_profile`](#structfield.log_profile).
    #[must_use]
    pub fn log_profile(mut self, log_profile: LogProfile) -> DriverConfig {
        self.log_profile = log_profile;
        self
    }

    /// Sets [`DriverConfig::format`](#structfield.format).
    #[must_use]
    pub fn format(mut self, format: Format) -> DriverConfig {
        self.format = format;
        self
    }

    /// Sets [`DriverConfig::payload_limit_bytes`](#structfield.payload_limit_bytes).
    #[must_use]
    pub fn payload_limit_bytes(mut self, payload_limit_bytes: u32) -> DriverConfig {
        self.payload_limit_bytes = payload_limit_bytes;
        self
    }

    /// Sets [`DriverConfig::share_core`](#structfield.share_core).
    #[must_use]
    pub fn share_core(mut self, share_core: bool) -> DriverConfig {
        self.share_core = share_core;
        self
    }

    /// Sets [`DriverConfig::spin`](#structfield.spin).
    #[must_use]
    pub fn spin(mut self, spin: Duration) -> DriverConfig {
        self.spin = Some(spin);
        self
    }

    /// Sets [`DriverConfig::read_ahead`](#structfield.read_ahead).
    #[must_use]
    pub fn read_ahead(mut self, read_ahead: ReadAhead) -> DriverConfig {
        self.read_ahead = read_ahead;
        self
    }

    /// Sets [`DriverConfig::pinned`](#structfield.pinned).
    #[must_use]
    pub fn pinned(mut self, codes: impl IntoIterator<Item = impl Into<Bytes>>) -> DriverConfig {
        self.pinned = codes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`DriverConfig::disk_cache`](#structfield.disk_cache).
    #[must_use]
    pub fn disk_cache(mut self, disk_cache: DiskCache) -> DriverConfig {
        self.disk_cache = disk_cache;
        self
    }

    /// Sets [`DriverConfig::sandbox`](#structfield.sandbox).
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> DriverConfig {
        self.sandbox = sandbox;
        self
    }

    /// Sets [`DriverConfig::limits`](#structfield.limits).
    #[must_use]
    pub fn limits(mut self, limits: ChildLimits) -> DriverConfig {
        self.limits = limits;
        self
    }

    /// Sets [`DriverConfig::user`](#structfield.user).
    #[must_use]
    pub fn user(mut self, uid: u32, gid: u32) -> DriverConfig {
        self.user = Some(User { uid, gid });
        self
    }

    /// Sets [`DriverConfig::require_protocol_version`](#structfield.require_protocol_version).
    #[must_use]
    pub fn require_protocol_version(mut self, version: u32) -> DriverConfig {
        self.require_protocol_version = Some(version);
        self
    }

    /// Sets [`DriverConfig::environment`](#structfield.environment).
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> DriverConfig {
        self.environment = environment;
        self
    }

    /// Sets [`DriverConfig::recycle_after_requests`](#structfield.recycle_after_requests).
    #[must_use]
    pub fn recycle_after_requests(mut self, requests: u64) -> DriverConfig {
        self.recycle_after_requests = Some(requests);
        self
    }

    /// Sets [`DriverConfig::recycle_above_bytes`](#structfield.recycle_above_bytes).
    #[must_use]
    pub fn recycle_above_bytes(mut self, bytes: u64) -> DriverConfig {
        self.recycle_above_bytes = Some(bytes);
        self
    }

    /// Sets [`DriverConfig::record`](#structfield.record).
    #[cfg(feature = "record")]
    #[must_use]
    pub fn record(mut self, folder: impl Into<PathBuf>) -> DriverConfig {
        self.record = Some(folder.into());
        self
    }

    /// The environment of a child.
    pub(super) fn variables(&self) -> BTreeMap<OsString, OsString> {
        let kept = std::env::vars_os().filter(|(name, _)| self.environment.keeps(name));
        let own = [self.disk_cache.variable(), self.sandbox.variable()];
        let own = own.into_iter().flatten();
        let own = own.map(|(name, value)| (name, value.to_owned()));
        let own = own.chain(self.limits.variable());
        kept.chain(own.map(|(name, value)| (name.into(), value)))
            .collect()
    }

    /// Checks for settings with which every start would fail.
    pub(super) fn check(&self) -> Result<(), Fault> {
        check_profile(&self.log_profile)?;
        self.format.check().map_err(Fault::UnsupportedFormat)?;
        Ok(())
    }

    /// The path of the binary.
    pub(super) fn binary_path(&self) -> Result<PathBuf, Fault> {
        match &self.binary {
            Some(path) => Ok(path.clone()),
            None => Ok(Places::of_this_process().find()?),
        }
    }
}

pub(super) fn check_profile(profile: &LogProfile) -> Result<(), ProfileError> {
    let patterns = profile.log_level_patterns.parse::<LevelPatterns>();
    patterns
        .and_then(|patterns| Levels::default().apply(&patterns))
        .map_err(ProfileError::Patterns)?;
    let mut frame = Vec::new();
    let framed = profile::encode(profile, &mut frame);
    match framed.is_ok() && frame.len() <= PROFILE_FRAME_LIMIT_BYTES {
        true => Ok(()),
        false => Err(ProfileError::TooLong {
            length: frame.len(),
            limit: PROFILE_FRAME_LIMIT_BYTES,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_checked() {
        let check = |patterns: &str| {
            check_profile(&LogProfile {
                log_level_patterns: patterns.to_owned(),
                ..LogProfile::default()
            })
        };
        assert_eq!(check("*:INFO,arwen:TRACE"), Ok(()));
        assert!(matches!(check("loud"), Err(ProfileError::Patterns(_))));
        let long = format!("{}:INFO", "x".repeat(5000));
        assert!(matches!(check(&long), Err(ProfileError::TooLong { .. })));
    }
}
