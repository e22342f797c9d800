//! The options of the child.

use arwen::internal::frame::DEFAULT_PAYLOAD_LIMIT_BYTES;
use arwen::internal::part::sandbox::Sandbox;
use arwen::internal::vm::{CacheLimits, QuickLimits, WarmLimits};
use clap::Parser;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use std::ffi::OsString;

/// Runs smart contracts for a blockchain node.
///
/// The node starts this program without arguments, with pipes on the descriptors 3 to 7: 3 brings the Initialize message,
/// 4 the node's messages, 5 takes ours, 6 brings log profiles, 7 takes log lines. It ends when the node closes
/// descriptor 4.
///
/// What it keeps, and how code becomes fast, can be set by options, or by environment variables, since most nodes start it
/// without options. An option wins over its variable, and a variable that is empty is none, except ARWEN_MODULE_CACHE. No
/// result of a contract depends on any of them, but for the limit of payloads.
///
/// Exit codes: 1 a pipe is missing, 2 bad Initialize arguments or SIGQUIT, 3 the node ended it, 4 this machine lacks memory,
/// addresses or threads, or the required sandbox can't be in force, 5 a bad option or environment variable. The reason is on
/// stderr.
#[derive(Parser)]
#[command(version)]
pub struct CommandLine {
    /// Keep compiled modules in this folder, so that the next process need not compile them. It must be this user's alone
    /// (mode 700), and is made if it is not there; with an empty name, none is kept. [default: arwen/modules in
    /// $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, env = "ARWEN_MODULE_CACHE", value_name = "FOLDER")]
    #[arg(value_parser = OsStringValueParser::new())]
    pub module_cache: Option<OsString>,

    /// Keep no compiled modules on disk, whatever --module-cache or its variable says.
    #[arg(long)]
    pub no_module_cache: bool,

    /// Bytes of compiled modules on disk; those go first that were not used for the longest time.
    #[arg(long, env = "ARWEN_MODULE_CACHE_BYTES", value_name = "BYTES", default_value_t = 1 << 30)]
    pub module_cache_bytes: u64,

    /// Bytes of compiled modules in memory, but for those of pinned code.
    #[arg(long, env = "ARWEN_MODULE_MEMORY_BYTES", value_name = "BYTES", default_value_t = CacheLimits::default().memory_bytes)]
    pub module_memory_bytes: usize,

    /// Bytes of the modules of code that the node pins; code for which that is too little is not pinned.
    #[arg(long, env = "ARWEN_PINNED_MODULE_BYTES", value_name = "BYTES", default_value_t = CacheLimits::default().pinned_bytes)]
    pub pinned_module_bytes: usize,

    /// Instances that wait in memory for the next call of their contract; each reserves 8 GiB of addresses,
    /// unless the process may have less than all of them together take. Four times as many wait without their memory.
    #[arg(long, env = "ARWEN_WARM_INSTANCES", value_name = "N", default_value_t = WarmLimits::default().instances)]
    pub warm_instances: usize,

    /// Bytes of the memories of these instances.
    #[arg(long, env = "ARWEN_WARM_INSTANCE_BYTES", value_name = "BYTES", default_value_t = WarmLimits::default().memory_bytes)]
    pub warm_instance_bytes: usize,

    /// How much of a run is interpreted while its code, which was never seen, is compiled; a unit is about one operator. A
    /// run that needs more waits for the compiler, for half a second at most. With 0 every run does.
    #[arg(long, env = "ARWEN_INTERPRETER_FUEL", value_name = "UNITS", default_value_t = QuickLimits::default().fuel)]
    pub interpreter_fuel: u64,

    /// Bytes of the longest message, in JSON, whatever the format is. A contract whose output, or whose question to the node,
    /// is longer has no output but an error message, so all nodes of a network should have the same limit. A node can set it in
    /// the Initialize message, which wins over both.
    #[arg(long, env = "ARWEN_PAYLOAD_LIMIT_BYTES", value_name = "BYTES", default_value_t = DEFAULT_PAYLOAD_LIMIT_BYTES)]
    #[arg(value_parser = clap::value_parser!(u32).range(MINIMUM_PAYLOAD_LIMIT_BYTES..))]
    pub payload_limit_bytes: u32,

    /// The most addresses that the process may have, in bytes, which bounds its memory, too; with a sandbox or without. Where a
    /// contract needs more, the process ends with exit code 4. [default: the limit that it was started with]
    #[arg(long, env = "ARWEN_ADDRESS_SPACE_BYTES", value_name = "BYTES")]
    pub address_space_bytes: Option<u64>,

    /// What the process forbids itself at its start: files but those of --module-cache, the network, other processes. With
    /// `required` it does not start when a layer of that is not in force; with `best-effort` it says which on stderr.
    #[arg(long, env = "ARWEN_SANDBOX", value_name = "MODE", default_value_t, value_parser = sandbox_names())]
    pub sandbox: Sandbox,
}

/// Parses the names of the sandbox modes, which `--help` lists.
fn sandbox_names() -> impl TypedValueParser<Value = Sandbox> {
    let names = Sandbox::ALL.map(|(name, _)| name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Sandbox>())
}

/// The smallest payload limit: the error message about a too long payload must fit.
const MINIMUM_PAYLOAD_LIMIT_BYTES: i64 = 4096;
