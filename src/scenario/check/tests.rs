use super::*;

fn output() -> VmOutput {
    VmOutput {
        return_code: 4,
        return_message: "no".to_owned(),
        return_data: vec!["a".into(), Bytes::new()],
        gas_refund: Some(7u64.into()),
        gas_remaining: 9,
        logs: vec![LogEntry {
            identifier: "i".into(),
            address: "c".into(),
            topics: vec!["t".into(), "u".into()],
            data: Bytes::from_static(&[0, 5]),
            ..LogEntry::default()
        }],
        ..VmOutput::default()
    }
}

fn expected() -> ExpectedResult {
    ExpectedResult {
        out: vec![Expected::Exactly("a".into()), Expected::Anything],
        status: 4.into(),
        message: "no".to_owned(),
        gas: Expected::Exactly(9),
        refund: Expected::Exactly(7u8.into()),
        logs: Expected::Exactly(vec![ExpectedLog {
            identifier: "i".into(),
            address: "c".into(),
            topics: vec!["t".into(), "u".into()],
            data: Bytes::from_static(&[5]),
        }]),
    }
}

/// The first difference after a change of the expectation.
fn first(change: impl FnOnce(&mut ExpectedResult)) -> String {
    let mut expected = expected();
    change(&mut expected);
    match result(&expected, &output(), true) {
        Ok(()) => "nothing".to_owned(),
        Err(Mismatch(differences)) => differences[0].subject.clone(),
    }
}

fn change_log(expected: &mut ExpectedResult, change: impl FnOnce(&mut ExpectedLog)) {
    if let Expected::Exactly(logs) = &mut expected.logs {
        change(&mut logs[0]);
    }
}

#[test]
fn every_part_of_a_result_is_compared() {
    assert_eq!(first(|_| {}), "nothing");
    assert_eq!(first(|e| e.status = 5.into()), "status");
    assert_eq!(first(|e| e.message.clear()), "message");
    assert_eq!(first(|e| e.out.truncate(1)), "out");
    assert_eq!(first(|e| e.out.push(Expected::Anything)), "out");
    assert_eq!(first(|e| e.out[0] = Expected::Exactly("b".into())), "out");
    assert_eq!(
        first(|e| e.refund = Expected::Exactly(8u8.into())),
        "refund"
    );
    assert_eq!(first(|e| e.gas = Expected::Exactly(8)), "gas");
    assert_eq!(
        first(|e| e.logs = Expected::Exactly(vec![])),
        "identifiers of the logs"
    );
    for (subject, change) in [
        (
            "logs[0].address",
            (|log| log.address.clear()) as fn(&mut ExpectedLog),
        ),
        ("logs[0].identifier", |log| log.identifier.clear()),
        ("logs[0].topics", |log| log.topics[1].clear()),
        ("logs[0].topics", |log| log.topics.truncate(1)),
        ("logs[0].data", |log| log.data.clear()),
        ("nothing", |log| log.data = Bytes::from_static(&[0, 0, 5])),
    ] {
        assert_eq!(first(|e| change_log(e, change)), subject);
    }
}

#[test]
fn stars_allow_everything() {
    let all = |expected: &mut ExpectedResult| {
        expected.out = vec![Expected::Anything, Expected::Anything];
        expected.refund = Expected::Anything;
        expected.gas = Expected::Anything;
        expected.logs = Expected::Anything;
    };
    assert_eq!(first(all), "nothing");
}

#[test]
fn the_order_is_status_message_out_refund_gas_logs() {
    let wrong = |expected: &mut ExpectedResult, parts: usize| {
        let changes: [fn(&mut ExpectedResult); 6] = [
            |e| e.logs = Expected::Exactly(vec![]),
            |e| e.gas = Expected::Exactly(0),
            |e| e.refund = Expected::Exactly(0u8.into()),
            |e| e.out.clear(),
            |e| e.message.clear(),
            |e| e.status = 0.into(),
        ];
        changes[..parts].iter().for_each(|change| change(expected));
    };
    let found = (1..=6).map(|parts| first(|expected| wrong(expected, parts)));
    let subjects = [
        "identifiers of the logs",
        "gas",
        "refund",
        "out",
        "message",
        "status",
    ];
    assert_eq!(Vec::from_iter(found), subjects);
}

