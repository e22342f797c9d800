//! What functions of a module are called, for people.

use std::collections::BTreeMap;
use wasmparser::{ExternalKind, KnownCustom, Name, NameSectionReader, Parser, Payload, TypeRef};

/// The longest name that is shown, in bytes.
const NAME_BYTES: usize = 200;

/// The names of the functions that the code defines, in their order: of the name section, of an export, or else its number, as in
/// `func[7]`. Names of Rust are demangled. The code need not be valid; what can't be read has no names.
pub fn of_code(code: &[u8]) -> Vec<String> {
    let (mut imported, mut defined) = (0, 0);
    let (mut exported, mut named) = (BTreeMap::new(), BTreeMap::new());
    for payload in Parser::new(0).parse_all(code).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(imports) => {
                let imports = imports.into_imports().map_while(Result::ok);
                imported += imports
                    .filter(|import| matches!(import.ty, TypeRef::Func(_)))
                    .count() as u32;
            }
            Payload::FunctionSection(functions) => defined = functions.count(),
            Payload::ExportSection(exports) => {
                for export in exports.into_iter().map_while(Result::ok) {
                    if export.kind == ExternalKind::Func {
                        exported.entry(export.index).or_insert(export.name);
                    }
                }
            }
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(names) = custom.as_known() {
                    // A name section that is damaged is not a fault of a module.
                    let _ = add(names, &mut named);
                }
            }
            _ => {}
        }
    }
    let name = |index: u32| match (named.get(&index), exported.get(&index)) {
        (Some(name), _) => readable(name),
        (None, Some(name)) => readable(name),
        (None, None) => format!("func[{index}]"),
    };
    (imported..imported.saturating_add(defined))
        .map(name)
        .collect()
}

/// Adds the names of functions in a name section, by the number of the function.
pub fn add(
    names: NameSectionReader<'_>,
    named: &mut BTreeMap<u32, String>,
) -> wasmparser::Result<()> {
    for name in names {
        if let Name::Function(functions) = name? {
            for naming in functions {
                let naming = naming?;
                named.insert(naming.index, naming.name.to_owned());
            }
        }
    }
    Ok(())
}

/// A name in plain text.
fn readable(name: &str) -> String {
    let demangled = format!("{:#}", rustc_demangle::demangle(name));
    let mut plain = demangled.as_bytes().escape_ascii().to_string();
    plain.truncate(NAME_BYTES);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        of_code(&wat::parse_str(text).expect("valid text"))
    }

    #[test]
    fn names_come_from_the_name_section_then_from_exports() {
        let text = r#"(module
            (import "env" "finish" (func (param i32 i32)))
            (func $inner) (func (export "outer")) (func)
            (func $_ZN5adder3add17h0123456789abcdefE) (func $both (export "other")) (func (export "\1b[31m")))"#;
        let expected = [
            "inner",
            "outer",
            "func[3]",
            "adder::add",
            "both",
            "\\x1b[31m",
        ];
        assert_eq!(names(text), expected);
    }

    #[test]
    fn what_is_not_a_module_has_no_names() {
        assert!(of_code(b"").is_empty());
        assert!(of_code(b"not wasm").is_empty());
        let module = wat::parse_str("(module (func $a) (func $b))").expect("valid text");
        for length in 0..module.len() {
            assert!(of_code(&module[..length]).len() <= 2);
        }
    }

    #[test]
    fn long_names_are_cut() {
        let name = "n".repeat(1000);
        assert_eq!(
            names(&format!("(module (func ${name}))"))[0].len(),
            NAME_BYTES
        );
    }
}
