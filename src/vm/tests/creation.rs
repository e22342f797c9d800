//! Contracts that deploy contracts, and upgrades, to the unit of gas (docs/spec/host.md#runs, #indirect-deploy,
//! docs/spec/gas.md#deductions, #nested-gas).

use super::texts::*;
use crate::messages::VmInput;
use crate::vm::fixtures::*;
use bytes::Bytes;

fn length(functions: &str) -> u64 {
    contract(functions).len() as u64
}

/// Deploys argument 0 with the value 5 and an argument of two bytes.
fn creator(call: &str) -> String {
    format!(
        r#"(data (i32.const 543) "\05") (data (i32.const 600) "\02") (data (i32.const 610) "hi")
        (func (export "f") (local $length i32) {READ_CODE} {})"#,
        status(call)
    )
}

fn create_with_argument() -> String {
    CREATE.replace(
        "(i32.const 0) (i32.const 0) (i32.const 0))",
        "(i32.const 1) (i32.const 600) (i32.const 610))",
    )
}

/// As `CREATE`, in the other namespace.
const ETH_CREATE: &str =
    "(call $eth.create (i32.const 512) (i32.const 2000) (local.get $length) (i32.const 0))";

/// Tells its caller, its arguments, and the creator's function.
const CHILD: &str = r#"(func (export "init")
    (call $getCaller (i32.const 0)) (call $finish (i32.const 0) (i32.const 32))
    (call $int64finish (i64.extend_i32_s (call $getNumArguments)))
    (call $finish (i32.const 100) (call $getFunction (i32.const 100))))"#;

#[test]
fn a_contract_gives_its_child_value_and_arguments() {
    on_each_engine(|bench| {
        let child = contract(CHILD);
        for (call, arguments, metadata) in [
            (create_with_argument(), 1, &[1, 0][..]),
            (ETH_CREATE.to_owned(), 0, &[]),
        ] {
            let output = bench.run(&creator(&call), "f", &[&child]);
            assert_eq!(end(&output), (0, ""), "{call}");
            let arguments = if arguments == 0 {
                vec![]
            } else {
                vec![arguments]
            };
            assert_eq!(
                output.return_data,
                [address("self"), arguments.into(), "f".into(), Bytes::new()]
            );
            let new = account(&output, "new0");
            assert_eq!((&new.code, &new.code_metadata[..]), (&child, metadata));
            // Big-endian in both namespaces.
            assert_eq!(new.balance_delta, Some(5u64.into()));
            assert_eq!(account(&output, "self").balance_delta, Some((-5i64).into()));
            assert_eq!(
                bench.world().calls,
                ["account(self)", "new_address(self)", "account(self)"]
            );
        }
    });
}

#[test]
fn a_child_costs_its_code_and_what_it_uses() {
    let costs = [
        ("CreateContract", 1_000),
        ("Create", 2_000),
        ("DataCopyPerByte", 10),
        ("CompilePerByte", 3),
    ];
    on_each_engine_with(schedule_with(&costs), |bench| {
        let child = r#"(func (export "init") nop)"#;
        // Operators of the call and its own cost; CREATE has two bytes of arguments.
        for (call, cost) in [
            (create_with_argument(), 8 + 1_000 + 2 * 10),
            (ETH_CREATE.to_owned(), 5 + 2_000),
        ] {
            let functions = creator(&call);
            let output = bench.run(&functions, "f", &[&contract(child)]);
            assert_eq!(end(&output), (0, ""));
            // The argument: 4 and 1; the child's code and two operators; the status: 2 and 1; end.
            let used = 5 + cost + 3 * length(child) + 2 + 3 + 1;
            assert_eq!(output.gas_remaining, GAS - 3 * length(&functions) - used);
        }
    });
}

#[test]
fn a_deploy_that_fails_takes_all_gas() {
    on_each_engine(|bench| {
        let trapping = contract(r#"(func (export "init") unreachable)"#);
        let bad: [(&[u8], &[&str]); 3] = [
            (&trapping, &["new0", "self"]),
            (b"no wasm", &["new0", "self"]),
            // More than there is to compile, but not more than fits.
            (&[0; 60_000], &["new0", "self"]),
        ];
        for call in [CREATE, ETH_CREATE] {
            for (code, names) in &bad {
                // Without a call after it, the creator ends normally.
                let functions =
                    format!(r#"(func (export "f") (local $length i32) {READ_CODE} (drop {call}))"#);
                bench.world().put_contract("self", contract(&functions));
                let input = VmInput {
                    gas_provided: 50_000,
                    ..input(&[code])
                };
                let output = bench.call_with("self", "f", input).expect("an output");
                assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0), "{call}");
                assert_eq!(account_names(&output), *names);
                assert_eq!(account(&output, "self").nonce, 1);
                // With one, that is the end.
                let output = bench.run(&creator(call), "f", &[code]);
                assert_eq!(output.return_code, 10);
            }
            // A value that the creator has not fails before it counts as a deploy.
            let functions = format!(
                r#"(data (i32.const 542) "\04") (func (export "f") (local $length i32) {READ_CODE} (drop {call}))"#
            );
            let output = bench.run(&functions, "f", &[&contract("")]);
            assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0));
            assert_eq!(account_names(&output), ["self"]);
            assert_eq!(account(&output, "self").nonce, 0);
        }
    });
}

