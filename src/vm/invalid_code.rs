//! Explains to people why code is not a contract; the output says only that it is invalid.

use super::eei;
use super::error::Unusable;
use super::host::is_upgrade;
use crate::engine::validation::{self, ValidatedModule};

/// What is wrong with code that can't be deployed: the reference's words, and in brackets what they leave out. Built-in
/// functions are not known here.
pub fn why_not_deployable(code: &[u8]) -> String {
    match validated(code) {
        Err(reason) => reason,
        Ok(module) => {
            let functions = module.exported_functions();
            let is_reserved =
                |name: &str| is_upgrade(name.as_bytes()) || eei::is_host_function(name);
            let checked =
                validation::check_deployable(&functions, module.exports_memory(), is_reserved);
            checked.map_or_else(|error| error.to_string(), |()| why_not_started(&module))
        }
    }
}

/// What is wrong with stored code that can't be started.
pub fn why_not_startable(code: &[u8]) -> String {
    match validated(code) {
        Err(reason) => reason,
        Ok(module) => why_not_started(&module),
    }
}

fn validated(code: &[u8]) -> Result<ValidatedModule, String> {
    validation::validate(code, eei::import_table())
        .map_err(|invalid| Unusable::from(invalid).in_detail())
}

fn why_not_started(module: &ValidatedModule) -> String {
    let text = match module.has_start_function() {
        true => "the start function fails",
        false => "the name of an exported function is reserved",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> [String; 2] {
        let code = wat::parse_str(text).expect("the test's text is right");
        [why_not_deployable(&code), why_not_startable(&code)]
    }

    #[test]
    fn reasons_are_the_reference_s_and_more() {
        let [deployed, _] = why("(module)");
        assert_eq!(
            deployed,
            "invalid contract code (missing memory declaration)"
        );
        for reason in why("(module (func (drop (f64.const 0))))") {
            assert_eq!(
                reason,
                "could not create wasmer instance: compile error (byte 23: only deterministic operations are allowed)"
            );
        }
        for reason in why(r#"(module (import "env" "x" (func)))"#) {
            assert_eq!(
                reason,
                "could not create wasmer instance: link error: Import not found, namespace: env, name: x"
            );
        }
        for reason in why(r#"(module (memory (export "m") 1) (func $f unreachable) (start $f))"#) {
            assert_eq!(reason, "the start function fails");
        }
        let [deployed, _] =
            why(r#"(module (memory (export "m") 1) (func (export "upgradeContract")))"#);
        assert_eq!(deployed, "invalid function (invalid name): upgradeContract");
        assert_eq!(why_not_startable(b""), "invalid bytecode: ");
    }
}
