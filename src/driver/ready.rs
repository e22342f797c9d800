//! What a child reports at its start, and whether that is what the configuration requires (docs/spec/wire.md#ready).

use super::config::{DriverConfig, Sandbox};
use super::mismatch::Mismatch;
use super::sinks::LOGGER;
use crate::escape::escape_line;
use crate::messages::{Ready, ReadyLimits, SandboxLayer};
use tracing::debug;

/// Checks a report against the configuration. `None` is the report of a child that reports nothing, such as one in Go.
pub(super) fn check(config: &DriverConfig, ready: Option<&Ready>) -> Result<(), Mismatch> {
    let reported = ready.map(|ready| ready.protocol_version);
    match config.require_protocol_version {
        Some(required) if reported != Some(required) => {
            return Err(Mismatch::ProtocolVersion { required, reported });
        }
        _ => {}
    }
    if let Some(required) = config.limits.address_space_bytes {
        let limits = ready.and_then(|ready| ready.limits);
        let reported = limits.map(|limits| limits.address_space_bytes);
        if !reported.is_some_and(|bytes| (1..=required).contains(&bytes)) {
            return Err(Mismatch::AddressSpace { required, reported });
        }
    }
    if config.sandbox != Sandbox::Required {
        return Ok(());
    }
    let reported = match ready {
        None => "reports none".to_owned(),
        Some(ready) if is_whole(ready) => return Ok(()),
        Some(ready) => format!("has {}", sandbox(ready)),
    };
    Err(Mismatch::Sandbox { reported })
}

/// Logs what is in force in a child. Not for every reader of the log: a layer that is missing is a line of its own, on stderr.
pub(super) fn log(id: u32, ready: Option<&Ready>) {
    let Some(ready) = ready else {
        debug!(target: LOGGER, id, "arwen is ready, and reports nothing");
        return;
    };
    let limits = ready.limits.unwrap_or_default();
    debug!(
        target: LOGGER,
        id,
        version = %escape_line(&ready.version),
        build = %escape_line(&ready.build),
        protocol = ready.protocol_version,
        limits = %limits_text(&limits),
        sandbox = %escape_line(&sandbox(ready)),
        capabilities = %escape_line(&ready.capabilities.join(",")),
        "arwen is ready"
    );
}

/// Whether there is a sandbox, with each of its layers in force.
fn is_whole(ready: &Ready) -> bool {
    !ready.sandbox.is_empty() && ready.sandbox.iter().all(|layer| layer.in_force)
}

/// The layers as text: `environment, no landlock (the kernel has no landlock)`; the mode where there are none.
fn sandbox(ready: &Ready) -> String {
    if ready.sandbox.is_empty() {
        return format!("no layer: {}", ready.sandbox_mode);
    }
    let layer = |layer: &SandboxLayer| {
        let no = if layer.in_force { "" } else { "no " };
        match layer.detail.is_empty() {
            true => format!("{no}{}", layer.name),
            false => format!("{no}{} ({})", layer.name, layer.detail),
        }
    };
    let layers: Vec<_> = ready.sandbox.iter().map(layer).collect();
    layers.join(", ")
}

fn limits_text(limits: &ReadyLimits) -> String {
    let or_none = |number: u64| match number {
        0 => "none".to_owned(),
        number => number.to_string(),
    };
    format!(
        "payload_bytes={} memory_pages={} address_space_bytes={} stack_bytes={} open_files={}",
        limits.payload_bytes,
        limits.memory_pages,
        or_none(limits.address_space_bytes),
        limits.stack_bytes,
        or_none(limits.open_files),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::ChildLimits;
    use crate::messages::Arguments;

    fn layer(name: &str, in_force: bool, detail: &str) -> SandboxLayer {
        SandboxLayer {
            name: name.to_owned(),
            in_force,
            detail: detail.to_owned(),
        }
    }

    fn refusal(config: DriverConfig, ready: Option<&Ready>) -> String {
        let checked = check(&config, ready);
        checked
            .err()
            .map_or(String::new(), |error| error.to_string())
    }

    #[test]
    fn a_report_is_compared_with_what_is_required() {
        let config = || DriverConfig::new(Arguments::default());
        let mut ready = Ready {
            protocol_version: 7,
            sandbox_mode: "off".to_owned(),
            ..Ready::default()
        };
        assert_eq!(refusal(config(), None), "");
        assert_eq!(refusal(config(), Some(&ready)), "");

        let versioned = || config().require_protocol_version(1);
        let text = "the required protocol version is 1, the child has 7";
        assert_eq!(refusal(versioned(), Some(&ready)), text);
        let text = "the required protocol version is 1, the child reports none";
        assert_eq!(refusal(versioned(), None), text);
        ready.protocol_version = 1;
        assert_eq!(refusal(versioned(), Some(&ready)), "");

        let limits = ChildLimits::default().address_space_bytes(100);
        let limited = || config().limits(limits.clone());
        let text = "the child is to have at most 100 bytes of addresses, it reports no limit";
        assert_eq!(refusal(limited(), None), text);
        for (bytes, text) in [(0, "has no limit"), (101, "has 101"), (100, ""), (7, "")] {
            ready.limits.get_or_insert_default().address_space_bytes = bytes;
            let refusal = refusal(limited(), Some(&ready));
            assert!(refusal.ends_with(text), "{bytes}: {refusal}");
            assert_eq!(refusal.is_empty(), text.is_empty(), "{bytes}: {refusal}");
        }

        let restricted = || config().sandbox(Sandbox::Required);
        let text = "the sandbox is required, the child reports none";
        assert_eq!(refusal(restricted(), None), text);
        let text = "the sandbox is required, the child has no layer: off";
        assert_eq!(refusal(restricted(), Some(&ready)), text);
        ready.sandbox = vec![
            layer("limits", true, ""),
            layer("landlock", false, "too old"),
        ];
        let text = "the sandbox is required, the child has limits, no landlock (too old)";
        assert_eq!(refusal(restricted(), Some(&ready)), text);
        ready.sandbox.pop();
        assert_eq!(refusal(restricted(), Some(&ready)), "");
    }
}
