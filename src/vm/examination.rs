//! Tells people what the VM says of code: every reason to refuse it, and what it takes.

use super::eei;
use super::gas::schedule::{GasSchedule, MissingCost};
use super::host::is_upgrade;
use crate::engine::ImportedFunction;
use crate::engine::validation::{self, InvalidModule};
use crate::messages::GasSectionEntry;

pub use crate::engine::instrument::STACK_SLOTS;

/// What the VM says of code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// Why it can't be deployed; empty if it can. The first one decides.
    pub reasons: Vec<Reason>,
    /// Whether it could be called if it were stored: then only rules for deploys are broken.
    pub can_be_called: bool,
    /// Whether a function runs when it is instantiated. Whether that fails is known only then.
    pub has_start_function: bool,
    /// What one call of each function takes of the stack of its instance, in slots; imported functions have none. Empty if
    /// the code can't be called.
    pub stack_slots: Vec<u32>,
}

/// Why code is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In the words of the reference or of its parser.
    pub text: String,
    /// Where in the code, in bytes, if it is at one place.
    pub offset: Option<u64>,
}

/// Examines code. Names of built-in functions, which a node defines, are not known here.
pub fn examine(code: &[u8]) -> Examination {
    let module = match validation::validate(code, eei::import_table()) {
        Ok(module) => module,
        Err(invalid) => {
            return Examination {
                reasons: reasons(invalid),
                ..Examination::default()
            };
        }
    };
    let functions = module.exported_functions();
    let is_reserved = |name: &str| is_upgrade(name.as_bytes()) || eei::is_host_function(name);
    let faults = validation::not_deployable(&functions, module.exports_memory(), is_reserved);
    Examination {
        reasons: faults.map(|fault| reason(fault.to_string())).collect(),
        can_be_called: true,
        has_start_function: module.has_start_function(),
        stack_slots: module.stack_slots(),
    }
}

fn reasons(invalid: InvalidModule) -> Vec<Reason> {
    match invalid {
        InvalidModule::Malformed { offset, message } => vec![Reason {
            text: message,
            offset: Some(offset),
        }],
        InvalidModule::Link(errors) => { errors.0.iter() }
            .map(|error| reason(error.to_string()))
            .collect(),
        InvalidModule::Empty => vec![reason("there are no bytes".to_owned())],
        InvalidModule::TooLarge { message } => {
            vec![reason(format!(
                "beyond the limits of this engine: {message}"
            ))]
        }
    }
}

fn reason(text: String) -> Reason {
    Reason { text, offset: None }
}

/// The host function with these names, with the section and the key of its cost; a free one has none.
pub fn host_function(
    namespace: &str,
    name: &str,
) -> Option<(ImportedFunction, Option<(&'static str, &'static str)>)> {
    eei::host_function(namespace, name)
}

/// The gas that a transaction pays to deploy code of a length, before `init` runs.
pub fn deploy_gas(schedule: &[GasSectionEntry], code_bytes: usize) -> Result<u64, MissingCost> {
    let schedule = GasSchedule::from_entries(schedule)?;
    let bytes = schedule.BaseOperationCost.CompilePerByte;
    let bytes = bytes.wrapping_mul(code_bytes as u64);
    Ok(bytes.wrapping_add(schedule.Kalyan3104APICost.CreateContract))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::fixtures::schedule_entries;

    fn texts(text: &str) -> Vec<String> {
        let code = wat::parse_str(text).expect("the test's text is right");
        let found = examine(&code).reasons.into_iter();
        found.map(|reason| reason.text).collect()
    }

    #[test]
    fn every_reason_is_found() {
        let links = texts(
            r#"(module (import "env" "x" (func)) (import "env" "y" (func)) (memory (export "m") 1))"#,
        );
        assert_eq!(
            links,
            [
                "Import not found, namespace: env, name: x",
                "Import not found, namespace: env, name: y"
            ]
        );
        let rules = texts(
            r#"(module (func (export "getCaller")) (func (export "f") (param i32)) (func (export "upgradeContract")))"#,
        );
        assert_eq!(
            rules,
            [
                "invalid contract code (missing memory declaration)",
                "invalid function (invalid name): getCaller",
                "invalid function (nonvoid signature): f",
                "invalid function (invalid name): upgradeContract",
            ]
        );
        let floats = wat::parse_str("(module (func (drop (f64.const 0))))").expect("a module");
        assert_eq!(
            examine(&floats).reasons,
            [Reason {
                text: "only deterministic operations are allowed".to_owned(),
                offset: Some(23),
            }]
        );
        assert_eq!(examine(b"").reasons[0].text, "there are no bytes");
    }

    #[test]
    fn what_is_accepted_is_measured() {
        let code = wat::parse_str(r#"(module (memory (export "m") 1) (func (local i64 i64)))"#);
        let found = examine(&code.expect("a module"));
        assert_eq!(found.stack_slots, [10]);
        assert!(found.reasons.is_empty() && found.can_be_called && !found.has_start_function);
    }

    #[test]
    fn a_deploy_costs_by_its_bytes() {
        assert_eq!(deploy_gas(&schedule_entries(), 100), Ok(101));
        assert!(deploy_gas(&[], 100).is_err());
    }
}
