//! What a child reports about itself, compared with what the system says of it.

use super::node::{Node, config, world};
use crate::setup::write_script;
use arwen::driver::{Blame, Driver, Fault, Mismatch, Sandbox, StartError};
use arwen::hooks::BlockchainHook;
use arwen::messages::{Format, PIN, PROTOCOL_VERSION, READ_AHEAD, TRACE};

const COUNTER: &str = include_str!("../../contracts/counter.wat");

/// A file of /proc about the child.
pub fn proc<H: BlockchainHook>(driver: &Driver<H>, file: &str) -> String {
    let id = driver.child_id().expect("it lives");
    std::fs::read_to_string(format!("/proc/{id}/{file}")).expect("it lives")
}

/// The soft and the hard limit of the child, as /proc writes them.
pub fn limit<H: BlockchainHook>(driver: &Driver<H>, name: &str) -> [String; 2] {
    let limits = proc(driver, "limits");
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    let mut words = line.expect("Linux has it").split_whitespace();
    [(); 2].map(|()| words.next().expect("a limit").to_owned())
}

#[test]
fn a_child_reports_what_is_in_force() {
    for format in [Format::PREFERRED, Format::Json] {
        let config = config().format(format).payload_limit_bytes(7_000_000);
        let mut node = Node::with_contract(config, COUNTER);
        let ready = node.driver.ready().expect("it reports");
        assert_eq!(ready.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(ready.build.len(), 16, "{}", ready.build);
        assert_eq!(ready.protocol_version, PROTOCOL_VERSION);
        assert_eq!(ready.capabilities, [READ_AHEAD, TRACE, PIN]);
        let limits = ready.limits.expect("it has limits");
        assert_eq!(limits.payload_bytes, 7_000_000);
        assert_eq!(limits.memory_pages, 65_536);
        assert_eq!(limits.stack_bytes, 100 << 20);
        let open_files = limits.open_files.to_string();
        assert_eq!(limit(&node.driver, "Max open files")[0], open_files);
        let addresses = match limits.address_space_bytes {
            0 => "unlimited".to_owned(),
            bytes => bytes.to_string(),
        };
        assert_eq!(limit(&node.driver, "Max address space")[0], addresses);

        assert_eq!(ready.sandbox_mode, "best-effort");
        let names = ready.sandbox.iter().map(|layer| layer.name.as_str());
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["environment", "limits", "landlock", "seccomp"]);
        let seccomp = proc(&node.driver, "status").contains("Seccomp:\t2\n");
        assert_eq!(ready.sandbox[3].in_force, seccomp);
        assert_eq!(node.call("increment").return_data, [&[1][..]]);
        assert_eq!(node.driver.ready(), Some(ready));
    }
}

/// Also from other threads; and there is no report of a child that is gone.
#[test]
fn the_report_is_that_of_the_current_child() {
    let mut node = Node::with_contract(config().sandbox(Sandbox::Off), COUNTER);
    let handle = node.driver.handle();
    let ready = handle.ready().expect("it reports");
    let reported = (ready.sandbox_mode.as_str(), ready.sandbox.len());
    assert_eq!(reported, ("off", 0));
    node.driver.close();
    assert_eq!(handle.ready(), None);
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
    assert_eq!(handle.ready(), Some(ready));
    drop(node);
    assert_eq!(handle.ready(), None);
}

/// A node with a small limit of payloads is served as before.
#[test]
fn a_report_that_is_too_long_for_the_node_is_left_out() {
    let node = Node::with_contract(config().payload_limit_bytes(200), COUNTER);
    assert_eq!(node.driver.ready(), None);
    assert!(node.driver.child_id().is_some());
}

#[test]
fn a_real_child_that_is_not_what_is_required_is_refused() {
    let refused = |config| {
        let error = Driver::new(config, world()).expect_err("not what is required");
        assert_eq!(error.blame(), Blame::Setup, "{error}");
        assert!(error.exit.is_some(), "the child is gone");
        match error.fault {
            Fault::Start(StartError::Mismatch(mismatch)) => mismatch,
            other => panic!("{other}"),
        }
    };
    let required = PROTOCOL_VERSION + 1;
    let reported = Some(PROTOCOL_VERSION);
    let mismatch = Mismatch::ProtocolVersion { required, reported };
    assert_eq!(
        refused(config().require_protocol_version(required)),
        mismatch
    );
    let config_of_this = config().require_protocol_version(PROTOCOL_VERSION);
    let mut node = Node::with_contract(config_of_this, COUNTER);
    assert_eq!(node.call("increment").return_data, [&[1][..]]);

    // A program between the driver and the child that drops what the driver asks for.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("arwen");
    let child = env!("CARGO_BIN_EXE_arwen");
    write_script(&path, &format!("ARWEN_SANDBOX=off exec '{child}'"));
    let config = config().binary(path).sandbox(Sandbox::Required);
    let reported = "has no layer: off".to_owned();
    assert_eq!(refused(config), Mismatch::Sandbox { reported });
}
