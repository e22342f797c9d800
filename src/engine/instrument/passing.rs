//! Which functions take the points as a parameter and return them, and under which indices.
//!
//! A function that others of its module call directly takes the points used so far behind its own parameters, and returns
//! them behind its result. So they stay in registers from call to call; through the global each call would wait for what was
//! written last inside.
//!
//! What can be reached in another way, by an export, through the table or as the start function, keeps its signature. If such a
//! function is called directly, too, there are two: under its index an entry with its own signature, which hands the points of the
//! global over and back, and behind all other functions the one that passes them.

use std::collections::BTreeMap;

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{FunctionSection, TypeSection, ValType};

use super::counters::FEW_LOCALS;
use super::error::InstrumentationError;
use crate::engine::validation::ValidatedModule;

/// A module with more functions, imported ones among them, or more types passes no points. Engines take a million of each, and
/// the entries and the types with points come on top. Usual contracts have some hundreds.
const MOST: usize = 10_000;

/// A module in which one call takes more stack slots passes no points: its functions may be too large for the interpreter, which
/// rewrites them ([`frames`](crate::engine::frames)) and takes one result from what they call.
pub(in crate::engine) const MOST_SLOTS: u32 = 10_000;

/// A function with more parameters passes no points: an entry copies each parameter, and an engine compiles a way in from the host
/// for each type.
const MOST_PARAMETERS: u32 = 50;

/// How a function is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With its own signature only.
    Own,
    /// Passing points only.
    Passing,
    /// Both. The one that passes points has this index.
    Both(u32),
}

/// The functions of a module that pass points.
pub(super) struct Passing<'a> {
    module: &'a ValidatedModule,
    /// The form of each function that the module defines.
    forms: Vec<Form>,
    /// For each type of functions that pass points: the index of the type with points.
    types: BTreeMap<u32, u32>,
}

impl<'a> Passing<'a> {
    /// Decides for each function of `module`.
    pub(super) fn of(module: &'a ValidatedModule) -> Result<Self, InstrumentationError> {
        let functions = &module.functions;
        let is_usual = module.function_types.len() <= MOST
            && module.types.len() <= MOST
            && functions.iter().all(|function| function.slots < MOST_SLOTS);
        let mut passing = Self {
            module,
            forms: vec![Form::Own; functions.len()],
            types: BTreeMap::new(),
        };
        if is_usual && module.called_directly.contains(&true) {
            passing.decide()?;
        }
        Ok(passing)
    }

    fn decide(&mut self) -> Result<(), InstrumentationError> {
        let module = self.module;
        let entries = module.entries()?;
        let mut next_type = module.types.len() as u32;
        let mut next_function = module.function_types.len() as u32;
        for ((index, function), form) in module.defined_functions().zip(&mut self.forms) {
            let has_room = function.locals < FEW_LOCALS && function.parameters <= MOST_PARAMETERS;
            if !has_room || !module.called_directly[index as usize] {
                continue;
            }
            *form = Form::Passing;
            if entries.contains(&index) {
                *form = Form::Both(next_function);
                next_function += 1;
            }
            let own = module.function_types[index as usize];
            self.types.entry(own).or_insert_with(|| {
                next_type += 1;
                next_type - 1
            });
        }
        Ok(())
    }
}

impl Passing<'_> {
    /// Whether any function passes points. If none does, the sections of types and functions stay as they are.
    pub(super) fn is_any(&self) -> bool {
        !self.types.is_empty()
    }

    /// The index under which a direct call of this function passes points, if it does.
    pub(super) fn of_call(&self, function_index: u32) -> Option<u32> {
        let position = function_index.checked_sub(self.module.imports.len() as u32)?;
        match self.forms[position as usize] {
            Form::Own => None,
            Form::Passing => Some(function_index),
            Form::Both(passing) => Some(passing),
        }
    }

    /// The types of the module, and behind them those with points.
    pub(super) fn type_section(&self) -> Result<TypeSection, InstrumentationError> {
        let values = |types: &[wasmparser::ValType], points: Option<ValType>| {
            let own = types.iter().map(|&own| RoundtripReencoder.val_type(own));
            own.chain(points.map(Ok)).collect::<Result<Vec<_>, _>>()
        };
        // In the order of their indices, which is not that of the types without points.
        let mut with_points: Vec<(u32, u32)> =
            self.types.iter().map(|(own, with)| (*with, *own)).collect();
        with_points.sort_unstable();
        let own = (0..self.module.types.len()).map(|index| (index, None));
        let added = with_points
            .into_iter()
            .map(|(_, own)| (own as usize, Some(ValType::I64)));
        let mut section = TypeSection::new();
        for (index, points) in own.chain(added) {
            let signature = &self.module.types[index];
            let parameters = values(signature.params(), points)?;
            section
                .ty()
                .function(parameters, values(signature.results(), points)?);
        }
        Ok(section)
    }

    /// The types of all functions, the added ones at the end.
    pub(super) fn function_section(&self) -> FunctionSection {
        let mut section = FunctionSection::new();
        let mut behind = Vec::new();
        for (index, _) in self.module.defined_functions() {
            let own = self.module.function_types[index as usize];
            match self.of_call(index) {
                None => section.function(own),
                Some(passing) if passing == index => section.function(self.types[&own]),
                Some(_) => {
                    behind.push(self.types[&own]);
                    section.function(own)
                }
            };
        }
        for with_points in behind {
            section.function(with_points);
        }
        section
    }
}
