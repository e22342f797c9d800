//! What a VM tells an observer while it runs.

use bytes::Bytes;
use num_bigint::BigInt;
use std::borrow::Cow;

/// A name of the VM's tables, or one that a child has told.
pub type Name = Cow<'static, str>;

/// Is told what a run does.
pub trait Observer: Send {
    /// A run begins. What was told of an earlier one that has not ended is void: that run was given up, and this one repeats it.
    fn begin(&mut self);

    /// Something happened.
    fn event(&mut self, event: Event);
}

/// What happened. Events between the begin and the end of a call or of a host function happened inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A contract is called, deployed or upgraded, or a built-in function is run.
    Entered(Entry),
    /// The address of the contract that is being deployed is known.
    Addressed {
        /// The address.
        address: Bytes,
    },
    /// The start of the call was paid for: a price for each byte of the code, and the steps of asynchronous calls.
    StartPaid {
        /// In units of gas, without what is set aside for an answer.
        gas: u64,
    },
    /// A function of the contract begins.
    Started {
        /// Its export, which may be another one than was called.
        function: String,
    },
    /// Code of the contract has run: the start function of its module, or the function that was called.
    Executed {
        /// The gas that its instance has used so far. The last operators may have passed the limit.
        used: u64,
        /// The gas that it may use.
        limit: u64,
        /// What its operators have used so far, by class.
        classes: Vec<(Name, u64)>,
        /// The same by function of the module, with their names; two functions may have the same.
        functions: Vec<(Name, u64)>,
    },
    /// The call has ended.
    Left(Exit),
    /// A host function is called.
    HostEntered(HostEntry),
    /// The host function has ended.
    HostLeft(HostExit),
    /// Something that the chain, or the contract itself, will see.
    Effect(Effect),
}

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// A call by a transaction or by a contract, on the callee's storage.
    Call,
    /// A deploy by a transaction.
    Deploy,
    /// An upgrade by a transaction.
    Upgrade,
    /// A call by a contract, on the caller's storage.
    SameContext,
    /// The same, without writes to the storage.
    ReadOnly,
    /// A deploy by a contract.
    Create,
    /// An asynchronous call.
    Async,
    /// The answer to an asynchronous call.
    Callback,
    /// A function of the protocol, which the node runs.
    BuiltIn,
}

impl CallKind {
    /// All kinds.
    pub const ALL: [CallKind; 9] = [
        CallKind::Call,
        CallKind::Deploy,
        CallKind::Upgrade,
        CallKind::SameContext,
        CallKind::ReadOnly,
        CallKind::Create,
        CallKind::Async,
        CallKind::Callback,
        CallKind::BuiltIn,
    ];

    /// The kind of that name, if it is one.
    pub fn named(name: &str) -> Option<CallKind> {
        CallKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in traces.
    pub fn name(self) -> &'static str {
        match self {
            CallKind::Call => "call",
            CallKind::Deploy => "deploy",
            CallKind::Upgrade => "upgrade",
            CallKind::SameContext => "same-context",
            CallKind::ReadOnly => "read-only",
            CallKind::Create => "create",
            CallKind::Async => "async",
            CallKind::Callback => "callback",
            CallKind::BuiltIn => "builtin",
        }
    }
}

/// The begin of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How it came about.
    pub kind: CallKind,
    /// Who calls.
    pub caller: Bytes,
    /// The contract whose code runs; empty for a deploy until [`Event::Addressed`].
    pub address: Bytes,
    /// The function that is called; empty for a deploy.
    pub function: Bytes,
    /// Its arguments.
    pub arguments: Vec<Bytes>,
    /// What the caller pays.
    pub value: BigInt,
    /// The gas that the call is given.
    pub gas: u64,
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// How it ended.
    pub end: End,
    /// The gas that it has cost the one who pays, calls inside of it included.
    pub gas_used: i64,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With success.
    Ok {
        /// The items that it returned. On the caller's storage there are none: they are added to the caller's.
        return_data: Vec<Bytes>,
    },
    /// It failed: nothing of it remains.
    Failed {
        /// A [`crate::messages::ReturnCode`].
        code: i64,
        /// The message that the chain sees, or the caller.
        message: Bytes,
    },
    /// The whole run ends without an output.
    Broken {
        /// Why.
        reason: String,
    },
}

