use super::*;
use crate::hooks::{BlockchainHook as _, HookError};
use crate::messages::{
    Account as WireAccount, BigInt as WireNumber, ContractCallInput, OutputAccount,
    OutputAccountEntry, StorageUpdate, StorageUpdateEntry,
};

fn address(name: &str) -> Bytes {
    format!("{name:_<32}").into()
}

fn world() -> SharedWorld {
    let world = SharedWorld::default();
    let account = Account {
        nonce: 3,
        balance: 1000.into(),
        storage: BTreeMap::from([("key".into(), "value".into())]),
        code: "wasm".into(),
        ..Account::default()
    };
    world.lock().accounts.insert(address("a"), account);
    world
}

fn changed(name: &str, delta: i64) -> OutputAccount {
    OutputAccount {
        address: address(name),
        balance_delta: Some(WireNumber::from(delta)),
        ..OutputAccount::default()
    }
}

fn output(accounts: impl IntoIterator<Item = OutputAccount>) -> VmOutput {
    let entry = |account: OutputAccount| OutputAccountEntry {
        key: account.address.clone(),
        value: Some(account),
    };
    VmOutput {
        output_accounts: accounts.into_iter().map(entry).collect(),
        ..VmOutput::default()
    }
}

#[test]
fn generated_addresses_follow_from_creator_and_nonce() {
    let mut world = world();
    let creator: Vec<u8> = (1..=32).collect();
    let expected = [
        &[0; 10][..],
        &[0x11; 4],
        &creator[..15],
        &[0x02],
        &creator[30..],
    ]
    .concat();
    let new = world.new_address(&creator, 0x0102, b"ignored");
    assert_eq!(new.expect("an address"), expected);
    let new = world.new_address(b"short", 0, b"").expect("an address");
    assert_eq!((new.len(), &new[14..20]), (32, &b"short\0"[..]));
}

#[test]
fn the_oldest_of_equal_new_addresses_wins() {
    let mut world = world();
    let new = |creator_nonce, name| NewAddress {
        creator: address("a"),
        creator_nonce,
        address: address(name),
    };
    let all = [new(1, "one"), new(2, "two"), new(1, "other")];
    world.lock().lasting.new_addresses.extend(all);
    for (nonce, expected) in [(1, "one"), (2, "two")] {
        let found = world.new_address(&address("a"), nonce, b"");
        assert_eq!(found.expect("an address"), address(expected));
    }
}

