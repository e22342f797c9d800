//! The order of src/: what each module may import. Lower modules never import upper ones, and no two files import from each
//! other, not even through others.

mod errors;
mod log_lines;
mod rooms;
mod rules;
mod sources;
mod tokens;

use rooms::ROOMS;
use sources::Sources;
use std::collections::BTreeMap;

/// No room has more of src/ than this, in percent of the lines that are not tests.
const LARGEST_SHARE: usize = 30;

/// Modules that only tests and fuzz targets have. They count neither as rooms nor as a part of src/.
const FOR_TESTS: [&str; 3] = ["fuzzing", "vm::fixtures", "vm::fuzzing"];

#[test]
fn lower_modules_never_import_upper_ones() {
    let sources = Sources::of_the_project();
    let imports = sources.imports().len();
    assert!(imports > 500, "only {imports} imports were found");
    let faults = rules::forbidden_imports(&sources, ROOMS);
    assert!(
        faults.is_empty(),
        "against the order in tests/order/rooms.rs:\n{}",
        faults.join("\n")
    );
}

#[test]
fn no_files_import_in_a_circle() {
    let circles = rules::circles(&Sources::of_the_project());
    assert!(
        circles.is_empty(),
        "circles of files:\n{}",
        circles.join("\n")
    );
}

/// What a room may import stands before it, so the table itself has no circle. A folder with rooms inside may import those.
#[test]
fn the_table_is_an_order() {
    for (index, room) in ROOMS.iter().enumerate() {
        let below = &ROOMS[..index];
        for module in room.may_import {
            let known = below.iter().any(|lower| lower.module == *module) || *module == room.module;
            let folder = below
                .iter()
                .any(|lower| lower.module.starts_with(&format!("{module}::")));
            assert!(
                known || folder,
                "{} may import {module}, which is not below it",
                room.module
            );
        }
    }
}

#[test]
fn every_room_is_there() {
    let sources = Sources::of_the_project();
    for room in ROOMS {
        let is_there = sources.0.keys().any(|module| {
            rules::room_of(ROOMS, module).is_some_and(|found| found.module == room.module)
        });
        assert!(is_there, "{} is no module", room.module);
    }
}

/// A room for this is a folder or file of src/, with all below it.
#[test]
fn no_room_has_a_third_of_the_house() {
    let sources = Sources::of_the_project();
    let mut rooms: BTreeMap<&str, usize> = BTreeMap::new();
    for (module, file) in &sources.0 {
        if !FOR_TESTS.iter().any(|outer| module.starts_with(outer)) {
            let room = module.split("::").next().unwrap_or_default();
            *rooms.entry(room).or_default() += file.lines;
        }
    }
    let all: usize = rooms.values().sum();
    let (largest, lines) = rooms
        .iter()
        .max_by_key(|(_, lines)| **lines)
        .expect("rooms");
    let share = 100 * lines / all;
    println!("{largest} has {lines} of {all} lines that are not tests: {share} %");
    assert!(all > 20_000, "only {all} lines were found");
    assert!(
        share < LARGEST_SHARE,
        "{largest} has {share} % of src/, {rooms:?}"
    );
}
