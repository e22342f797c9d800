use super::*;
use crate::gas_schedule::flat_gas_schedule;
use crate::messages::GasSectionEntry;
use crate::scenario::{ScenarioReport, Settings, Suite, in_process};
use crate::tool::world::Action;
use crate::tool::{Machines, RunParts, address, read_code};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

struct Bench {
    folder: tempfile::TempDir,
    gas_schedule: Vec<GasSectionEntry>,
    session: Session,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let session = Session {
            database: Database::new(folder.path()),
            world: "w".to_owned(),
            outcome: None,
            scenario: None,
            gas_files: GasFiles::default(),
        };
        Bench {
            folder,
            gas_schedule: flat_gas_schedule(1, 100_000),
            session,
        }
    }

    fn account(&self, name: &str, balance: u32) {
        let address = address(name).expect("a name");
        let made = self
            .session
            .create_account(&address, 0, balance.into(), false);
        made.expect("an account");
    }

    fn request(&self, from: &str, action: Action) -> Request {
        Request {
            from: address(from).expect("a name"),
            value: 0u8.into(),
            gas_limit: 1_000_000,
            gas_price: 0,
            action,
        }
    }

    fn transact(&self, request: &Request) -> Result<Performed, ToolError> {
        self.session.transact(request, self.environment())
    }

    fn environment(&self) -> Environment<'_> {
        Environment {
            machines: &Machines::InProcess,
            idle: None,
            gas_schedule: &self.gas_schedule,
            recorded: None,
        }
    }

    fn deploy(&self, from: &str, contract: &str) -> Performed {
        let performed = self.transact(&self.request(from, deploy(contract)));
        let performed = performed.expect("an output");
        assert!(performed.is_ok(), "{}", performed.output.return_message);
        performed
    }

    /// Runs the scenario of what was done.
    fn replay(&self) -> Result<(), String> {
        let file = self.folder.path().join("replay.scen.json");
        self.session
            .export(&file)
            .map_err(|error| error.to_string())?;
        let settings = Settings {
            protected_prefix: b"KALYAN3104",
            replacements: &BTreeMap::new(),
            gas_schedule: &self.gas_schedule,
            machines: &in_process,
            recorded: None,
        };
        let suite = Suite::find(&[file]).expect("there");
        let mut told = Ok(());
        suite.run(settings, NonZeroUsize::MIN, |report: &ScenarioReport| {
            if report.failure.is_some() {
                told = Err(report.to_string());
            }
            ControlFlow::Continue(())
        });
        told
    }
}

fn deploy(contract: &str) -> Action {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/contracts")
        .join(contract);
    Action::Deploy {
        code: read_code(&path).expect("a contract").wasm,
        metadata: Bytes::from_static(&[1, 0]),
        arguments: vec![],
    }
}

fn call(contract: &str, function: &str) -> Action {
    Action::Call {
        contract: address(contract).expect("a name"),
        function: function.to_owned(),
        arguments: vec![],
    }
}

#[test]
fn what_is_done_to_a_world_stays() {
    let bench = Bench::new();
    bench.account("alice", 100);
    let deployed = bench.deploy("alice", "counter.wat");
    assert_eq!(deployed.contract, address("contract0").expect("a name"));
    let increment = bench.request("alice", call("contract0", "increment"));
    for expected in [2u8, 3] {
        let performed = bench.transact(&increment).expect("an output");
        assert_eq!(performed.output.return_data, [vec![expected]]);
        assert_eq!(performed.changes.len(), 2, "{:?}", performed.changes);
    }
    let get = bench.request("nobody", call("contract0", "get"));
    for _ in 0..2 {
        let performed = bench
            .session
            .query(&get, bench.environment())
            .expect("an output");
        assert_eq!(performed.output.return_data, [vec![3u8]]);
    }
    let alice = address("alice").expect("a name");
    assert_eq!(bench.session.account(&alice).expect("there").nonce, 3);
    let contract = bench.session.account(&deployed.contract).expect("there");
    assert_eq!(
        (contract.owner, contract.code_metadata),
        (alice, vec![1, 0].into())
    );
    bench.replay().expect("the scenario passes");
}

