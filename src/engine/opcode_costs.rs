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

/// What operators do, with the first key of each class: in the order of [`OPCODE_NAMES`], a class ends where the next one begins.
/// Behind the last class there are only operators that validation rejects.
const CLASSES: [(&str, &str); CLASS_COUNT] = [
    ("control", "Unreachable"),
    ("calls", "Call"),
    ("locals, globals, stack", "Drop"),
    ("memory", "I32Load"),
    ("constants", "I32Const"),
    ("comparisons", "I32Eqz"),
    ("arithmetic", "I32Clz"),
    ("conversions", "I32WrapI64"),
];

/// How many classes of operators there are.
pub const CLASS_COUNT: usize = 8;

/// The class of each key, in the order of [`OPCODE_NAMES`].
const CLASS_OF_KEY: [usize; OPCODE_NAMES.len()] = {
    let mut classes = [0; OPCODE_NAMES.len()];
    let mut class = 0;
    let mut key = 0;
    while key < classes.len() {
        if class + 1 < CLASS_COUNT
            && same(
                OPCODE_NAMES[key].as_bytes(),
                CLASSES[class + 1].1.as_bytes(),
            )
        {
            class += 1;
        }
        classes[key] = class;
        key += 1;
    }
    classes
};

/// The name of a class, for people.
pub fn class_name(class: usize) -> &'static str {
    CLASSES[class].0
}

/// The class of an operator, below [`CLASS_COUNT`].
pub fn class_of(operator: &Operator<'_>) -> usize {
    key_index(operator).map_or(0, |key| CLASS_OF_KEY[key])
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
    use wasmparser::MemArg;

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

    #[test]
    fn operators_have_the_class_of_what_they_do() {
        let memarg = MemArg {
            align: 0,
            max_align: 0,
            offset: 0,
            memory: 0,
        };
        for (operator, class) in [
            (Operator::Return, "control"),
            (Operator::Call { function_index: 0 }, "calls"),
            (Operator::Select, "locals, globals, stack"),
            (
                Operator::GlobalSet { global_index: 0 },
                "locals, globals, stack",
            ),
            (Operator::I64Store32 { memarg }, "memory"),
            (Operator::MemoryGrow { mem: 0 }, "memory"),
            (Operator::I64Const { value: 0 }, "constants"),
            (Operator::I64Eqz, "comparisons"),
            (Operator::F64Ge, "comparisons"),
            (Operator::I32Rotr, "arithmetic"),
            (Operator::I64Extend32S, "conversions"),
        ] {
            assert_eq!(class_name(class_of(&operator)), class, "{operator:?}");
        }
        // Each class begins where the table says.
        assert_eq!(CLASS_OF_KEY[OPCODE_NAMES.len() - 1], CLASS_COUNT - 1);
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
