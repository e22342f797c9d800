//! What each module may import: the one table of it.

/// A module with all below it, but for those that are rooms of their own.
pub struct Room {
    /// Its path, as in `vm::eei`.
    pub module: &'static str,
    /// The modules that it may import from, with all below them.
    pub may_import: &'static [&'static str],
}

/// The modules from the lowest to the highest, with what each may import. A folder stands once for those outside of it; what
/// is inside may stand here with an order of its own.
pub const ROOMS: &[Room] = &[
    // Helpers.
    room("byte_lru", &[]),
    room("escape", &[]),
    room("short_bytes", &[]),
    // From bytes to dialogues.
    room("frame", &[]),
    room("transport", &[]),
    room("messages", &["frame", "short_bytes"]),
    room("activity", &["messages"]),
    room("dialogue", &["escape", "frame", "messages", "transport"]),
    room("logs", &["frame", "messages", "transport"]),
    room("recording", &["messages"]),
    room("gas_schedule", &["messages"]),
    // What the VM tells an observer.
    room("trace", &["escape", "messages"]),
    // The two traits between chain and VM.
    room("hooks", &["messages"]),
    room("machine", &["escape", "messages", "trace"]),
    room("apply", &["escape", "messages"]),
    // The engine knows nothing of contracts: of the rest it has the LRU, the opcodes' names, and the note that it compiles.
    room("engine::border", &["escape"]),
    room("engine::opcode_costs", &["gas_schedule"]),
    room("engine::function_names", &[]),
    room("engine::failure", &["engine::border"]),
    room("engine::validation", &["engine::border"]),
    room(
        "engine::instrument",
        &[
            "engine::border",
            "engine::opcode_costs",
            "engine::validation",
        ],
    ),
    room("engine::disk", &["engine::border", "engine::instrument"]),
    room(
        "engine::interface",
        &[
            "engine::border",
            "engine::disk",
            "engine::failure",
            "engine::instrument",
        ],
    ),
    room("engine::compile_cost", &[]),
    room("engine::frames", &["engine::instrument"]),
    room(
        "engine::wasmer",
        &[
            "activity",
            "engine::border",
            "engine::disk",
            "engine::failure",
            "engine::instrument",
            "engine::interface",
        ],
    ),
    room(
        "engine::wasmi_engine",
        &[
            "engine::border",
            "engine::failure",
            "engine::frames",
            "engine::instrument",
            "engine::interface",
            "engine::opcode_costs",
        ],
    ),
    room(
        "engine::tiers",
        &[
            "engine::border",
            "engine::compile_cost",
            "engine::disk",
            "engine::failure",
            "engine::instrument",
            "engine::interface",
            "engine::wasmi_engine",
        ],
    ),
    room(
        "engine::cache",
        &[
            "byte_lru",
            "engine::border",
            "engine::disk",
            "engine::failure",
            "engine::instrument",
            "engine::interface",
            "engine::opcode_costs",
            "engine::validation",
        ],
    ),
    room("engine", &["engine"]),
    // The VM: the state of a run, above it what contracts import, above that the host.
    room("vm::effort", &[]),
    room(
        "vm::memory",
        &["engine", "messages", "short_bytes", "vm::effort"],
    ),
    room(
        "vm::error",
        &[
            "engine",
            "hooks",
            "machine",
            "messages",
            "vm::effort",
            "vm::memory",
        ],
    ),
    room("vm::crypto", &[]),
    room("vm::gas", &["engine", "gas_schedule", "messages"]),
    room(
        "vm::contexts",
        &[
            "engine",
            "hooks",
            "messages",
            "short_bytes",
            "trace",
            "vm::crypto",
            "vm::effort",
            "vm::error",
            "vm::gas",
            "vm::memory",
        ],
    ),
    room(
        "vm::eei",
        &[
            "engine",
            "hooks",
            "messages",
            "trace",
            "vm::contexts",
            "vm::effort",
            "vm::error",
            "vm::gas",
            "vm::memory",
        ],
    ),
    room(
        "vm::host",
        &[
            "engine",
            "hooks",
            "machine",
            "messages",
            "trace",
            "vm::contexts",
            "vm::eei",
            "vm::error",
        ],
    ),
    room(
        "vm::invalid_code",
        &["engine", "vm::eei", "vm::error", "vm::host"],
    ),
    room(
        "vm::examination",
        &[
            "engine",
            "gas_schedule",
            "messages",
            "vm::eei",
            "vm::error",
            "vm::gas",
            "vm::host",
        ],
    ),
    room(
        "vm::fixtures",
        &[
            "engine",
            "gas_schedule",
            "hooks",
            "machine",
            "messages",
            "trace",
            "vm",
        ],
    ),
    room(
        "vm::fuzzing",
        &["engine", "hooks", "machine", "messages", "vm"],
    ),
    room(
        "vm",
        &["engine", "hooks", "machine", "messages", "trace", "vm"],
    ),
    // The two ends of the pipes.
    room(
        "driver",
        &[
            "byte_lru",
            "dialogue",
            "escape",
            "frame",
            "hooks",
            "logs",
            "machine",
            "messages",
            "recording",
            "short_bytes",
            "trace",
            "transport",
        ],
    ),
    room(
        "part",
        &[
            "activity",
            "byte_lru",
            "dialogue",
            "escape",
            "frame",
            "hooks",
            "logs",
            "machine",
            "messages",
            "trace",
            "transport",
        ],
    ),
    // What runs both.
    room(
        "scenario",
        &[
            "apply", "driver", "escape", "hooks", "machine", "messages", "trace", "vm",
        ],
    ),
    room(
        "tool",
        &[
            "engine",
            "escape",
            "gas_schedule",
            "machine",
            "messages",
            "scenario",
            "trace",
            "vm",
        ],
    ),
    room(
        "server",
        &["machine", "messages", "scenario", "tool", "trace"],
    ),
    room(
        "replay",
        &["dialogue", "driver", "escape", "messages", "recording"],
    ),
    room(
        "fuzzing",
        &[
            "dialogue",
            "driver",
            "frame",
            "hooks",
            "logs",
            "machine",
            "messages",
            "part",
            "recording",
            "scenario",
            "transport",
        ],
    ),
    room(
        "bin",
        &[
            "escape",
            "frame",
            "gas_schedule",
            "messages",
            "part",
            "replay",
            "scenario",
            "server",
            "tool",
            "trace",
            "transport",
            "vm",
        ],
    ),
    // The crate's root shows the others, and promises something of their types.
    room(
        "",
        &[
            "dialogue",
            "driver",
            "escape",
            "frame",
            "fuzzing",
            "hooks",
            "logs",
            "messages",
            "part",
            "recording",
            "replay",
            "scenario",
            "server",
            "tool",
            "trace",
            "transport",
            "vm",
        ],
    ),
];

const fn room(module: &'static str, may_import: &'static [&'static str]) -> Room {
    Room { module, may_import }
}
