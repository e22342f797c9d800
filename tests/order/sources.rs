//! The files of src/ that are not tests, found by their `mod` declarations, and which of them imports from which.

use crate::tokens::{self, Contents, Named};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The programs. Their modules stand below `bin`, beside those of the library.
const PROGRAMS: [&str; 2] = ["arwen", "arwendebug"];

/// The module of the root that shows the others to the programs, tests and benches.
const INTERNAL: &str = "internal";

/// A module with a file of its own.
#[derive(Debug, Default)]
pub struct SourceFile {
    /// From the root of the project, with `/`.
    pub path: String,
    /// How many lines it has that are not tests.
    pub lines: usize,
    /// What it says of others.
    pub contents: Contents,
}

/// All files by their modules: `vm::eei::call`. The crate's root is the empty text.
#[derive(Debug, Default)]
pub struct Sources(pub BTreeMap<String, SourceFile>);

/// A module names something of another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The module that imports.
    pub from: String,
    /// The line of its file.
    pub line: usize,
    /// What it names, as it is written.
    pub written: String,
    /// The module that the path leads to.
    pub through: String,
    /// The module that declares the item: another one if that module only re-exports it.
    pub to: String,
    /// Whether it is itself a re-export.
    pub is_re_export: bool,
}

/// Where a file is, without `.rs`, that the file `from` names by an attribute.
fn at_path(from: &str, named: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in named.trim_end_matches(".rs").split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Sources {
    /// Those of this project.
    pub fn of_the_project() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Sources::read(&|path| fs::read_to_string(root.join(path)).ok())
    }

    /// Those that `file` has: the text at a path, or none.
    pub fn read(file: &dyn Fn(&str) -> Option<String>) -> Sources {
        let mut sources = Sources::default();
        let root = file("src/lib.rs").expect("a library");
        sources.add(file, "src/lib.rs", &root, "", "src");
        for program in PROGRAMS {
            let folder = format!("src/bin/{program}");
            for path in [format!("{folder}.rs"), format!("{folder}/main.rs")] {
                if let Some(text) = file(&path) {
                    sources.add(file, &path, &text, &format!("bin::{program}"), &folder);
                }
            }
        }
        sources
    }

    /// Adds a file, and the modules that it declares: they stand in `folder`.
    fn add(
        &mut self,
        file: &dyn Fn(&str) -> Option<String>,
        path: &str,
        text: &str,
        module: &str,
        folder: &str,
    ) {
        let contents = tokens::read(text);
        for declared in contents.declared.iter().filter(|module| !module.for_tests) {
            let inner = match &declared.path {
                None => format!("{folder}/{}", declared.name),
                Some(named) => at_path(path, named),
            };
            let candidates = [format!("{inner}.rs"), format!("{inner}/mod.rs")];
            let found = candidates.iter().find_map(|path| Some((path, file(path)?)));
            let (path, text) =
                found.unwrap_or_else(|| panic!("{path}: no file for module {}", declared.name));
            self.add(file, path, &text, &joined(module, &declared.name), &inner);
        }
        let source = SourceFile {
            path: path.to_owned(),
            lines: text.lines().count() - contents.test_lines,
            contents,
        };
        self.0.insert(module.to_owned(), source);
    }

    /// What modules name of other modules.
    pub fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        for (module, file) in &self.0 {
            for named in &file.contents.named {
                let Some((through, to)) = self.lead(module, named, 0) else {
                    continue;
                };
                if to != *module {
                    imports.push(Import {
                        from: module.clone(),
                        line: named.line,
                        written: named.segments.join("::"),
                        through,
                        to,
                        is_re_export: named.re_exported_as.is_some(),
                    });
                }
            }
        }
        imports
    }

    /// The module that a path leads to, and the one that declares what it names; none for what is not of this crate.
    fn lead(&self, module: &str, named: &Named, depth: usize) -> Option<(String, String)> {
        assert!(depth < 20, "{module}: {named:?} is re-exported in a circle");
        let path = self.absolute(module, named)?;
        // The longest part of the path that is a file.
        let known = (0..=path.len())
            .rev()
            .find(|length| self.0.contains_key(&path[..*length].join("::")))?;
        let owner = path[..known].join("::");
        let declaring = match path.get(known) {
            Some(name) => self.declaring(&owner, name, depth),
            None => owner.clone(),
        };
        Some((owner, declaring))
    }

    /// The module that declares the item `name` of a module.
    fn declaring(&self, owner: &str, name: &str, depth: usize) -> String {
        let contents = &self.0[owner].contents;
        let re_exports = |wanted: &str| {
            let all = contents.named.iter();
            let matching = all.filter(|named| named.re_exported_as.as_deref() == Some(wanted));
            matching.collect::<Vec<_>>()
        };
        if contents.items.contains(name) {
            return owner.to_owned();
        }
        if let Some(named) = re_exports(name).first() {
            let lead = self.lead(owner, named, depth + 1);
            return lead.map_or_else(|| owner.to_owned(), |(_, to)| to);
        }
        let globs = re_exports("*").into_iter();
        let mut targets = globs.filter_map(|glob| Some(self.lead(owner, glob, depth + 1)?.0));
        let declaring = targets.find(|target| self.0[target].contents.items.contains(name));
        declaring.unwrap_or_else(|| owner.to_owned())
    }

    /// A path from the crate's root; none for one that leads elsewhere.
    fn absolute(&self, module: &str, named: &Named) -> Option<Vec<String>> {
        let is_program = module.starts_with("bin::");
        let mut at: Vec<String> = split(module).chain(named.within.iter().cloned()).collect();
        let mut segments = named.segments.iter().peekable();
        match segments.peek()?.as_str() {
            "crate" => {
                at.truncate(if is_program { 2 } else { 0 });
                segments.next();
            }
            "arwen" if is_program => {
                at.clear();
                segments.next();
            }
            "self" => {
                segments.next();
            }
            "super" => {
                while segments.next_if(|segment| *segment == "super").is_some() {
                    at.pop()?;
                }
            }
            first => {
                // A child module; otherwise an external crate, or something that a `use` names.
                let child = joined(&at.join("::"), first);
                if !self.0.contains_key(&child) {
                    return None;
                }
            }
        }
        at.extend(segments.cloned());
        // What is below it is what the root has.
        if at.first().is_some_and(|first| first == INTERNAL) {
            at.remove(0);
        }
        Some(at)
    }
}