#[test]
fn a_failed_contract_costs_gas_and_is_explained() {
    let bench = Bench::new();
    bench.account("alice", 3_000_000);
    bench.deploy("alice", "counter.wat");
    let mut request = bench.request("alice", call("contract0", "nothing"));
    request.gas_price = 2;
    let performed = bench.transact(&request).expect("an output");
    assert_eq!(performed.code_text(), "function not found (code 1)");
    assert_eq!(
        performed.advice().as_deref(),
        Some("contract0 has: increment, decrement, get")
    );
    let alice = bench.session.account(&request.from).expect("there");
    assert_eq!((alice.nonce, alice.balance), (2, 1_000_000.into()));
    // Now the gas is more than it has.
    let error = bench.transact(&request).expect_err("too poor").to_string();
    assert!(
        error.starts_with("alice has 1000000 and can't pay 2000000"),
        "{error}"
    );
    assert_eq!(
        bench.session.account(&request.from).expect("there").nonce,
        2
    );
    request.gas_price = 0;
    request.gas_limit = 10;
    let performed = bench.transact(&request).expect("an output");
    assert_eq!(performed.code_text(), "out of gas (code 5)");
    request.value = 1_000_001u32.into();
    let performed = bench.transact(&request).expect("an output");
    assert_eq!(performed.code_text(), "out of funds (code 7)");
    bench.replay().expect("the scenario passes");
}

#[test]
fn senders_and_contracts_must_be_there() {
    let bench = Bench::new();
    let request = bench.request("alice", call("bob", "f"));
    let error = bench.transact(&request).expect_err("no sender").to_string();
    assert!(error.starts_with("there is no account alice: "), "{error}");
    bench.account("alice", 0);
    let error = bench
        .transact(&request)
        .expect_err("no recipient")
        .to_string();
    assert!(error.starts_with("there is no account bob: "), "{error}");
    bench.account("bob", 0);
    let error = bench.transact(&request).expect_err("no code").to_string();
    assert!(error.starts_with("the account bob has no code"), "{error}");
    // Nothing of this has changed the world.
    assert_eq!(
        bench.session.account(&request.from).expect("there").nonce,
        0
    );
    bench.replay().expect("the scenario passes");
}

#[test]
fn every_contract_gets_an_address_of_its_own() {
    let bench = Bench::new();
    for name in ["alice", "bob"] {
        bench.account(name, 0);
    }
    let addresses =
        ["alice", "bob", "alice", "bob"].map(|from| bench.deploy(from, "counter.wat").contract);
    let names = addresses.map(|address| crate::tool::address_text(&address));
    assert_eq!(names, ["contract0", "contract1", "contract2", "contract3"]);
    // An account that begins anew has nonces that it had before.
    let alice = address("alice").expect("a name");
    let error = bench.session.create_account(&alice, 0, 0u8.into(), false);
    assert!(matches!(error, Err(ToolError::AccountExists { .. })));
    bench
        .session
        .create_account(&alice, 0, 5u8.into(), true)
        .expect("replaced");
    let again = bench.deploy("alice", "counter.wat");
    assert_eq!(again.contract, address("contract4").expect("a name"));
    bench.replay().expect("the scenario passes");
}

#[test]
fn an_upgrade_keeps_the_storage() {
    let bench = Bench::new();
    bench.account("alice", 0);
    bench.deploy("alice", "counter.wat");
    let Action::Deploy { code, metadata, .. } = deploy("adder.wat") else {
        panic!("a deploy");
    };
    let upgrade = Action::Upgrade {
        contract: address("contract0").expect("a name"),
        code: code.clone(),
        metadata,
        arguments: vec![Bytes::from_static(&[7])],
    };
    let performed = bench
        .transact(&bench.request("alice", upgrade))
        .expect("an output");
    assert!(performed.is_ok(), "{}", performed.output.return_message);
    let contract = bench.session.account(&performed.contract).expect("there");
    assert_eq!(contract.code, code);
    assert!(!contract.storage_value(b"COUNTER").is_empty());
    bench.replay().expect("the scenario passes");
}

