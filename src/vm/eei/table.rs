//! How host functions are declared.
//!
//! ```text
//! host_functions! {
//!     namespace "env", costs Kalyan3104APICost;
//!
//!     /// What it does.
//!     "getArgument" => get_argument(id: i32, result_offset: i32) -> i32, gas GetArgument;
//! }
//! ```
//!
//! The line makes the import with its signature, the charge of its gas, and the call of the method of [`Call`] with
//! that name. `gas KEY` charges before the method, as the reference does or could do: what is charged later may be
//! charged first, because nothing but the sum is ever seen. Where that is not so the line says `own gas KEY` and the
//! method charges; `no gas` is free.

use super::call::{Call, HostResult};
use crate::engine::{ImportedFunction, ValueType};

/// A host function.
#[derive(Clone, Copy)]
pub struct HostFunction {
    pub import: ImportedFunction,
    /// The section and the key of the gas schedule; none for a free function.
    pub gas: Option<(&'static str, &'static str)>,
    /// Charges and runs.
    pub run: fn(&mut Call<'_>, &[i64]) -> HostResult<i64>,
    /// The names of the parameters, which say what they are. `NAME_offset` is a place in the memory, and a `length` or
    /// `NAME_length` behind it that of the bytes there. `reference`, `left`, `right`, `operand` and `source` are handles of big
    /// integers that are read, `destination` and `result` of those that are set.
    pub parameters: &'static [&'static str],
    /// What docs/spec/host-functions.md says besides.
    #[cfg(test)]
    pub declaration: Declaration,
}

/// How a host function is declared, for docs/spec/host-functions.md.
#[cfg(test)]
#[derive(Clone, Copy)]
pub struct Declaration {
    /// The file, from the root of the project.
    pub file: &'static str,
    /// The lines of the documentation.
    pub doc: &'static [&'static str],
    /// Whether the method charges the gas key.
    pub own_gas: bool,
}

/// A type that crosses the border between a contract and the host.
pub trait BorderType: Sized {
    const TYPE: ValueType;

    fn from_border(value: i64) -> Self;
}

impl BorderType for i32 {
    const TYPE: ValueType = ValueType::I32;

    fn from_border(value: i64) -> i32 {
        value as i32
    }
}

impl BorderType for i64 {
    const TYPE: ValueType = ValueType::I64;

    fn from_border(value: i64) -> i64 {
        value
    }
}

macro_rules! host_functions {
    (
        namespace $namespace:literal, costs $section:ident;
        $(
            $(#[doc = $doc:literal])*
            $name:literal => $method:ident($($argument:ident: $type:ident),* $(,)?) $(-> $result:ident)?,
            $($charge:ident)+;
        )*
    ) => {
        pub const FUNCTIONS: &[$crate::vm::eei::table::HostFunction] = &[$(
            // The documentation of the function.
            {
                $(#[doc = $doc])*
                const FUNCTION: $crate::vm::eei::table::HostFunction = $crate::vm::eei::table::HostFunction {
                    import: $crate::engine::ImportedFunction {
                        namespace: $namespace,
                        name: $name,
                        parameters: &[$(<$type as $crate::vm::eei::table::BorderType>::TYPE),*],
                        result: host_functions!(@result_type $($result)?),
                    },
                    gas: host_functions!(@key $section $($charge)+),
                    run: |call, arguments| {
                        let &[$($argument),*] = arguments else {
                            unreachable!("the engine checks the number of arguments when it links");
                        };
                        $(let $argument = <$type as $crate::vm::eei::table::BorderType>::from_border($argument);)*
                        host_functions!(@charge call $section $($charge)+);
                        host_functions!(@run call.$method($($argument),*) $(=> $result)?)
                    },
                    parameters: &[$(stringify!($argument)),*],
                    #[cfg(test)]
                    declaration: $crate::vm::eei::table::Declaration {
                        file: file!(),
                        doc: &[$($doc),*],
                        own_gas: host_functions!(@own_gas $($charge)+),
                    },
                };
                FUNCTION
            }
        ),*];
    };
    (@result_type) => { None };
    (@result_type $result:ident) => { Some(<$result as $crate::vm::eei::table::BorderType>::TYPE) };
    (@key $section:ident gas $key:ident) => { Some((stringify!($section), stringify!($key))) };
    (@key $section:ident own gas $key:ident) => { Some((stringify!($section), stringify!($key))) };
    (@key $section:ident no gas) => { None };
    (@own_gas own gas $key:ident) => { true };
    (@own_gas $($charge:ident)+) => { false };
    (@charge $call:ident $section:ident gas $key:ident) => {
        let gas = $call.contexts().schedule.$section.$key;
        $call.charge(gas);
    };
    (@charge $call:ident $section:ident own gas $key:ident) => {
        // The method charges this key, which has to exist.
        let _ = |schedule: &$crate::vm::gas::schedule::GasSchedule| schedule.$section.$key;
    };
    (@charge $call:ident $section:ident no gas) => {};
    (@run $run:expr) => {{
        let (): () = $run?;
        Ok(0)
    }};
    (@run $run:expr => $result:ident) => {{
        let result: $result = $run?;
        Ok(i64::from(result))
    }};
}
pub(super) use host_functions;

/// How many functions the tables have.
pub const fn count(tables: &[&[HostFunction]]) -> usize {
    let mut count = 0;
    let mut table = 0;
    while table < tables.len() {
        count += tables[table].len();
        table += 1;
    }
    count
}

/// All tables in one. Fails to compile if `COUNT` is not their [`count`].
pub const fn concatenate<const COUNT: usize>(tables: &[&[HostFunction]]) -> [HostFunction; COUNT] {
    let mut all = [tables[0][0]; COUNT];
    let mut count = 0;
    let mut table = 0;
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            all[count] = tables[table][row];
            count += 1;
            row += 1;
        }
        table += 1;
    }
    assert!(count == COUNT, "the number of functions is wrong");
    all
}

/// The imports of a table.
pub const fn imports<const COUNT: usize>(
    functions: &[HostFunction; COUNT],
) -> [ImportedFunction; COUNT] {
    let mut imports = [functions[0].import; COUNT];
    let mut index = 0;
    while index < COUNT {
        imports[index] = functions[index].import;
        index += 1;
    }
    imports
}
