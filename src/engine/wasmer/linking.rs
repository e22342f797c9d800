//! Host functions as wasmer calls them.

use std::sync::Arc;

use ::wasmer::{
    AsStoreMut, Function, FunctionEnv, FunctionEnvMut, FunctionType, RuntimeError, Type, Value,
};

use super::access::{Access, Handles};
use super::memory::SystemMemory;
use crate::engine::border;
use crate::engine::failure::HostStop;
use crate::engine::{Abort, HostCalls, ImportedFunction, ValueType};

/// What the host functions of an instance share.
pub(super) struct Environment<H> {
    /// The host while a call runs, except inside a host function, which has taken it.
    pub(super) host: Option<Box<H>>,
    /// Set once the instance exists.
    pub(super) handles: Option<Handles>,
    pub(super) system: Arc<SystemMemory>,
}

/// Makes the wasmer function for one entry of the import table. The usual signatures get closures that wasmer calls
/// without boxing values; the others work as well.
macro_rules! link_typed {
    (
        $store:ident, $environment:ident, $index:ident, $function:ident;
        $( ($($parameter:ident: $type:ident),*) -> $result:ident; )*
    ) => {
        match ($function.parameters, $function.result) {
            $(
                ([$(link_typed!(@value $type)),*], link_typed!(@result $result)) => Function::new_typed_with_env(
                    $store,
                    $environment,
                    move |environment: FunctionEnvMut<'_, Environment<H>>, $($parameter: $type),*| {
                        let result = call_host(environment, $index, &[$(i64::from($parameter)),*]);
                        result.map(|value| link_typed!(@native value $result))
                    },
                ),
            )*
            _ => link_untyped($store, $environment, $index, $function),
        }
    };
    (@value i32) => { ValueType::I32 };
    (@value i64) => { ValueType::I64 };
    (@result none) => { None };
    (@result i32) => { Some(ValueType::I32) };
    (@result i64) => { Some(ValueType::I64) };
    (@native $value:ident none) => { { let _: i64 = $value; } };
    (@native $value:ident $type:ident) => { $value as $type };
}

/// The wasmer function that calls function `index` of the import table.
pub(super) fn link<H: HostCalls>(
    store: &mut impl AsStoreMut,
    environment: &FunctionEnv<Environment<H>>,
    index: usize,
    function: &ImportedFunction,
) -> Function {
    link_typed! { store, environment, index, function;
        () -> none;
        () -> i32;
        () -> i64;
        (a: i32) -> none;
        (a: i32) -> i32;
        (a: i32) -> i64;
        (a: i64) -> none;
        (a: i64) -> i32;
        (a: i64) -> i64;
        (a: i32, b: i32) -> none;
        (a: i32, b: i32) -> i32;
        (a: i32, b: i32) -> i64;
        (a: i32, b: i64) -> none;
        (a: i32, b: i64) -> i32;
        (a: i64, b: i32) -> i32;
        (a: i32, b: i32, c: i32) -> none;
        (a: i32, b: i32, c: i32) -> i32;
        (a: i32, b: i32, c: i64) -> i32;
        (a: i32, b: i32, c: i32, d: i32) -> none;
        (a: i32, b: i32, c: i32, d: i32) -> i32;
        (a: i64, b: i32, c: i32, d: i32) -> i32;
        (a: i64, b: i32, c: i32, d: i32, e: i32) -> i32;
    }
}

/// Links a function of any signature.
fn link_untyped<H: HostCalls>(
    store: &mut impl AsStoreMut,
    environment: &FunctionEnv<Environment<H>>,
    index: usize,
    function: &ImportedFunction,
) -> Function {
    let parameters: Vec<Type> = function
        .parameters
        .iter()
        .copied()
        .map(Type::from)
        .collect();
    let result: Vec<Type> = function.result.into_iter().map(Type::from).collect();
    let result_type = function.result;
    let signature = FunctionType::new(parameters, result);
    Function::new_with_env(
        store,
        environment,
        signature,
        move |environment, arguments| {
            let arguments: Vec<i64> = arguments.iter().map(to_i64).collect();
            match call_host(environment, index, &arguments) {
                Ok(value) => Ok(result_type
                    .into_iter()
                    .map(|value_type| from_i64(value_type, value))
                    .collect()),
                Err(stop) => Err(RuntimeError::user(Box::new(stop))),
            }
        },
    )
}

impl From<ValueType> for Type {
    fn from(value: ValueType) -> Self {
        match value {
            ValueType::I32 => Self::I32,
            ValueType::I64 => Self::I64,
        }
    }
}

fn to_i64(value: &Value) -> i64 {
    match value {
        Value::I32(value) => i64::from(*value),
        Value::I64(value) => *value,
        other => unreachable!("import tables have integers only, not {other:?}"),
    }
}

fn from_i64(value_type: ValueType, value: i64) -> Value {
    match value_type {
        ValueType::I32 => Value::I32(value as i32),
        ValueType::I64 => Value::I64(value),
    }
}

/// Takes the host out of the environment for the time of the function, so that the host and the instance can both be
/// used mutably.
fn call_host<H: HostCalls>(
    mut environment: FunctionEnvMut<'_, Environment<H>>,
    index: usize,
    arguments: &[i64],
) -> Result<i64, HostStop> {
    let (environment, store) = environment.data_and_store_mut();
    if environment.system.has_failed() {
        // A memory did not grow, and the contract took that for its own limit: nothing it says counts any more.
        return Err(HostStop::Machine);
    }
    let (Some(mut host), Some(handles)) = (environment.host.take(), &environment.handles) else {
        return Err(HostStop::NoHost);
    };
    let mut access = Access { store, handles };
    let result = border::call_host(&mut *host, index, &mut access, arguments);
    environment.host = Some(host);
    result.map_err(|Abort| HostStop::Aborted)
}
