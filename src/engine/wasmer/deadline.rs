//! Ends a compilation that takes too long, before the next function.

use std::fmt::{self, Debug, Formatter};
use std::time::{Duration, Instant};

use ::wasmer::LocalFunctionIndex;
use ::wasmer::sys::wasmparser::Operator;
use ::wasmer::sys::{FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware};

/// A compilation that takes longer is ended. What is given to the compiler takes it less than a second of a core that
/// it has for itself ([`compile_cost`](crate::engine::compile_cost)); this is for cores that it does not get, and for
/// the unforeseen.
const COMPILE_TIME: Duration = Duration::from_secs(10);

/// The time of one compilation.
pub(super) struct Deadline(Instant);

impl Deadline {
    /// [`COMPILE_TIME`] from now.
    pub(super) fn from_now() -> Self {
        Self(Instant::now() + COMPILE_TIME)
    }
}

impl Debug for Deadline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Deadline")
    }
}

impl ModuleMiddleware for Deadline {
    fn generate_function_middleware<'a>(
        &self,
        _: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        Box::new(Check {
            is_late: Instant::now() > self.0,
        })
    }
}

/// What is known when a function is begun.
#[derive(Debug)]
struct Check {
    is_late: bool,
}

impl<'a> FunctionMiddleware<'a> for Check {
    fn feed(
        &mut self,
        operator: Operator<'a>,
        state: &mut MiddlewareReaderState<'a>,
    ) -> Result<(), MiddlewareError> {
        if self.is_late {
            let text = format!("not compiled within {COMPILE_TIME:?}");
            return Err(MiddlewareError::new("deadline", text));
        }
        state.push_operator(operator);
        Ok(())
    }
}
