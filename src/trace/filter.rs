//! What of a run is kept.

/// A kind of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Calls of contracts. They are always kept.
    Call,
    /// Host functions.
    Host,
    /// Reads and writes of the storage.
    Storage,
    /// Transfers of coins and messages.
    Transfer,
    /// Events of contracts.
    Log,
    /// Asynchronous calls that are asked for.
    Async,
}

impl StepKind {
    /// All kinds.
    pub const ALL: [StepKind; 6] = [
        StepKind::Call,
        StepKind::Host,
        StepKind::Storage,
        StepKind::Transfer,
        StepKind::Log,
        StepKind::Async,
    ];

    /// The name in options and messages.
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Call => "call",
            StepKind::Host => "host",
            StepKind::Storage => "storage",
            StepKind::Transfer => "transfer",
            StepKind::Log => "log",
            StepKind::Async => "async",
        }
    }

    /// The kind of that name, if it is one.
    pub fn named(name: &str) -> Option<StepKind> {
        StepKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which steps of a run are kept. Costs are always complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// How many calls inside of each other: 1 keeps what the contract of the transaction does itself, 0 keeps no steps.
    pub depth: usize,
    /// The kinds of steps.
    pub kinds: Vec<StepKind>,
}

impl Filter {
    /// Keeps costs only.
    pub const COSTS: Filter = Filter {
        depth: 0,
        kinds: Vec::new(),
    };

    /// Keeps all steps.
    pub fn all() -> Filter {
        Filter {
            depth: usize::MAX,
            kinds: StepKind::ALL.to_vec(),
        }
    }

    /// Whether steps of this kind are kept, inside of so many calls.
    pub(super) fn keeps(&self, kind: StepKind, depth: usize) -> bool {
        depth <= self.depth && (kind == StepKind::Call || self.kinds.contains(&kind))
    }
}