#[test]
fn gas_can_be_left_unchecked() {
    let mut expected = expected();
    expected.gas = Expected::Exactly(1);
    assert_eq!(result(&expected, &output(), false), Ok(()));
}

#[test]
fn no_refund_is_a_refund_of_zero() {
    let (mut expected, mut actual) = (expected(), output());
    expected.refund = Expected::Exactly(0u8.into());
    actual.gas_refund = None;
    assert_eq!(result(&expected, &actual, true), Ok(()));
    actual.gas_refund = Some((-1i64).into());
    assert!(result(&expected, &actual, true).is_err());
}

fn check() -> AccountCheck {
    AccountCheck {
        nonce: Expected::Exactly(1),
        balance: Expected::Exactly(2u8.into()),
        storage: Expected::Exactly(vec![("k".into(), "v".into())]),
        code: Expected::Exactly("c".into()),
        async_call_data: "d".into(),
    }
}

fn world() -> World {
    let account = Account {
        nonce: 1,
        balance: 2.into(),
        storage: BTreeMap::from([("k".into(), "v".into()), ("gone".into(), Bytes::new())]),
        code: "c".into(),
        code_hash: Bytes::new(),
        code_metadata: Bytes::new(),
        async_call_data: "d".into(),
        owner: Bytes::new(),
    };
    let mut world = World::default();
    world.accounts.insert("a".into(), account);
    world
}

fn compare(others_allowed: bool, accounts: Vec<(Bytes, AccountCheck)>) -> Vec<String> {
    let check = CheckState {
        others_allowed,
        accounts,
    };
    match state(&check, &world()) {
        Ok(()) => Vec::new(),
        Err(Mismatch(differences)) => {
            let subjects = differences.into_iter().map(|difference| difference.subject);
            subjects.collect()
        }
    }
}

#[test]
fn every_part_of_an_account_is_compared() {
    let differences = |change: fn(&mut AccountCheck)| {
        let mut check = check();
        change(&mut check);
        compare(false, vec![("a".into(), check)])
    };
    let none: [&str; 0] = [];
    let of = |subject: &str| [format!("{subject} of account 0x61 ``a 97")];
    assert_eq!(differences(|_| {}), none);
    assert_eq!(
        differences(|check| check.nonce = Expected::Exactly(0)),
        of("nonce")
    );
    assert_eq!(
        differences(|check| check.balance = Expected::Exactly(0u8.into())),
        of("balance")
    );
    assert_eq!(
        differences(|check| check.code = Expected::Exactly("".into())),
        of("code")
    );
    assert_eq!(
        differences(|check| check.async_call_data.clear()),
        of("asyncCallData")
    );
    assert_eq!(
        differences(|check| check.storage = Expected::Anything),
        none
    );
    // All differences of a storage; an empty value equals a missing one.
    let storage = differences(|check| {
        check.storage = Expected::Exactly(vec![("x".into(), "1".into()), ("y".into(), "".into())]);
    });
    let expected = ["0x6b ``k 107", "0x78 ``x 120"]
        .map(|key| format!("storage of account 0x61 ``a 97, key {key}"));
    assert_eq!(storage, expected);
}

#[test]
fn all_accounts_must_be_listed_and_all_listed_exist() {
    assert_eq!(compare(false, vec![]), ["account 0x61 ``a 97"]);
    assert_eq!(compare(true, vec![]), Vec::<String>::new());
    let missing = vec![("b".into(), check())];
    assert_eq!(compare(true, missing), ["account 0x62 ``b 98"]);
}