#[test]
fn children_may_have_children() {
    on_each_engine(|bench| {
        // `init` deploys its own argument: the inner child is the grandchild, whose creator is the child.
        let grandchild = contract(CHILD);
        let child =
            format!(r#"(func (export "init") (local $length i32) {READ_CODE} (drop {CREATE}))"#);
        let functions = format!(
            r#"(func (export "f") (local $length i32)
                (i32.store (i32.const 600) (call $getArgument (i32.const 1) (i32.const 20000)))
                {READ_CODE} (drop {}))"#,
            CREATE.replace(
                "(i32.const 0) (i32.const 0) (i32.const 0))",
                "(i32.const 1) (i32.const 600) (i32.const 20000))"
            )
        );
        let output = bench.run(&functions, "f", &[&contract(&child), &grandchild]);
        assert_eq!(end(&output), (0, ""));
        // Seen by the grandchild: its creator is the child, at whose address there is no code yet.
        assert_eq!(
            output.return_data,
            [address("new0"), Bytes::new(), "f".into()]
        );
        // The child's nonce is 0 as well, and the node of this test looks at nothing else.
        assert_eq!(account(&output, "new0").nonce, 1);
        assert_eq!(account(&output, "self").nonce, 1);
    });
}

#[test]
fn an_upgrade_costs_what_a_deploy_does() {
    on_each_engine_with(
        schedule_with(&[("CreateContract", 1_000), ("CompilePerByte", 3)]),
        |bench| {
            let code = r#"(func (export "init") nop nop nop)"#;
            let valued = |gas_provided| VmInput {
                gas_provided,
                call_value: Some(9u64.into()),
                ..input(&[&contract(code), b"\x05\x06", b"argument"])
            };
            let start = 1_000 + 3 * length(code);
            for (gas, expected) in [
                (start - 1, (5, "not enough gas")),
                (start, (0, "")),
                (GAS, (0, "")),
            ] {
                // There need not be anything at the address.
                let output = bench
                    .call_with("nobody", "upgradeContract", valued(gas))
                    .expect("an output");
                assert_eq!(end(&output), expected);
                // Without calls and branches the limit is not looked at.
                assert_eq!(output.gas_remaining, gas.saturating_sub(start + 4));
                if gas == GAS {
                    let new = account(&output, "nobody");
                    assert_eq!(
                        (&new.code, &new.code_metadata[..]),
                        (&contract(code), &[5, 6][..])
                    );
                    assert_eq!(new.balance_delta, Some(9u64.into()));
                    assert_eq!(account_names(&output), ["nobody"]);
                }
                assert_eq!(bench.world().calls, [""; 0]);
            }
        },
    );
}

#[test]
fn a_failed_upgrade_leaves_nothing() {
    on_each_engine(|bench| {
        bench.world().put_contract("self", contract(""));
        let failing = contract(
            r#"(data (i32.const 0) "no") (func (export "init")
                (drop (call $storageStore (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 2)))
                (call $signalError (i32.const 0) (i32.const 2)))"#,
        );
        let reserved = contract(r#"(func (export "getCaller"))"#);
        let missing = (11, "upgrade failed (invalid arguments)");
        let invalid = (9, "invalid contract code");
        for (arguments, expected) in [
            (&[][..], missing),
            (&[&b"code"[..]], missing),
            (&[b"no wasm", b""], invalid),
            (&[b"", b""], invalid),
            (&[&reserved, b""], invalid),
            (&[&failing, b""], (4, "no")),
        ] {
            let output = bench.call("self", "upgradeContract", arguments);
            assert_eq!(end(&output), expected);
            let left = (output.gas_remaining, &output.output_accounts[..]);
            assert_eq!(left, (0, &[][..]));
        }
        // An asynchronous call of init is made, promises are not kept.
        let code = contract(&format!(
            r#"{} (func (export "init") (call $asyncCall (i32.const 0) (i32.const 512) (i32.const 64) (i32.const 1)))"#,
            callee_data("far", "g")
        ));
        let output = bench.call("self", "upgradeContract", &[&code, b""]);
        assert_eq!(
            (end(&output), account(&output, "far").call_type),
            ((0, ""), 1)
        );
        let code = contract(&registering("init", &[promised("id", "far", "g")]));
        let output = bench.call("self", "upgradeContract", &[&code, b""]);
        assert_eq!(
            (end(&output), account_names(&output)),
            ((0, ""), vec!["self".to_owned()])
        );
    });
}
