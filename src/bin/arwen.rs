//! The child process, which a node starts; see the documentation of the library.

#[path = "arwen/variables.rs"]
mod variables;

use arwen::internal::escape::escape_text;
use arwen::internal::frame::DEFAULT_PAYLOAD_LIMIT_BYTES;
use arwen::internal::part::allocator::ExitingAllocator;
use arwen::internal::part::report::{self, MachineLimits};
use arwen::internal::part::sandbox::{Reachable, Report, Sandbox, enter, lower_addresses};
use arwen::internal::part::{self, PartPipes};
use arwen::internal::transport::exit_codes;
use arwen::internal::vm::{
    CacheLimits, DiskLimits, EngineSettings, MAXIMUM_MEMORY_PAGES, NATIVE_STACK_BYTES, QuickLimits,
    Vm, WarmLimits,
};
use arwen::messages::Ready;
use clap::Parser;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use variables::Refused;

#[global_allocator]
static ALLOCATOR: ExitingAllocator = ExitingAllocator;

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
struct CommandLine {
    /// Keep compiled modules in this folder, so that the next process need not compile them. It must be this user's alone
    /// (mode 700), and is made if it is not there; with an empty name, none is kept. [default: arwen/modules in
    /// $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, env = "ARWEN_MODULE_CACHE", value_name = "FOLDER")]
    #[arg(value_parser = OsStringValueParser::new())]
    module_cache: Option<OsString>,

    /// Keep no compiled modules on disk, whatever --module-cache or its variable says.
    #[arg(long)]
    no_module_cache: bool,

    /// Bytes of compiled modules on disk; those go first that were not used for the longest time.
    #[arg(long, env = "ARWEN_MODULE_CACHE_BYTES", value_name = "BYTES", default_value_t = 1 << 30)]
    module_cache_bytes: u64,

    /// Bytes of compiled modules in memory.
    #[arg(long, env = "ARWEN_MODULE_MEMORY_BYTES", value_name = "BYTES", default_value_t = CacheLimits::default().memory_bytes)]
    module_memory_bytes: usize,

    /// Instances that wait in memory for the next call of their contract; each reserves 8 GiB of addresses,
    /// unless the process may have less than all of them together take.
    #[arg(long, env = "ARWEN_WARM_INSTANCES", value_name = "N", default_value_t = WarmLimits::default().instances)]
    warm_instances: usize,

    /// Bytes of the memories of these instances.
    #[arg(long, env = "ARWEN_WARM_INSTANCE_BYTES", value_name = "BYTES", default_value_t = WarmLimits::default().memory_bytes)]
    warm_instance_bytes: usize,

    /// How much of a run is interpreted while its code, which was never seen, is compiled; a unit is about one operator. A
    /// run that needs more waits for the compiler, for half a second at most. With 0 every run does.
    #[arg(long, env = "ARWEN_INTERPRETER_FUEL", value_name = "UNITS", default_value_t = QuickLimits::default().fuel)]
    interpreter_fuel: u64,

    /// Bytes of the longest message, in JSON, whatever the format is. A contract whose output, or whose question to the node,
    /// is longer has no output but an error message, so all nodes of a network should have the same limit. A node can set it in
    /// the Initialize message, which wins over both.
    #[arg(long, env = "ARWEN_PAYLOAD_LIMIT_BYTES", value_name = "BYTES", default_value_t = DEFAULT_PAYLOAD_LIMIT_BYTES)]
    #[arg(value_parser = clap::value_parser!(u32).range(MINIMUM_PAYLOAD_LIMIT_BYTES..))]
    payload_limit_bytes: u32,

    /// The most addresses that the process may have, in bytes, which bounds its memory, too; with a sandbox or without. Where a
    /// contract needs more, the process ends with exit code 4. [default: the limit that it was started with]
    #[arg(long, env = "ARWEN_ADDRESS_SPACE_BYTES", value_name = "BYTES")]
    address_space_bytes: Option<u64>,

    /// What the process forbids itself at its start: files but those of --module-cache, the network, other processes. With
    /// `required` it does not start when a layer of that is not in force; with `best-effort` it says which on stderr.
    #[arg(long, env = "ARWEN_SANDBOX", value_name = "MODE", default_value_t, value_parser = sandbox_names())]
    sandbox: Sandbox,
}

/// Parses the names of the sandbox modes, which `--help` lists.
fn sandbox_names() -> impl TypedValueParser<Value = Sandbox> {
    let names = Sandbox::ALL.map(|(name, _)| name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Sandbox>())
}

