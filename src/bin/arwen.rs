//! The child process, which a node starts; see the documentation of the library.

#[path = "arwen/options.rs"]
mod options;
#[path = "arwen/variables.rs"]
mod variables;

use arwen::internal::escape::escape_text;
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
use options::CommandLine;
use std::env;
use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use variables::Refused;

#[global_allocator]
static ALLOCATOR: ExitingAllocator = ExitingAllocator;

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
                pinned_bytes: line.pinned_module_bytes,
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
