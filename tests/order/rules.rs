//! The rules, and who breaks them.

use crate::rooms::Room;
use crate::sources::{Import, Sources};
use std::collections::{BTreeMap, BTreeSet};

/// The room that a module belongs to.
pub fn room_of<'a>(rooms: &'a [Room], module: &str) -> Option<&'a Room> {
    let inside = rooms.iter().filter(|room| is_inside(module, room.module));
    inside.max_by_key(|room| room.module.len())
}

/// Whether a module is another one, or below it.
fn is_inside(module: &str, outer: &str) -> bool {
    let rest = module.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Imports that the rooms do not allow, one line for each.
///
/// A path through a `mod.rs` counts as one to that module; for the modules below it, it counts as one to the module that
/// declares the item. So a folder is one room for those outside, and can be several for those inside.
pub fn forbidden_imports(sources: &Sources, rooms: &[Room]) -> Vec<String> {
    let mut faults = Vec::new();
    for import in sources.imports() {
        let Import {
            from,
            line,
            written,
            ..
        } = &import;
        let path = &sources.0[from].path;
        let Some(room) = room_of(rooms, from) else {
            faults.push(format!(
                "{path}: the module {from} has no place in the order"
            ));
            continue;
        };
        let to = match is_inside(from, &import.through) || import.through.is_empty() {
            true => &import.to,
            false => &import.through,
        };
        let is_own = room_of(rooms, to).is_some_and(|other| other.module == room.module);
        if is_own || room.may_import.iter().any(|outer| is_inside(to, outer)) {
            continue;
        }
        let allowed = match room.may_import {
            [] => "nothing".to_owned(),
            modules => modules.join(", "),
        };
        faults.push(format!(
            "{path}:{line}: {written} is in {}, which {} must not import; it may import {allowed}",
            told(to),
            told(room.module)
        ));
    }
    faults
}

/// A module as messages name it.
fn told(module: &str) -> &str {
    match module {
        "" => "the crate's root",
        _ => module,
    }
}

/// Circles of files, one text for each with the imports that close it.
///
/// Re-exports are no imports here: who names a re-exported item imports from the file that declares it.
pub fn circles(sources: &Sources) -> Vec<String> {
    let imports = sources.imports();
    let imports: Vec<&Import> = imports
        .iter()
        .filter(|import| !import.is_re_export)
        .collect();
    let mut targets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in &imports {
        targets.entry(&import.from).or_default().insert(&import.to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = targets
        .keys()
        .map(|module| (*module, reached_from(&targets, module)))
        .collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|all| all.contains(to));
    let mut circles = BTreeMap::new();
    for import in imports {
        if reaches(&import.to, &import.from) {
            let same =
                |module: &&str| reaches(module, &import.from) && reaches(&import.from, module);
            let first = targets
                .keys()
                .copied()
                .find(same)
                .expect("the module itself");
            let file = |module: &str| &sources.0[module].path;
            let line = format!(
                "{}:{} imports from {}",
                file(&import.from),
                import.line,
                file(&import.to)
            );
            let circle: &mut Vec<String> = circles.entry(first).or_default();
            if !circle.contains(&line) {
                circle.push(line);
            }
        }
    }
    circles
        .into_values()
        .map(|lines| lines.join("\n  "))
        .collect()
}

fn reached_from<'a>(
    targets: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    module: &str,
) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = targets[module].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(targets.get(module).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::sources_of;

    const ROOMS: &[Room] = &[
        Room {
            module: "low",
            may_import: &[],
        },
        Room {
            module: "high",
            may_import: &["low"],
        },
        Room {
            module: "high::part",
            may_import: &["low"],
        },
    ];

    const ROOT: (&str, &str) = ("src/lib.rs", "mod low;\nmod high;");

    #[test]
    fn a_grouped_import_from_above_is_forbidden() {
        let low = "use std::fmt;\nuse crate::{\n    high::{High, other},\n};";
        let sources = sources_of(&[
            ROOT,
            ("src/low.rs", low),
            ("src/high.rs", "pub struct High;"),
        ]);
        let told = "src/low.rs:3: crate::high::High is in high, which low must not import; it may import nothing";
        assert_eq!(forbidden_imports(&sources, ROOMS)[0], told);
        let sources = sources_of(&[
            ROOT,
            ("src/high.rs", "use crate::{low::Low};"),
            ("src/low.rs", ""),
        ]);
        assert_eq!(forbidden_imports(&sources, ROOMS), Vec::<String>::new());
    }

    #[test]
    fn a_folder_can_have_rooms_of_its_own() {
        let part = "use super::High;\nfn f() { crate::high::g() }";
        let high = "mod part;\npub use part::f;\npub struct High;\npub fn g() { part::f() }";
        let sources = sources_of(&[
            ROOT,
            ("src/low.rs", ""),
            ("src/high/mod.rs", high),
            ("src/high/part.rs", part),
        ]);
        let faults = forbidden_imports(&sources, ROOMS);
        let told = [
            "src/high/mod.rs:2: part::f is in high::part, which high must not import; it may import low",
            "src/high/mod.rs:4: part::f is in high::part, which high must not import; it may import low",
            "src/high/part.rs:1: super::High is in high, which high::part must not import; it may import low",
            "src/high/part.rs:2: crate::high::g is in high, which high::part must not import; it may import low",
        ];
        assert_eq!(faults, told);
    }

    #[test]
    fn a_module_without_a_place_is_told() {
        let sources = sources_of(&[
            ("src/lib.rs", "mod low;\nmod new;"),
            ("src/low.rs", ""),
            ("src/new.rs", "use crate::low::x;"),
        ]);
        let told = "src/new.rs: the module new has no place in the order";
        assert_eq!(forbidden_imports(&sources, ROOMS), [told]);
    }

    #[test]
    fn circles_are_told_with_their_lines() {
        let files = [
            ("src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
            ("src/a.rs", "\nuse crate::b::B;"),
            ("src/b.rs", "use crate::c;"),
            ("src/c.rs", "fn f() -> super::a::A {}"),
            ("src/d.rs", "use crate::a::A;"),
        ];
        let told = "src/a.rs:2 imports from src/b.rs\n  src/b.rs:1 imports from src/c.rs\n  src/c.rs:1 imports from src/a.rs";
        assert_eq!(circles(&sources_of(&files)), [told]);
    }

    #[test]
    fn a_module_may_re_export_what_is_below_it() {
        let parent = ("src/lib.rs", "mod parent;");
        let child = ("src/parent/child.rs", "use super::Own;\npub struct Child;");
        let re_export = "mod child;\npub use child::Child;\npub struct Own;";
        let sources = sources_of(&[parent, child, ("src/parent/mod.rs", re_export)]);
        assert_eq!(circles(&sources), Vec::<String>::new());
        let import = "mod child;\nuse child::Child;\npub struct Own;";
        let sources = sources_of(&[parent, child, ("src/parent/mod.rs", import)]);
        assert_eq!(circles(&sources).len(), 1);
        // A re-export hides no circle.
        let through = "mod child;\nmod user;\npub use child::Child;";
        let child = ("src/parent/child.rs", "use super::user;\npub struct Child;");
        let user = ("src/parent/user.rs", "use super::Child;");
        let sources = sources_of(&[parent, child, user, ("src/parent/mod.rs", through)]);
        assert_eq!(circles(&sources).len(), 1);
    }
}