fn split(module: &str) -> impl Iterator<Item = String> {
    let parts = module.split("::").filter(|part| !part.is_empty());
    parts.map(str::to_owned)
}

fn joined(module: &str, name: &str) -> String {
    match module {
        "" => name.to_owned(),
        _ => format!("{module}::{name}"),
    }
}

/// Those of these files.
#[cfg(test)]
pub fn sources_of(files: &[(&str, &str)]) -> Sources {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    Sources::read(&|path| files.get(path).map(|text| (*text).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Vec<String> {
        let sources = sources_of(files);
        let imports = sources.imports().into_iter();
        imports
            .map(|import| {
                let Import {
                    from,
                    line,
                    through,
                    to,
                    ..
                } = import;
                format!("{from}:{line} {through} {to}")
            })
            .collect()
    }

    const ROOT: (&str, &str) = ("src/lib.rs", "mod low;\npub mod high;");
    const LOW: (&str, &str) = ("src/low.rs", "pub struct Low;");

    #[test]
    fn every_way_to_name_a_module_is_found() {
        for high in [
            "use crate::low::Low;",
            "use crate::{low::Low, low};",
            "use std::{fmt, io};\nuse crate::{\n    low::{self, Low},\n};",
            "use super::low;",
            "fn f() { crate::low::f() }",
            "fn f() -> [crate::low::Low; 2] {}",
            "macro_rules! m { () => { $crate::low::Low }; }",
            "const X: u8 = m!(crate::low::X);",
            "use crate::internal::low::Low;",
            "mod inner { use super::super::low::Low; }",
        ] {
            let found = imports(&[ROOT, LOW, ("src/high.rs", high)]);
            assert!(!found.is_empty(), "{high}");
            assert!(
                found.iter().all(|import| import.ends_with(" low low")),
                "{high}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_no_import_is_not_found() {
        for high in [
            "// use crate::low::Low;\nconst TEXT: &str = \"crate::low\";",
            "#[cfg(test)]\nmod tests { use crate::low::Low; }",
            "#[cfg(test)]\nuse crate::low::Low;",
            "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;",
            "use std::low::Low;\nuse low::Low;",
            "fn f() { self.low::<u8>() }",
            "pub(in crate::low) struct High;",
        ] {
            let found = imports(&[ROOT, LOW, ("src/high.rs", high)]);
            assert_eq!(found, Vec::<String>::new(), "{high}");
        }
    }

    #[test]
    fn re_exports_lead_to_the_file_that_declares() {
        let files = [
            ("src/lib.rs", "mod user;\nmod room;"),
            (
                "src/user.rs",
                "use crate::room::Item;\nuse crate::room::{Glob};\nuse crate::room::Own;",
            ),
            (
                "src/room/mod.rs",
                "mod child;\nmod other;\npub use child::{Thing as Item};\npub use other::*;\npub struct Own;",
            ),
            ("src/room/child.rs", "pub struct Thing;"),
            ("src/room/other.rs", "pub enum Glob {}"),
        ];
        let from_user: Vec<_> = imports(&files)
            .into_iter()
            .filter(|import| import.starts_with("user"))
            .collect();
        assert_eq!(
            from_user,
            [
                "user:1 room room::child",
                "user:2 room room::other",
                "user:3 room room"
            ]
        );
    }

    #[test]
    fn lines_of_tests_are_not_counted() {
        let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let sources = sources_of(&[("src/lib.rs", text)]);
        assert_eq!(sources.0[""].lines, 2);
    }
}
