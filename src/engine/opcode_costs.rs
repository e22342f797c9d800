//! What each wasm operator costs, in points.

use crate::gas_schedule::OPCODE_NAMES;
use wasmparser::Operator;

/// The cost of every wasm operator. Immediates never matter: the cost depends on the operator alone
/// (docs/spec/gas.md#opcodes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpcodeCosts {
    /// In the order of [`OPCODE_NAMES`].
    points: Box<[u32]>,
}

impl OpcodeCosts {
    /// Asks `lookup` for the cost of every key, in array order; what a missing key means is for `lookup` to decide.
    pub fn from_map(lookup: impl FnMut(&'static str) -> u32) -> Self {
        Self {
            points: OPCODE_NAMES.into_iter().map(lookup).collect(),
        }
    }

    /// The points of one execution of `operator`. Operators without a key, all of which validation rejects, cost 0.
    pub fn of(&self, operator: &Operator<'_>) -> u32 {
        key_index(operator).map_or(0, |index| self.points[index])
    }
}

/// Finds `name` in [`OPCODE_NAMES`]; runs when this crate is compiled, once for each operator.
const fn index_of(name: &str) -> Option<usize> {
    let mut index = 0;
    while index < OPCODE_NAMES.len() {
        if same(OPCODE_NAMES[index].as_bytes(), name.as_bytes()) {
            return Some(index);
        }
        index += 1;
    }
    None
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Defines [`key_index`] for the operators that wasmparser knows, so that there is no second list of operators.
macro_rules! define_lookup {
    ($(@$proposal:ident $operator:ident $({ $($field:ident: $type:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        /// Where the operator's cost is in the array, if it has one.
        fn key_index(operator: &Operator<'_>) -> Option<usize> {
            match operator {
                $(Operator::$operator { .. } => const { index_of(stringify!($operator)) },)*
                _ => None,
            }
        }
    };
}
wasmparser::for_each_operator!(define_lookup);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_array_order_and_unique() {
        assert_eq!(OPCODE_NAMES[0], "Unreachable");
        assert_eq!(OPCODE_NAMES[90], "I32Add");
        assert_eq!(OPCODE_NAMES[446], "I16x8RoundingAverageU");
        let mut sorted = OPCODE_NAMES;
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_operator_costs_what_its_key_says() {
        let costs = OpcodeCosts::from_map(|key| match key {
            "I32Add" => 7,
            "BrTable" => 1_000_000,
            _ => u32::MAX,
        });
        assert_eq!(costs.of(&Operator::I32Add), 7);
        assert_eq!(costs.of(&Operator::I64Add), u32::MAX);
        assert_eq!(costs.of(&Operator::ReturnCall { function_index: 0 }), 0);
    }

    /// The operators of wasm's first version, of sign extension and of saturating conversions are all that validation
    /// can let through. A new name in wasmparser for one of them would make it free.
    macro_rules! every_acceptable_operator_has_a_key {
        ($(@$proposal:ident $operator:ident $({ $($field:ident: $type:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
            #[test]
            fn every_acceptable_operator_has_a_key() {
                let acceptable = ["mvp", "sign_extension", "saturating_float_to_int"];
                let mut count = 0;
                $(
                    if acceptable.contains(&stringify!($proposal)) {
                        assert!(index_of(stringify!($operator)).is_some(), stringify!($operator));
                        count += 1;
                    }
                )*
                assert_eq!(count, 172 + 5 + 8);
            }
        };
    }
    wasmparser::for_each_operator!(every_acceptable_operator_has_a_key);
}
