//! Gas: what things cost.

pub(crate) mod schedule;
