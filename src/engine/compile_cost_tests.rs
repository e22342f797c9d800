//! What makes code expensive, and that usual code is not.

use super::*;
use crate::engine::instrument::instrument;
use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::validation::validate;

fn cost(text: &str) -> u64 {
    let code = wat::parse_str(text).expect("the test's text is right");
    let table = crate::vm::eei::import_table();
    let validated = validate(&code, table).expect("it is valid");
    let costs = OpcodeCosts::from_map(|_| 1);
    let module = instrument(&validated, table, &costs).expect("it can be instrumented");
    nanoseconds(&module.bytes)
}

fn function(locals: usize, body: &str) -> u64 {
    let locals = "i32 ".repeat(locals);
    cost(&format!(
        "(module (memory 1) (func (param i32) (local {locals}) {body}))"
    ))
}

/// The contracts of the project's tests are 20 milliseconds at most.
#[test]
fn usual_contracts_are_cheap() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contracts");
    let mut contracts = 0;
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let cost = cost(&text);
            assert!(cost < MOST_NANOSECONDS / 50, "{}: {cost}", path.display());
            contracts += 1;
        }
    }
    assert!(contracts >= 3, "{contracts} contracts");
}

#[test]
fn usual_code_costs_in_proportion_to_its_length() {
    let line = "(local.set 1 (i32.add (local.get 1) (local.get 0)))";
    let [short, long] = [100, 10_000].map(|lines| function(3, &line.repeat(lines)));
    assert!(
        long > 90 * short && long < 110 * short,
        "{short} and {long}"
    );
}

/// Twice as many of what is merged costs four times as much, whichever is doubled.
#[test]
fn merges_cost_their_square() {
    let loops = |loops: usize, locals: usize| {
        let sets: String = (1..=locals)
            .map(|local| format!("(local.set {local} (local.get 0))"))
            .collect();
        let body = ["loop ".repeat(loops), sets, "end ".repeat(loops)];
        function(locals, &body.concat())
    };
    let base = loops(40, 100);
    for doubled in [loops(80, 100), loops(40, 200)] {
        assert!(
            doubled > 3 * base && doubled < 6 * base,
            "{base} and {doubled}"
        );
    }
}

#[test]
fn each_cause_has_its_price() {
    let usual = function(100, "");
    let blocks =
        |inner: &str, count| format!("(block {inner} (br_if 0 (local.get 0)))").repeat(count);
    let set = |local: usize| format!("(local.set {local} (i32.load (local.get 0)))");
    let get = |local: usize| format!("(drop (local.get {local}))");
    let all = |each: &dyn Fn(usize) -> String| (1..=100).map(each).collect::<String>();
    let kept = format!("{}{}{}", all(&set), blocks("nop", 300), all(&get));
    // Without reading them at the end, nothing is kept.
    let dropped = format!("{}{}", all(&set), blocks("nop", 300));
    assert!(function(100, &kept) > 10 * function(100, &dropped));
    let table = format!("(block (br_table {} (local.get 0)))", "0 ".repeat(5_000));
    assert!(function(100, &table) > usual + 5_000 * 3_000);
    let parameters = "i32 ".repeat(1_000);
    let types = format!("(type (func (param {parameters})))").repeat(30);
    assert!(cost(&format!("(module {types})")) > MOST_NANOSECONDS / 2);
    let many = "(func)".repeat(10_000);
    assert!(cost(&format!("(module {many})")) > MOST_NANOSECONDS / 5);
}

/// The count ends early: two megabytes take no longer than a few hundred kilobytes.
#[test]
fn counting_ends_once_it_is_known() {
    let line = "(local.set 1 (i32.add (local.get 1) (local.get 0)))";
    let function = format!("(func (param i32) (local i32 i32) {})", line.repeat(10_000));
    let cost = cost(&format!("(module {})", function.repeat(20)));
    assert!(
        cost > MOST_NANOSECONDS && cost < MOST_NANOSECONDS * 2,
        "{cost}"
    );
}

#[test]
fn bytes_that_are_no_module_cost_nothing() {
    assert_eq!(nanoseconds(b"no module"), 0);
}