/// The smallest payload limit: the error message about a too long payload must fit.
const MINIMUM_PAYLOAD_LIMIT_BYTES: i64 = 4096;

/// The default folder of compiled modules, in the user's cache folder, if there is one.
fn default_folder() -> Option<PathBuf> {
    let named = |variable| env::var_os(variable).map(PathBuf::from);
    // The XDG Base Directory Specification says that a relative path is to be ignored.
    let caches = named("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let caches = caches.or_else(|| named("HOME").map(|home| home.join(".cache")));
    caches
        .filter(|path| path.is_absolute())
        .map(|path| path.join("arwen/modules"))
}

impl From<CommandLine> for EngineSettings {
    fn from(line: CommandLine) -> EngineSettings {
        let folder = match line.module_cache {
            _ if line.no_module_cache => None,
            Some(folder) if folder.is_empty() => None,
            Some(folder) => Some(folder.into()),
            None => default_folder(),
        };
        EngineSettings {
            modules: CacheLimits {
                memory_bytes: line.module_memory_bytes,
            },
            instances: WarmLimits {
                instances: line.warm_instances,
                memory_bytes: line.warm_instance_bytes,
            },
            disk: folder.map(|folder| DiskLimits {
                folder,
                bytes: line.module_cache_bytes,
            }),
            interpreter: match line.interpreter_fuel {
                0 => None,
                fuel => Some(QuickLimits { fuel }),
            },
        }
    }
}

fn main() -> ExitCode {
    // SAFETY: called first in the process, before anything opens a descriptor.
    #[expect(unsafe_code, reason = "the pipes are given by number")]
    let inherited = unsafe { arwen::internal::transport::descriptors::inherited() };
    part::signals::leave_group();
    part::signals::block();
    let line = match variables::parse::<CommandLine>(&["module_cache"]) {
        Ok(line) => line,
        Err(refused) => return refuse(refused),
    };
    let limit = line.payload_limit_bytes;
    let (sandbox, addresses) = (line.sandbox, line.address_space_bytes);
    let engine = EngineSettings::from(line);
    let ready = match restrict(sandbox, addresses, &engine) {
        Ok(ready) => ready,
        Err(error) => {
            say(&format!("arwen: {error}"));
            return ExitCode::from(exit_codes::MACHINE_FAILED);
        }
    };
    let build = |arguments: &_, hook| Vm::from_arguments(arguments, hook, engine.clone());
    let end = match PartPipes::new(inherited) {
        Ok(pipes) => part::run(pipes, limit, ready, build),
        Err(error) => error,
    };
    say(&end.to_string());
    ExitCode::from(end.exit_code())
}

/// Restricts this process permanently. Returns what is in force.
fn restrict(
    sandbox: Sandbox,
    addresses: Option<u64>,
    engine: &EngineSettings,
) -> Result<Ready, Box<dyn Error>> {
    if let Some(bytes) = addresses {
        let lowered = lower_addresses(bytes);
        lowered.map_err(|error| format!("the addresses can't be limited to {bytes}: {error}"))?;
    }
    let reachable = Reachable {
        folders: engine.open_files(),
        // A backtrace reads functions and line numbers from it.
        files: env::current_exe().into_iter().collect(),
    };
    let in_force = enter(sandbox, &reachable)?;
    tell(sandbox, &in_force);
    let machine = MachineLimits {
        memory_pages: MAXIMUM_MEMORY_PAGES,
        stack_bytes: NATIVE_STACK_BYTES as u64,
    };
    Ok(report::of_this_process(sandbox, &in_force, machine))
}

/// Reports missing layers only: most nodes log stderr as errors.
fn tell(sandbox: Sandbox, report: &Report) {
    if sandbox != Sandbox::Off && report.layers.iter().any(|layer| layer.state.is_err()) {
        say(&format!("arwen: the sandbox is not whole: {report}"));
    }
}

/// Prints why the program does not run, or the requested help or version.
fn refuse(refused: Refused) -> ExitCode {
    match refused {
        Refused::CommandLine(error) => {
            // If printing fails, the output has no reader.
            let _ = error.print();
            match error.use_stderr() {
                true => ExitCode::from(exit_codes::BAD_SETTING),
                false => ExitCode::SUCCESS,
            }
        }
        variable => {
            say(&format!("arwen: {variable}"));
            ExitCode::from(exit_codes::BAD_SETTING)
        }
    }
}

fn say(text: &str) {
    // Not eprintln, which panics when stderr has no reader any more.
    let _ = writeln!(std::io::stderr(), "{}", escape_text(text));
}
