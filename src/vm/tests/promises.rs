//! Promises, and calls and answers from other shards, to the byte and to the unit of gas
//! (docs/spec/host.md#asynchronous-calls).

use super::texts::*;
use crate::messages::VmInput;
use crate::vm::fixtures::*;
use bytes::Bytes;

const KEY: &str = "originalasyncCalls";

// `caller`, `far` and `away` as addresses, in base64.
const CALLER: &str = "Y2FsbGVyX19fX19fX19fX19fX19fX19fX19fX19fX18=";
const FAR: &str = "ZmFyX19fX19fX19fX19fX19fX19fX19fX19fX19fX18=";
const AWAY: &str = "YXdheV9fX19fX19fX19fX19fX19fX19fX19fX19fX18=";

fn length(functions: &str) -> u64 {
    contract(functions).len() as u64
}

/// A call in the stored form, with callbacks `yes` and `no`.
fn stored_call(destination: &str, data: &str, gas_limit: u64, gas: u64) -> String {
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    format!(
        r#"{{"Status":0,"Destination":"{destination}","Data":"{data}","GasLimit":{gas_limit},"ValueBytes":"{zeros}","SuccessCallback":"yes","ErrorCallback":"no","ProvidedGas":{gas}}}"#
    )
}

fn incoming(value: u64) -> VmInput {
    VmInput {
        call_type: 1,
        call_value: Some(value.into()),
        ..input(&[])
    }
}

#[test]
fn pending_promises_are_stored_byte_for_byte_and_sent_in_order() {
    on_each_engine(|bench| {
        let own_gas = Promised {
            gas: 200_000,
            ..promised("a\0<", "away", "g")
        };
        let calls = [
            promised("zeta", "far", "f"),
            own_gas,
            promised("zeta", "away", "h@01"),
        ];
        let functions = registering("f", &calls);
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        // Three times eleven operands and a call, which itself is free; end.
        let left = GAS - length(&functions) - 36 - 1;
        let share = (left - 200_000) / 2;
        // Identifiers in the order of their bytes, in base64 what is not a name: "f", "g", "h@01".
        let expected = format!(
            r#"{{"CallerAddr":"{CALLER}","ReturnData":null,"AsyncContextMap":{{"a\u0000\u003c":{{"Callback":"","AsyncCalls":[{}]}},"zeta":{{"Callback":"","AsyncCalls":[{},{}]}}}}}}"#,
            stored_call(AWAY, "Zw==", 200_000, 200_000),
            stored_call(FAR, "Zg==", share, 0),
            stored_call(AWAY, "aEAwMQ==", share, 0),
        );
        let stored = updates(account(&output, "self"));
        assert_eq!(stored, [(KEY.into(), expected.clone().into())]);
        // Storing costs a unit per byte, so there is less to share when the calls are sent: first both of `zeta`.
        let left = left - expected.len() as u64;
        let far = account(&output, "far");
        assert_eq!(
            (&far.data[..], far.call_type, far.gas_limit),
            (&b"f"[..], 1, (left - 200_000) / 2)
        );
        let away = account(&output, "away");
        assert_eq!(
            (&away.data[..], away.call_type, away.gas_limit),
            (&b"h@01g"[..], 1, 200_000)
        );
        assert_eq!(output.gas_remaining, left);
        let calls = [
            // The code; which calls can be made here.
            "account(self)",
            "account(far)",
            "account(away)",
            "account(away)",
            "storage(originalasyncCalls)",
            // Each again, and the balance, once.
            "account(far)",
            "account(self)",
            "account(away)",
            "account(away)",
        ];
        assert_eq!(bench.world().calls, calls);
    });
}

#[test]
fn the_gas_of_promises_is_what_they_were_promised_or_a_share() {
    on_each_engine(|bench| {
        let callee = r#"(func (export "g") (call $int64finish (call $getGasLeft)))"#;
        bench.world().put_contract("callee", contract(callee));
        let sharing = promised("id", "callee", "g");
        let own = Promised {
            gas: 300_000,
            ..sharing
        };
        let functions = registering("f", &[own, sharing, sharing]) + r#"(func (export "yes"))"#;
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        let left = GAS - length(&functions) - 36 - 1;
        // A step before the call; its code, a step, a step and the lock; the call of getGasLeft.
        let seen = |gas: u64| (gas - 1 - length(callee) - 1 - 1 - 100_000 - 2) as i64;
        let numbers: Vec<i64> = output.return_data.iter().map(|item| number(item)).collect();
        let share = (left - 300_000) / 2;
        assert_eq!(numbers, [seen(300_000), seen(share), seen(share)]);
        // Each costs the code and a step, the function (five), and its callback: the code and an end.
        let cost = length(callee) + 1 + 5 + length(&functions) + 1;
        assert_eq!(output.gas_remaining, left - 3 * cost);
    });
}

