//! Nodes that are killed: no child of theirs stays (row F13 of docs/reliability.md).
//!
//! `ARWEN_NODE_KILLS=2000 cargo test --release --test driver orphans -- --nocapture` kills so many.

use super::node::{Node, call_input, config, deploy_input, wasm};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ENDLESS: &str = r#"(module (memory (export "memory") 1)
    (func (export "spin") (loop (br 0))))"#;

/// Set in a process that is a node: what its child is busy with.
const BUSY_WITH: &str = "ARWEN_TEST_NODE";

/// What a child may be busy with when its node is killed.
const WORK: [&str; 3] = ["a contract", "the compiler", "nothing"];

/// Nodes that run, and are killed, at the same time.
const AT_ONCE: usize = 4;

/// How long a child may outlive its node.
const LONGEST: Duration = Duration::from_secs(1);

/// Not a test, but the node that the other one kills.
#[test]
fn a_node_when_told_so() {
    let Ok(work) = std::env::var(BUSY_WITH) else {
        return;
    };
    let mut config = config();
    config.max_loop_time = Duration::from_secs(60);
    let mut node = Node::with_contract(config, ENDLESS);
    println!("child {}", node.driver.child_id().expect("it lives"));
    match work.as_str() {
        "a contract" => drop(node.driver.call(call_input("spin", u64::MAX))),
        "the compiler" => {
            for number in 0.. {
                let outcome = node.driver.deploy(deploy_input(wasm(&much_code(number))));
                outcome.expect("it lives").expect("an output");
            }
        }
        _ => std::thread::sleep(Duration::from_secs(60)),
    }
}

/// A contract that keeps the compiler busy for a while, and that no process has seen.
fn much_code(number: u32) -> String {
    let function = |index: u32| {
        format!(
            "(func (param i64) (result i64) (i64.mul (i64.add (local.get 0) (i64.const {number})) (i64.const {index})))"
        )
    };
    let functions: String = (0..400).map(function).collect();
    format!(r#"(module (memory (export "memory") 1) {functions} (func (export "init")))"#)
}

/// Starts a node. Returns it, and the id of its child.
fn node(work: &str) -> (Child, u32) {
    let tests = std::env::current_exe().expect("it has a path");
    let mut node = Command::new(tests)
        .args([
            "--exact",
            "real::orphans::a_node_when_told_so",
            "--nocapture",
        ])
        .env(BUSY_WITH, work)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started once more");
    let lines = BufReader::new(node.stdout.take().expect("a pipe")).lines();
    let said = lines.map_while(Result::ok).find_map(|line| {
        let (_, id) = line.split_once("child ")?;
        id.parse().ok()
    });
    (node, said.expect("it says what its child is"))
}

fn is_alive(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
    state.is_some_and(|state| state != b'Z')
}

#[test]
fn no_child_outlives_a_killed_node_by_a_second() {
    let kills = std::env::var("ARWEN_NODE_KILLS").map_or(24, |kills| {
        kills.parse().expect("ARWEN_NODE_KILLS is a number")
    });
    let mut killed = 0;
    let mut longest = Duration::ZERO;
    while killed < kills {
        let work = |index| WORK[(killed + index) % WORK.len()];
        let mut nodes: Vec<_> = (0..AT_ONCE).map(|index| node(work(index))).collect();
        // At another moment of the work each time.
        std::thread::sleep(Duration::from_millis((killed as u64 * 7) % 50));
        for (node, child) in &mut nodes {
            assert!(is_alive(*child));
            node.kill().expect("it lives");
        }
        let start = Instant::now();
        for (mut node, child) in nodes {
            node.wait().expect("it is a child of this process");
            while is_alive(child) {
                assert!(start.elapsed() < LONGEST, "{child} outlives its node");
                std::thread::sleep(Duration::from_millis(5));
            }
            killed += 1;
        }
        longest = longest.max(start.elapsed());
    }
    println!(
        "{killed} nodes killed, children left after {LONGEST:?}: 0; the last one was gone after {longest:?}"
    );
}
