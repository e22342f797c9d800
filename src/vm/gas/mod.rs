//! Gas: what things cost.

pub(crate) mod opcode_costs;
pub(crate) mod schedule;
