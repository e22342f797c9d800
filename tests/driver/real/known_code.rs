//! Code that the child knows is not sent again, and nodes that know nothing of it (docs/spec/wire.md#known-code).

use super::node::{CONTRACT, GAS, Node, call_input, config, wasm};
use super::raw::{Raw, encode};
use arwen::hooks::BlockchainHook as _;
use arwen::internal::codec;
use arwen::messages::*;
use bytes::Bytes;

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const STORE: &str = include_str!("../../contracts/store.wat");

/// Both formats, where both are there.
fn formats() -> impl Iterator<Item = Format> {
    [Format::Json, Format::Protobuf]
        .into_iter()
        .filter(|format| Format::from_marshalizer(format.marshalizer()).is_ok())
}

#[test]
fn the_driver_and_the_child_agree_on_what_is_known() {
    for format in formats() {
        let mut config = config();
        config.format = format;
        let mut node = Node::with_contract(config, COUNTER);
        for value in 1..4u8 {
            assert_eq!(node.call("increment").return_data, [&[value][..]]);
        }
        // Broken code of the same hash: nobody looks at it, because nobody loads it.
        node.change(|account| account.code = "not loaded".into());
        assert_eq!(node.call("get").return_data, [&[3][..]]);
        // Other code is taken at once.
        node.change(|account| account.set_code(wasm(STORE)));
        let outcome = node.driver.call(call_input("get", GAS));
        let output = outcome.expect("answered").expect("no failure");
        assert_eq!(output.return_code, ReturnCode::FunctionNotFound as i64);
        // A new child knows nothing.
        node.change(|account| account.set_code(wasm(COUNTER)));
        assert_eq!(node.call("get").return_data, [&[3][..]]);
        node.driver.close();
        assert_eq!(node.call("get").return_data, [&[3][..]]);
        assert_eq!(node.driver.stats().critical_errors_total, 0);
    }
}

#[test]
fn without_a_code_hash_the_code_is_always_sent() {
    let mut node = Node::with_contract(config(), COUNTER);
    node.change(|account| account.code_hash = Bytes::new());
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
    node.change(|account| account.code = wasm(STORE));
    let outcome = node.driver.call(call_input("get", GAS));
    let output = outcome.expect("answered").expect("no failure");
    assert_eq!(output.return_code, ReturnCode::FunctionNotFound as i64);
}

/// A node whose messages are made by hand.
struct RawNode {
    raw: Raw,
    account: Account,
}

impl RawNode {
    fn start() -> RawNode {
        let account = Account {
            balance: Some(BigInt::default()),
            code_hash: Bytes::from_static(b"opaque"),
            code: wasm(COUNTER),
            ..Account::default()
        };
        let raw = Raw::start();
        RawNode { raw, account }
    }

    /// Starts a call of `get`; the JSON of the question for the account.
    fn call(&mut self) -> String {
        let call_input = Some(call_input("get", GAS));
        self.send(
            1,
            ContractCallRequest {
                call_input,
                ..Default::default()
            },
        );
        let (kind, question) = self.raw.receive();
        assert_eq!(kind, MessageKind::BlockchainGetUserAccountRequest.wire());
        question
    }

    fn answer(&mut self, account: Account) {
        let account = Some(account);
        self.send(3, BlockchainGetUserAccountResponse { account });
    }

    /// Answers the question for the storage value; the JSON of the output.
    fn finish(&mut self) -> String {
        let (kind, _) = self.raw.receive();
        assert_eq!(kind, MessageKind::BlockchainGetStorageDataRequest.wire());
        let data = Some(Bytes::from_static(&[5]));
        self.send(5, BlockchainGetStorageDataResponse { data });
        self.raw.receive().1
    }

    fn send(&mut self, dialogue_nonce: u32, message: impl Into<Message>) {
        let message = message.into();
        let envelope = Envelope {
            dialogue_nonce,
            kind: message.kind(),
            error_message: String::new(),
        };
        self.raw.send(&encode(envelope, &message));
    }

    fn unchanged(&self) -> Account {
        Account {
            code: Bytes::new(),
            code_unchanged: true,
            ..self.account.clone()
        }
    }
}

const RETURNED: &str = r#""ReturnData":["BQ=="]"#;

/// The field that says what is known; "opaque" in base64.
const KNOWN: &str = r#""KnownCodeHash":"b3BhcXVl""#;

#[test]
fn a_node_may_send_the_code_or_leave_it_out() {
    let mut node = RawNode::start();
    let question = node.call();
    assert!(!question.contains("KnownCodeHash"), "{question}");
    node.answer(node.account.clone());
    assert!(node.finish().contains(RETURNED));

    // An old node does not see the field, and answers as before.
    assert!(node.call().contains(KNOWN));
    let mut frame = Vec::new();
    let response = BlockchainGetUserAccountResponse {
        account: Some(node.account.clone()),
    };
    codec::encode(Format::Json, 3, "", &response, &mut frame).expect("it fits");
    assert!(
        !frame.windows(13).any(|text| text == b"CodeUnchanged"),
        "left out when it is false"
    );
    node.raw.send(&frame);
    assert!(node.finish().contains(RETURNED));

    for _ in 0..2 {
        assert!(node.call().contains(KNOWN));
        node.answer(node.unchanged());
        assert!(node.finish().contains(RETURNED));
    }
    assert_eq!(node.raw.end().0, 3);
}

#[test]
fn code_that_was_never_sent_is_no_answer() {
    let never = "Ended Arwen loop: critical error: bad hook response from node: \
                 the code of an account is said to be unchanged, but none was known";
    let other = "Ended Arwen loop: critical error: bad hook response from node: \
                 the code of an account is said to be unchanged, but its code hash is another one";

    let mut node = RawNode::start();
    node.call();
    node.answer(node.unchanged());
    let (code, text) = node.raw.end();
    assert_eq!((code, text.trim()), (3, never));

    let mut node = RawNode::start();
    node.call();
    node.answer(node.account.clone());
    node.finish();
    node.call();
    node.answer(Account {
        code_hash: Bytes::from_static(b"other"),
        ..node.unchanged()
    });
    let (code, text) = node.raw.end();
    assert_eq!((code, text.trim()), (3, other));
}

/// What the world answers in this process is whole, whoever asks.
#[test]
fn a_hook_that_knows_nothing_of_it_takes_part() {
    let node = Node::with_contract(config(), COUNTER);
    let mut world = node.world.clone();
    let account = world
        .user_account(&CONTRACT)
        .expect("there")
        .expect("there");
    let mut ask = |known: &[u8]| {
        let account = world.user_account_with_known_code(&CONTRACT, known);
        account.expect("there").expect("there")
    };
    assert_eq!(ask(b"another hash"), account);
    let unchanged = ask(&account.code_hash);
    assert!(unchanged.code_unchanged && unchanged.code.is_empty());
}