#[test]
fn promised_gas_has_to_be_there() {
    on_each_engine(|bench| {
        let promise = |gas| Promised {
            gas,
            ..promised("id", "far", "f")
        };
        let too_much = GAS as i64;
        let rows: [(&[i64], (i64, &str)); 5] = [
            (&[too_much], (5, "not enough gas")),
            (&[500_000, 500_000], (5, "not enough gas")),
            // Below zero is a huge number.
            (&[-1], (5, "not enough gas")),
            (&[1, -1], (10, "addition overflow")),
            (&[1, 1], (0, "")),
        ];
        for (gas, expected) in rows {
            let calls: Vec<Promised> = gas.iter().map(|gas| promise(*gas)).collect();
            let output = bench.run(&registering("f", &calls), "f", &[]);
            assert_eq!(end(&output), expected, "{gas:?}");
        }
    });
}

#[test]
fn a_promising_callee_settles_its_promises_itself() {
    on_each_engine(|bench| {
        // What the callee promises in vain aborts the caller's run, if the callee was promised.
        let callee = registering("g", &[promised("id", "far", "f")]);
        bench.world().put_contract("callee", contract(&callee));
        let output = bench.run(
            &(registering("f", &[promised("id", "callee", "g")]) + r#"(func (export "yes"))"#),
            "f",
            &[],
        );
        assert_eq!(end(&output), (0, ""));
        // Both are pending: the callee waits for `far`, and `self` for the callee.
        for (name, awaited) in [
            ("callee", FAR),
            ("self", "Y2FsbGVlX19fX19fX19fX19fX19fX19fX19fX19fX18="),
        ] {
            let stored = updates(account(&output, name));
            let text = String::from_utf8_lossy(&stored[0].1).into_owned();
            assert!(
                text.contains(&format!(r#""Destination":"{awaited}""#)),
                "{text}"
            );
        }
        // Only the first is sent: the callee is here and was called.
        assert_eq!(account(&output, "far").call_type, 1);
        assert_eq!(account(&output, "callee").call_type, 0);
        let vain = Promised {
            gas: -1,
            ..promised("id", "far", "f")
        };
        bench
            .world()
            .put_contract("callee", contract(&registering("g", &[vain])));
        let output = bench.call("self", "f", &[]);
        assert_eq!(end(&output), (5, "not enough gas"));
    });
}

#[test]
fn calls_of_other_shards_are_answered_with_the_data_and_the_value() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 0) "AB")
            (func (export "f") (call $finish (i32.const 0) (i32.const 2)) (call $finish (i32.const 0) (i32.const 0)))"#;
        bench.world().put_contract("self", contract(functions));
        let output = bench
            .call_with("self", "f", incoming(7))
            .expect("an output");
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, ["AB", ""]);
        let caller = account(&output, "caller");
        assert_eq!(
            (&caller.data[..], caller.call_type),
            (&b"@6f6b@4142@"[..], 2)
        );
        assert_eq!(caller.balance_delta, Some(7u64.into()));
        assert_eq!(account(&output, "self").balance_delta, Some(0u64.into()));
        // A step and the lock at the start; two operands, a call and the function, twice; two bytes; end.
        let left = GAS - length(functions) - 1 - 100_001 - 8 - 2 - 1;
        assert_eq!(
            (caller.gas_limit, output.gas_remaining),
            (left, left + 100_001)
        );
        assert_eq!(bench.world().calls, ["account(self)", "account(self)"]);
    });
}

