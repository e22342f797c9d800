//! The report of a child about itself (docs/spec/wire.md#ready).

use super::sandbox::{Report, Sandbox};
use crate::messages::{PIN, PROTOCOL_VERSION, READ_AHEAD, Ready, ReadyLimits, SandboxLayer, TRACE};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// What this child can do beyond the protocol version.
const CAPABILITIES: [&str; 3] = [READ_AHEAD, TRACE, PIN];

/// What the virtual machine says of its limits.
#[derive(Debug, Clone, Copy)]
pub struct MachineLimits {
    /// The most pages that the memory of an instance may have.
    pub memory_pages: u32,
    /// The native stack of a running contract, in bytes.
    pub stack_bytes: u64,
}

/// The report of this process, with the limits as they are now. The payload limit is not known yet: the node may set it.
pub fn of_this_process(sandbox: Sandbox, report: &Report, machine: MachineLimits) -> Ready {
    Ready {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: env!("ARWEN_ENGINE_BUILD").to_owned(),
        protocol_version: PROTOCOL_VERSION,
        limits: Some(ReadyLimits {
            payload_bytes: 0,
            memory_pages: machine.memory_pages,
            address_space_bytes: limit(Resource::RLIMIT_AS),
            stack_bytes: machine.stack_bytes,
            open_files: limit(Resource::RLIMIT_NOFILE),
        }),
        sandbox_mode: sandbox.to_string(),
        sandbox: layers(report),
        capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
    }
}

/// A limit of this process; 0 if it has none.
fn limit(resource: Resource) -> u64 {
    match getrlimit(resource) {
        Ok((soft, _)) if soft != RLIM_INFINITY => soft,
        Ok(_) | Err(_) => 0,
    }
}

fn layers(report: &Report) -> Vec<SandboxLayer> {
    let layers = report.layers.iter().map(|layer| SandboxLayer {
        name: layer.name.to_owned(),
        in_force: layer.state.is_ok(),
        detail: match &layer.state {
            Ok(detail) => detail.clone(),
            Err(reason) => reason.to_string(),
        },
    });
    layers.collect()
}
