//! The signatures of a module, and what they cost.

use wasmparser::TypeRef;

/// What a type costs without and with its parameters.
const TYPE: u64 = 25_000;
const PARAMETER: u64 = 3_000;
const PARAMETER_SQUARED: u64 = 16;

/// What an import costs without its parameters.
const IMPORT: u64 = 60_000;

/// How many values functions take and return.
#[derive(Default)]
pub(super) struct Signatures {
    /// Parameters and results of each type.
    types: Vec<(u32, u32)>,
    /// The type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) imported: usize,
}

impl Signatures {
    /// Notes a type; returns its cost in nanoseconds. Validation limits parameters to 1,000.
    pub(super) fn add_type(&mut self, parameters: usize, results: usize) -> u64 {
        self.types.push((parameters as u32, results as u32));
        let parameters = parameters as u64;
        TYPE + parameters * (PARAMETER + parameters * PARAMETER_SQUARED)
    }

    /// Notes an import; returns its cost in nanoseconds.
    pub(super) fn add_import(&mut self, import: TypeRef) -> u64 {
        let TypeRef::Func(index) = import else {
            return 0;
        };
        self.functions.push(index);
        self.imported += 1;
        IMPORT + u64::from(self.of_type(index).0) * PARAMETER
    }

    /// Parameters and results of a type; none if there is no such type.
    pub(super) fn of_type(&self, index: u32) -> (u32, u32) {
        self.types.get(index as usize).copied().unwrap_or_default()
    }

    /// Parameters and results of a function; none if there is no such function.
    pub(super) fn of_function(&self, index: usize) -> (u32, u32) {
        let index = self.functions.get(index);
        index.map_or((0, 0), |&index| self.of_type(index))
    }
}