#[test]
fn a_value_that_is_gone_can_not_be_sent_back() {
    on_each_engine(|bench| {
        // All of 1000 and 7.
        let functions = format!(
            r#"{} (data (i32.const 94) "\03\ef") (func (export "f")
                (drop (call $transferValue (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 0))))"#,
            callee_data("elsewhere", "")
        );
        bench.world().put_contract("self", contract(&functions));
        let output = bench
            .call_with("self", "f", incoming(7))
            .expect("an output");
        assert_eq!(end(&output), (7, "failed transfer (insufficient funds)"));
        // What was locked for the answer; the rest is charged.
        assert_eq!(output.gas_remaining, 100_001);
        assert_eq!(output.output_accounts, []);
    });
}

#[test]
fn calls_of_other_shards_need_more_gas_than_is_locked() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f"))"#;
        bench.world().put_contract("self", contract(functions));
        for (more, expected) in [(100_002, (5, "not enough gas")), (100_003, (0, ""))] {
            let input = VmInput {
                gas_provided: length(functions) + more,
                ..incoming(0)
            };
            let output = bench.call_with("self", "f", input).expect("an output");
            assert_eq!(end(&output), expected);
        }
    });
}

#[test]
fn an_answer_waits_for_promises_that_are_pending() {
    on_each_engine(|bench| {
        bench
            .world()
            .put_contract("near", contract(r#"(func (export "f"))"#));
        for (destination, answered) in [("near", true), ("far", false)] {
            let functions =
                registering("f", &[promised("id", destination, "f")]) + r#"(func (export "yes"))"#;
            bench.world().put_contract("self", contract(&functions));
            let output = bench
                .call_with("self", "f", incoming(0))
                .expect("an output");
            assert_eq!(end(&output), (0, ""));
            let names = account_names(&output);
            assert_eq!(
                names.contains(&"caller".to_owned()),
                answered,
                "{destination}"
            );
        }
    });
}

#[test]
fn answers_find_their_promise_by_who_sends_them() {
    let calls = |list: &str| {
        format!(r#"{{"CallerAddr":"{CALLER}","ReturnData":null,"AsyncContextMap":{list}}}"#)
    };
    let one = |identifier: &str| {
        calls(&format!(
            r#"{{"{identifier}":{{"Callback":"","AsyncCalls":[{}]}}}}"#,
            stored_call(FAR, "Zg==", 5, 0)
        ))
    };
    let unexpected = (4, "invalid function (unexpected callback was received)");
    let rows = [
        ("one", one("id"), "far", (0, ""), &["yes"][..]),
        ("another sender", one("id"), "away", unexpected, &[]),
        // A match without an identifier is none, but only after the callback was run.
        ("no identifier", one(""), "far", unexpected, &[]),
        ("no contexts", calls("{}"), "far", unexpected, &[]),
        ("null contexts", calls("null"), "far", unexpected, &[]),
        ("nothing", String::new(), "far", (0, ""), &["back"]),
    ];
    let functions = r#"(data (i32.const 0) "yesback")
        (func (export "yes") (call $finish (i32.const 0) (i32.const 3)))
        (func (export "callBack") (call $finish (i32.const 3) (i32.const 4)))"#;
    on_each_engine(|bench| {
        bench.world().put_contract("self", contract(functions));
        for (name, stored, from, expected, data) in &rows {
            let key = (address("self"), Bytes::from(KEY));
            bench.world().storage.insert(key, stored.clone().into());
            let answer = VmInput {
                caller_addr: address(from),
                call_type: 2,
                ..input(&[b""])
            };
            let output = bench
                .call_with("self", "callBack", answer)
                .expect("an output");
            assert_eq!(end(&output), *expected, "{name}");
            assert_eq!(output.return_data, *data, "{name}");
        }
    });
}

/// The creator keeps its promises and its arguments meanwhile.
#[test]
fn promises_of_a_creator_and_of_its_child_are_made_together() {
    let registering = |function, call| {
        registering(function, &[call]).replace("(func (export", "(func $register (export")
    };
    let creator = format!(
        r#"{} (func (export "f") (local $length i32) (call $register) {READ_CODE} {}
            (call $int64finish (i64.extend_i32_s (call $getNumArguments))))"#,
        registering("other", promised("a", "far", "f")),
        status(CREATE)
    );
    let child = contract(&registering("init", promised("b", "away", "g")));
    on_each_engine(|bench| {
        let output = bench.run(&creator, "f", &[&child]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[][..], &[1]]);
        for (name, data) in [("far", "f"), ("away", "g")] {
            let account = account(&output, name);
            assert_eq!((&account.data[..], account.call_type), (data.as_bytes(), 1));
        }
    });
}