#[test]
fn a_text_that_scenarios_do_not_have_begins_a_new_history() {
    let bench = Bench::new();
    bench.account("alice", 0);
    bench.deploy("alice", "counter.wat");
    let performed = bench.transact(&bench.request("alice", call("contract0", "say \"hi\"")));
    assert!(!performed.expect("an output").is_ok());
    bench.replay().expect("the scenario passes");
    let increment = bench.request("alice", call("contract0", "increment"));
    assert!(bench.transact(&increment).expect("an output").is_ok());
    bench.replay().expect("the scenario passes");
}

#[test]
fn nothing_is_changed_if_something_can_not_be_written() {
    let mut bench = Bench::new();
    bench.account("alice", 0);
    bench.deploy("alice", "counter.wat");
    let before = bench.session.accounts().expect("there");
    let increment = bench.request("alice", call("contract0", "increment"));
    bench.session.outcome = Some("/nowhere/x.json".to_owned());
    assert!(matches!(
        bench.transact(&increment),
        Err(ToolError::Unwritable { .. })
    ));
    bench.session.outcome = Some("x".to_owned());
    bench.session.scenario = Some("/nowhere/x.scen.json".into());
    assert!(matches!(
        bench.transact(&increment),
        Err(ToolError::Unwritable { .. })
    ));
    assert_eq!(bench.session.accounts().expect("there"), before);
    assert!(!bench.folder.path().join("out/x.json").exists());
    bench.session.scenario = None;
    bench.transact(&increment).expect("an output");
    let outcome = fs::read(bench.folder.path().join("out/x.json")).expect("written");
    let outcome: serde_json::Value = serde_json::from_slice(&outcome).expect("JSON");
    assert_eq!(outcome["Error"], serde_json::Value::Null);
    assert_eq!(outcome["Output"]["ReturnData"][0], "Ag==");
    assert_eq!(outcome["Input"]["GasProvided"], 1_000_000);
}

#[test]
fn shown_texts_say_what_happened() {
    let bench = Bench::new();
    bench.account("alice", 0);
    let deployed = bench.deploy("alice", "counter.wat");
    let text = show::performed_text(&deployed);
    for line in [
        "deploy: ok\n",
        "  contract  contract0 (0x636f6e747261637430",
        "  changed   contract0[0x434f554e544552 ``COUNTER ",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&show::performed_json(&deployed, RunParts::default()))
            .expect("JSON");
    assert_eq!(json["ok"], true);
    assert_eq!(json["contractName"], "contract0");
    let failed = bench
        .transact(&bench.request("alice", call("contract0", "no\u{1b}")))
        .expect("an output");
    let text = show::performed_text(&failed);
    assert!(
        text.starts_with("no\\u{1b}: failed: function not found (code 1)\n  message   "),
        "{text}"
    );
    assert!(text.contains("\n  next      contract0 has: "), "{text}");
    let json: serde_json::Value =
        serde_json::from_slice(&show::performed_json(&failed, RunParts::default())).expect("JSON");
    assert_eq!(
        (&json["ok"], &json["returnCodeName"]),
        (&false.into(), &"function not found".into())
    );
    let accounts = bench.session.accounts().expect("there");
    let text = show::accounts_text(&accounts);
    assert!(
        text.contains("\ncontract0 ") || text.starts_with("alice "),
        "{text}"
    );
    let contract = show::account_text(&deployed.contract, &accounts[&deployed.contract]);
    assert!(
        contract.contains("  functions init, increment, decrement, get\n"),
        "{contract}"
    );
    assert!(contract.contains("  owner     alice (0x"), "{contract}");
}