/// The call of a host function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The module of the import: `env` or `ethereum`.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// The gas that the contract has left.
    pub gas_left: u64,
    /// The gas that its instance has used.
    pub used: u64,
}

/// The end of a host function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostExit {
    /// What it was given.
    pub arguments: Vec<Argument>,
    /// What it wrote into the memory or into a big integer.
    pub written: Vec<Argument>,
    /// How it ended.
    pub end: HostEnd,
    /// The gas that the contract has left.
    pub gas_left: u64,
    /// The gas that its instance has used.
    pub used: u64,
    /// The gas that the contract lost because the function failed, not in `used`.
    pub lost: u64,
}

/// How a host function ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostEnd {
    /// It returned, with a result if it has one.
    Returned(Option<i64>),
    /// It made an asynchronous call, which ends the contract's function.
    AsyncCall,
    /// It ended the contract's function otherwise.
    Failed(String),
}

/// An argument of a host function, or a result that it left somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The name of the parameter.
    pub name: Name,
    /// What it is.
    pub value: Value,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number, or a place in the memory that was not accessed.
    Number(i64),
    /// Bytes in the memory.
    Bytes(Excerpt),
    /// A list of bytes in the memory.
    List(Vec<Excerpt>),
    /// The number behind a handle.
    BigInt(BigInt),
}

/// Bytes, of which only the beginning is kept if they are many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt {
    /// The bytes, or the first of them.
    pub bytes: Bytes,
    /// How many bytes there are.
    pub length: usize,
}

/// The most bytes that are kept of a value.
const EXCERPT_BYTES: usize = 1024;

impl From<&[u8]> for Excerpt {
    fn from(bytes: &[u8]) -> Excerpt {
        let kept = &bytes[..bytes.len().min(EXCERPT_BYTES)];
        Excerpt {
            bytes: Bytes::copy_from_slice(kept),
            length: bytes.len(),
        }
    }
}

/// What the chain, or the contract itself, will see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A value of the storage was read.
    Read {
        /// The account.
        address: Bytes,
        /// The key.
        key: Excerpt,
        /// The value; empty for none.
        value: Excerpt,
    },
    /// A value of the storage was written.
    Written(Written),
    /// Coins moved between accounts, or a message was left to the node.
    Transfer(Transfer),
    /// An event was emitted.
    Log {
        /// The contract.
        address: Bytes,
        /// Its topics, of which the first is its identifier.
        topics: Vec<Bytes>,
        /// Its data.
        data: Excerpt,
    },
    /// An asynchronous call was asked for. It is made when the contract has ended.
    Async {
        /// The contract that is to be called.
        destination: Bytes,
        /// What it is called with: `function@argument@...`.
        data: Excerpt,
        /// What it is paid.
        value: BigInt,
        /// The gas that it is to have; 0 for a share of what is left.
        gas_limit: u64,
    },
}

/// A value of the storage that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The account.
    pub address: Bytes,
    /// The key.
    pub key: Excerpt,
    /// The value before.
    pub old: Excerpt,
    /// The value now.
    pub new: Excerpt,
    /// What its bytes cost, in units of gas.
    pub gas: u64,
}

/// A transfer of coins, or a message that is left to the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Who pays.
    pub from: Bytes,
    /// Who is paid.
    pub to: Bytes,
    /// How much.
    pub value: BigInt,
    /// What it carries.
    pub data: Excerpt,
    /// The gas that goes with it.
    pub gas_limit: u64,
}