#[test]
fn missing_values_are_empty_and_missing_accounts_refused() {
    let mut world = world();
    let mut load = |name, key: &str| {
        let value = world.storage_data(&address(name), key.as_bytes());
        value.expect("a value")
    };
    assert_eq!(load("a", "key"), Some("value".into()));
    assert_eq!(load("a", "none"), Some(Bytes::new()));
    assert_eq!(load("b", "key"), Some(Bytes::new()));
    let account = world.user_account(&address("a")).expect("an account");
    let expected = WireAccount {
        nonce: 3,
        balance: Some(1000u64.into()),
        address: address("a"),
        developer_reward: Some(WireNumber::default()),
        code: "wasm".into(),
        ..WireAccount::default()
    };
    assert_eq!(account, Some(expected));
    match world.user_account(&address("b")) {
        Err(HookError::Refused(text)) => assert_eq!(text, "account not found"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocks_are_as_set() {
    let mut world = world();
    assert_eq!(world.current_nonce().expect("0"), 0);
    {
        let mut world = world.lock();
        world.block_hashes = vec!["h0".into(), "h1".into()];
        let block = |nonce| BlockInfo {
            nonce,
            round: nonce + 1,
            time_stamp: nonce + 2,
            epoch: 9,
        };
        world.lasting.previous_block = block(10);
        world.lasting.current_block = block(20);
    }
    let numbers = [
        world.last_nonce(),
        world.last_round(),
        world.last_time_stamp(),
        world.current_nonce(),
        world.current_round(),
        world.current_time_stamp(),
    ];
    let numbers = numbers.map(|number| number.expect("a number"));
    assert_eq!(numbers, [10, 11, 12, 20, 21, 22]);
    let epochs = [world.last_epoch(), world.current_epoch()];
    assert_eq!(epochs.map(|epoch| epoch.expect("an epoch")), [9, 9]);
    assert_eq!(world.block_hash(1).expect("a hash"), "h1");
    for beyond in [2, u64::MAX] {
        assert!(matches!(
            world.block_hash(beyond),
            Err(HookError::Refused(_))
        ));
    }
}

#[test]
fn nobody_can_set_the_rest_and_every_call_counts() {
    let mut world = world();
    assert_eq!(world.last_random_seed().expect("null"), "");
    assert_eq!(world.current_random_seed().expect("null"), "");
    assert_eq!(world.state_root_hash().expect("null"), "");
    assert_eq!(world.shard_of_address(&address("a")).expect("0"), 0);
    assert!(!world.is_smart_contract(&address("a")).expect("never"));
    assert!(world.builtin_function_names().expect("none").is_empty());
    assert!(world.all_state(&address("a")).expect("nothing").is_empty());
    let output = world.process_builtin_function(&ContractCallInput::default());
    assert_eq!(output.expect("an output"), Some(VmOutput::default()));
    world.last_nonce().expect("0");
    drop(world.user_account(&address("nobody")));
    drop(world.storage_data(&address("a"), b""));
    drop(world.block_hash(0));
    drop(world.new_address(&address("a"), 0, b""));
    assert_eq!(world.lock().take_hook_calls(), 13);
    assert_eq!(world.lock().take_hook_calls(), 0);
}

#[test]
fn effects_are_applied_account_by_account() {
    let world = world();
    let mut world = world.lock();
    let mut known = changed("a", 30);
    known.nonce = 2;
    known.data = "data".into();
    known.storage_updates = [("key", ""), ("new", "1")]
        .map(|(key, value)| StorageUpdateEntry {
            key: "only for readers".into(),
            value: Some(StorageUpdate {
                offset: key.into(),
                data: value.into(),
            }),
        })
        .into();
    let mut new = changed("n", 70);
    new.nonce = 1;
    new.code = "code".into();
    let sender = address("a");
    let applied = world.apply(Some(&sender), &100u8.into(), &output([known, new]));
    assert_eq!(applied, Ok(()));

    let account = &world.accounts[&address("a")];
    assert_eq!((account.nonce, &account.balance), (3, &930.into()));
    assert_eq!(account.code, "wasm");
    assert_eq!(account.async_call_data, "data");
    assert_eq!(account.storage_value(b"key"), "");
    assert_eq!(account.storage_value(b"new"), "1");
    let created = &world.accounts[&address("n")];
    assert_eq!((created.nonce, &created.balance), (1, &70.into()));
    assert_eq!((&created.code, &created.owner), (&"code".into(), &sender));

    // Empty data and code leave the account unchanged.
    let applied = world.apply(Some(&sender), &0u8.into(), &output([changed("a", 0)]));
    assert_eq!(applied, Ok(()));
    assert_eq!(world.accounts[&address("a")].async_call_data, "data");
}

#[test]
fn coins_are_neither_made_nor_lost() {
    let world = world();
    let mut world = world.lock();
    let sender = address("a");
    for (deltas, value, sum) in [
        ([5, 0], 5, 5),
        ([5, -1], 4, 4),
        ([5, 1], 5, 6),
        ([0, 0], 5, 0),
    ] {
        let accounts = [changed("a", deltas[0]), changed("b", deltas[1])];
        let expected = match sum == value {
            true => Ok(()),
            false => Err(WorldError::Effects(ApplyError::DeltaSum {
                sum: sum.into(),
                value: u8::try_from(value).expect("small").into(),
            })),
        };
        let value = u8::try_from(value).expect("small").into();
        let applied = world.apply(Some(&sender), &value, &output(accounts));
        assert_eq!(applied, expected, "{deltas:?}");
    }
    // Without a sender coins are created.
    let applied = world.apply(None, &0u8.into(), &output([changed("c", 9)]));
    assert_eq!(applied, Ok(()));
    assert_eq!(world.accounts[&address("c")].owner, "");
}

#[test]
fn a_reset_forgets_accounts_and_hashes() {
    let world = world();
    let mut world = world.lock();
    world.block_hashes.push("h".into());
    let mut lasting = Leftovers::default();
    lasting.current_block.nonce = 7;
    world.reset(lasting.clone());
    assert!(world.accounts.is_empty() && world.block_hashes.is_empty());
    assert_eq!(world.lasting, lasting);
}
