//! Quirks of the API (docs/spec/README.md#quirks-memory-and-api): transfers that happen twice, and the namespace
//! `ethereum`.

use super::texts::*;
use crate::messages::{BigInt, VmInput, VmOutput};
use crate::vm::fixtures::*;

fn valued(value: u64) -> VmInput {
    VmInput {
        call_value: Some(value.into()),
        ..input(&[])
    }
}

fn delta(output: &VmOutput, address: &[u8]) -> Option<BigInt> {
    let mut accounts = output.output_accounts.iter();
    let account = accounts
        .find(|entry| entry.key == address)?
        .value
        .as_ref()?;
    account.balance_delta.clone()
}

#[test]
fn quirk_10_delegations_and_ethereum_calls_transfer_twice() {
    on_each_engine(|bench| {
        bench
            .world()
            .put_contract("callee", contract(r#"(func (export "main"))"#));
        // What callStatic finds: the same address, cut off.
        let short = address("callee").slice(..20);
        let callee = bench.world().accounts[&address("callee")].clone();
        bench.world().accounts.insert(short.clone(), callee);
        let calls = [
            ("delegate", execute_for_caller("delegateExecution", "main")),
            ("read only", execute_for_caller("executeReadOnly", "main")),
            ("call delegate", "(call $eth.callDelegate (i64.const 500000) (i32.const 0) (i32.const 0) (i32.const 0))".to_owned()),
            ("call static", "(call $eth.callStatic (i64.const 500000) (i32.const 0) (i32.const 0) (i32.const 0))".to_owned()),
            ("call", "(call $eth.call (i64.const 500000) (i32.const 0) (i32.const 128) (i32.const 0) (i32.const 0))".to_owned()),
            ("call code", "(call $eth.callCode (i64.const 500000) (i32.const 0) (i32.const 128) (i32.const 0) (i32.const 0))".to_owned()),
        ];
        let functions: String = calls
            .map(|(name, call)| format!(r#"(func (export "{name}") {})"#, status(&call)))
            .concat();
        // The value is 5 to those who begin with the first byte, and 5 * 2^248 to the others.
        let functions =
            callee_data("callee", "main") + r#"(data (i32.const 128) "\05")"# + &functions;
        bench.world().put_contract("self", contract(&functions));
        let minus_six = Some(BigInt::from(-6i64));
        for function in ["delegate", "read only", "call delegate", "call static"] {
            let output = bench
                .call_with("self", function, valued(3))
                .expect("an output");
            assert_eq!(
                (end(&output), &output.return_data[0][..]),
                ((0, ""), &b""[..]),
                "{function}"
            );
            let callee = if function == "call static" {
                &short
            } else {
                &address("callee")
            };
            assert_eq!(delta(&output, callee), Some(6u64.into()), "{function}");
            assert_eq!(delta(&output, &address("caller")), minus_six, "{function}");
        }
        let output = bench.call("self", "call", &[]);
        assert_eq!(delta(&output, &address("callee")), Some(10u64.into()));
        assert_eq!(delta(&output, &address("self")), Some((-10i64).into()));
        // Of callCode the first transfer is of 5; who can't pay 5 * 2^248 fails after that.
        let output = bench.call("self", "call code", &[]);
        assert_eq!(output.return_data, [vec![1]]);
        assert_eq!(delta(&output, &address("callee")), Some(5u64.into()));
        let mut rich = vec![255; 32];
        rich[31] = 0;
        let balance = BigInt {
            negative: false,
            magnitude: rich.into(),
        };
        bench
            .world()
            .accounts
            .get_mut(&address("self"))
            .expect("there")
            .balance = Some(balance);
        let output = bench.call("self", "call code", &[]);
        assert_eq!(output.return_data, [""]);
        let mut sum = vec![0; 32];
        (sum[0], sum[31]) = (5, 5);
        let sum = BigInt {
            negative: false,
            magnitude: sum.into(),
        };
        assert_eq!(delta(&output, &address("callee")), Some(sum));
    });
}

#[test]
fn quirk_11_negative_amounts_of_gas_wrap_the_counter() {
    on_each_engine(|bench| {
        let use_gas = |amounts: [i64; 2]| {
            format!(
                r#"(func (export "f") (call $eth.useGas (i64.const {})) (call $eth.useGas (i64.const {})))"#,
                amounts[0], amounts[1]
            )
        };
        // Two operands, two calls, two times the function itself, end.
        assert_eq!(bench.executed(&use_gas([100, -90]), "f", &[]), 10 + 7);
        // Below zero is far above any limit: the next call ends the run.
        let output = bench.run(&use_gas([-90, 90]), "f", &[]);
        assert_eq!((output.return_code, output.gas_remaining), (10, 0));
    });
}

#[test]
fn quirk_12_ethereum_functions_do_not_do_what_their_names_say() {
    on_each_engine(|bench| {
        let caller = "contract-that-calls-another";
        let sizes = status("(call $eth.getCallDataSize)");
        let callee = format!(
            r#"(func (export "origin") (call $eth.getTxOrigin (i32.const 0)) (call $finish (i32.const 0) (i32.const 20)))
            (func (export "size") {sizes})"#
        );
        bench.world().put_contract("callee", contract(&callee));
        let functions = format!(
            r#"{} (data (i32.const 64) "sizeorigin")
            (func (export "go on")
                (call $int64finish (i64.const 1)) (call $eth.finish (i32.const 64) (i32.const 2))
                (call $int64finish (i64.const 3)) (call $eth.selfDestruct (i32.const 0)) (call $int64finish (i64.const 4)))
            (func (export "origin") (drop {}))
            (func (export "seed")
                (call $eth.getBlockCoinbase (i32.const 500)) (call $finish (i32.const 500) (i32.const 5))
                (call $eth.getBlockDifficulty (i32.const 600)) (call $finish (i32.const 600) (i32.const 5)))
            (func (export "static")
                {})
            (func (export "asks") {sizes} (drop {}))
            (func (export "lets ask") (drop {}) {sizes})"#,
            callee_data("callee", ""),
            execute("Dest", "origin").replace("i32.const 64", "i32.const 68"),
            status(
                "(call $eth.callStatic (i64.const 500000) (i32.const 0) (i32.const 0) (i32.const 0))"
            ),
            execute("Dest", "size"),
            execute("Dest", "size"),
        );
        bench.world().put_contract(caller, contract(&functions));
        let mut call =
            |function: &str, arguments: &[&[u8]]| bench.call(caller, function, arguments);
        // The first item is gone, but neither function stopped anything.
        let output = call("go on", &[]);
        assert_eq!(output.return_data, [&b"si"[..], &[3], &[4]]);
        assert_eq!(
            (end(&output), &output.deleted_accounts[..]),
            ((0, ""), &[][..])
        );
        // The origin is the contract, not the account that sent the transaction.
        assert_eq!(
            call("origin", &[]).return_data,
            [address(caller).slice(12..)]
        );
        assert_eq!(call("seed", &[]).return_data, ["seed\0", "seed\0"]);
        // There is code at the address of 32 bytes, but none at its first 20.
        assert_eq!(call("static", &[]).return_data, [vec![1]]);
        // A selector and one argument; the callee, without arguments, sees the same. The first to ask decides.
        assert_eq!(
            call("asks", &[b"argument"]).return_data,
            [vec![36], vec![36]]
        );
        assert_eq!(
            call("lets ask", &[b"argument"]).return_data,
            [vec![4], vec![4]]
        );
    });
    // The code of a new contract is not copied for gas: only compiled.
    on_each_engine_with(schedule_with(&[("DataCopyPerByte", 1000)]), |bench| {
        let child = contract("");
        let functions =
            format!(r#"(func (export "f") (local $length i32) {READ_CODE} (drop {CREATE}))"#);
        // READ_CODE: 4 and 1; CREATE: 8 and 1; drop, end.
        assert_eq!(
            bench.executed(&functions, "f", &[&child]),
            5 + 9 + child.len() as u64 + 2
        );
    });
}
