use super::*;

fn delta(state: &OutputState, address: &'static str) -> BigInt {
    state.accounts[address.as_bytes()].balance_delta.clone()
}

fn state(address: &'static str, balance_delta: i32) -> OutputState {
    let mut state = OutputState::default();
    state.account(&address.into()).balance_delta = balance_delta.into();
    state
}

#[test]
fn a_later_state_wins_but_for_what_it_does_not_know() {
    let mut left = state("a", 1);
    let account = left.account(&"a".into());
    account.nonce = 5;
    account.code = "code".into();
    account.code_metadata = "metadata".into();
    account.data = "data".into();
    account.gas_limit = 9;
    account.balance = Some(100.into());
    left.gas_refund = 7.into();
    left.return_data.push("left".into());
    let mut right = state("a", 3);
    right.account(&"a".into()).nonce = 4;
    right.return_data.push("right".into());
    left.merge(right);
    let account = &left.accounts[&b"a"[..]];
    assert_eq!((account.nonce, account.gas_limit), (5, 0));
    assert_eq!(
        (&account.code[..], &account.data[..]),
        (&b"code"[..], &b"data"[..])
    );
    assert_eq!(account.balance, Some(100.into()));
    assert_eq!(account.balance_delta, 3.into());
    assert_eq!(left.return_data, ["left", "right"]);
    // The refund is replaced, not added (docs/spec/README.md#quirk-22).
    assert_eq!(left.gas_refund, 0.into());
}

#[test]
fn what_is_set_aside_loses_metadata() {
    let mut state = state("a", 0);
    state.account(&"a".into()).code_metadata = "metadata".into();
    let nested = state.with_accounts_only();
    state.lose_metadata();
    assert_eq!(state.accounts[&b"a"[..]].code_metadata, "");
    assert_eq!(nested.accounts[&b"a"[..]].code_metadata, "metadata");
}

#[test]
fn copies_take_steps_for_accounts_and_their_values() {
    let mut state = state("a", 0);
    assert_eq!(state.steps_to_copy_accounts(), 512);
    for key in ["one", "two", "one"] {
        let storage = &mut state.account(&"b".into()).storage;
        storage.insert(key.into(), "value".into());
    }
    assert_eq!(state.steps_to_copy_accounts(), 2 * 512 + 2 * 64);
}

fn builtin_answer(delta: Option<i64>, refund: Option<u64>) -> VmOutput {
    let account = messages::OutputAccount {
        address: "a".into(),
        balance_delta: delta.map(messages::BigInt::from),
        gas_limit: 3,
        ..Default::default()
    };
    VmOutput {
        gas_remaining: 50,
        gas_refund: refund.map(messages::BigInt::from),
        output_accounts: vec![OutputAccountEntry {
            key: "garbled".into(),
            value: Some(account),
        }],
        ..VmOutput::default()
    }
}

#[test]
fn the_answer_of_a_builtin_adds_to_deltas_and_refund() {
    let mut ours = state("a", 10);
    ours.account(&"a".into()).gas_limit = 8;
    ours.gas_refund = 1.into();
    ours.merge_builtin(builtin_answer(Some(-3), Some(4)))
        .expect("good");
    assert_eq!(delta(&ours, "a"), 7.into());
    assert_eq!(ours.accounts[&b"a"[..]].gas_limit, 8);
    assert_eq!((ours.gas_refund.clone(), ours.gas_remaining), (5.into(), 0));
    // Nulls are no zeros.
    ours.merge_builtin(builtin_answer(None, None))
        .expect("good");
    assert_eq!(delta(&ours, "a"), 7.into());
    assert_eq!(ours.accounts[&b"a"[..]].gas_limit, 3);
    assert_eq!(ours.gas_refund, 0.into());
}

#[test]
fn an_answer_with_a_null_account_breaks_the_run() {
    let mut answer = builtin_answer(None, None);
    answer.output_accounts[0].value = None;
    assert!(state("a", 0).merge_builtin(answer).is_err());
}

#[test]
fn messages_that_are_not_utf8_are_those_of_go() {
    let state = OutputState {
        return_message: Bytes::from_static(b"a\xff\xfeb"),
        ..OutputState::default()
    };
    assert_eq!(state.into_wire().return_message, "a\u{fffd}\u{fffd}b");
}
