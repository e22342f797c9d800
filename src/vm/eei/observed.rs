//! What host functions were given and what they gave back, for observers.
//!
//! It follows from the names of the parameters (`table.rs` says what they mean) and from what the function has read and written: so what
//! is told is what was there, and no second table says what a function does.

use crate::trace::{Argument, Excerpt, Value};
use crate::vm::contexts::Contexts;
use crate::vm::contexts::big_int::length;
use crate::vm::memory::{ArgumentPointers, FunctionAndArguments};
use bytes::Bytes;
use num_bigint::BigInt;

/// Handles of big integers that are read.
const READ_HANDLES: [&str; 5] = ["reference", "left", "right", "operand", "source"];

/// Handles of big integers that are set.
const SET_HANDLES: [&str; 2] = ["destination", "result"];

/// Where a list of arguments is.
const LIST: [&str; 3] = ["argument_count", "lengths_offset", "data_offset"];

/// The most items of a list that are told.
const MOST_ITEMS: usize = 64;

/// The longest big integers that are told, in bytes.
const NUMBER_BYTES: u64 = 512;

/// What a call of a host function has read and written so far.
pub struct Accesses {
    names: &'static [&'static str],
    parameters: Vec<i64>,
    /// The big integers behind the parameters, before the call.
    numbers: Vec<Option<BigInt>>,
    memory: Vec<Access>,
    list: Option<Vec<Excerpt>>,
}

/// An access to the memory.
#[derive(Debug)]
struct Access {
    offset: i32,
    bytes: Excerpt,
    is_write: bool,
}

impl Accesses {
    /// A call that begins, of a function whose parameters have these names.
    pub(super) fn new(
        names: &'static [&'static str],
        parameters: &[i64],
        contexts: &Contexts,
    ) -> Accesses {
        let named = names.iter().zip(parameters);
        let numbers = named.map(|(name, handle)| match READ_HANDLES.contains(name) {
            true => number(contexts, *handle),
            false => None,
        });
        Accesses {
            names,
            parameters: parameters.to_vec(),
            numbers: numbers.collect(),
            memory: Vec::new(),
            list: None,
        }
    }

    /// The memory was read.
    pub(super) fn read(&mut self, offset: i32, bytes: &[u8]) {
        self.access(offset, bytes, false);
    }

    /// The memory was written.
    pub(super) fn wrote(&mut self, offset: i32, bytes: &[u8]) {
        self.access(offset, bytes, true);
    }

    /// A function and arguments were read.
    pub(super) fn read_call(&mut self, pointers: ArgumentPointers, call: &FunctionAndArguments) {
        if pointers.function_length != 0 {
            self.read(pointers.function_offset, &call.function);
        }
        if call.arguments.len() <= MOST_ITEMS {
            let items = call.arguments.iter();
            self.list = Some(items.map(|item: &Bytes| item[..].into()).collect());
        }
    }

    fn access(&mut self, offset: i32, bytes: &[u8], is_write: bool) {
        let bytes = bytes.into();
        self.memory.push(Access {
            offset,
            bytes,
            is_write,
        });
    }

    /// What the function was given, and what it left in the memory and in big integers.
    pub(crate) fn told(mut self, contexts: &Contexts) -> (Vec<Argument>, Vec<Argument>) {
        let (mut arguments, mut written) = (Vec::new(), Vec::new());
        let mut behind_bytes = false;
        for index in 0..self.parameters.len() {
            let name = self.names[index];
            let is_length = name == "length" || name.ends_with("_length");
            if is_length && std::mem::take(&mut behind_bytes) {
                continue;
            }
            behind_bytes = false;
            let parameter = self.parameters[index];
            if SET_HANDLES.contains(&name) {
                let number = number(contexts, parameter).map(Value::BigInt);
                let name = name.into();
                written.extend(number.map(|value| Argument { name, value }));
                continue;
            }
            if self.list.is_some() && LIST[1..].contains(&name) {
                continue;
            }
            let shown = name.strip_suffix("_offset").unwrap_or(name);
            match self.access_at(name, parameter) {
                Some(access) => {
                    let (name, value) = (shown.into(), Value::Bytes(access.bytes));
                    behind_bytes = !access.is_write;
                    let told = if access.is_write {
                        &mut written
                    } else {
                        &mut arguments
                    };
                    told.push(Argument { name, value });
                }
                None => arguments.push(self.plain(index)),
            }
        }
        (arguments, written)
    }

    /// Takes the access at the place that a parameter names.
    fn access_at(&mut self, name: &str, parameter: i64) -> Option<Access> {
        if !name.ends_with("_offset") {
            return None;
        }
        let mut accesses = self.memory.iter();
        let index = accesses.position(|access| i64::from(access.offset) == parameter)?;
        Some(self.memory.remove(index))
    }

    /// A parameter that is not a place in the memory that was accessed.
    fn plain(&mut self, index: usize) -> Argument {
        let name = self.names[index];
        if name == LIST[0]
            && let Some(list) = &self.list
        {
            let (name, value) = ("arguments".into(), Value::List(list.clone()));
            return Argument { name, value };
        }
        let value = match self.numbers[index].take() {
            Some(number) => Value::BigInt(number),
            None => Value::Number(self.parameters[index]),
        };
        let name = name.into();
        Argument { name, value }
    }
}

/// The big integer behind a handle, if it is in use and not too long.
fn number(contexts: &Contexts, handle: i64) -> Option<BigInt> {
    let number = contexts.big_ints.known(handle as i32)?;
    (length(number) <= NUMBER_BYTES).then(|| number.clone())
}
