//! One round trip a call, and nothing that a contract sees depends on it (docs/spec/wire.md#read-ahead).

use super::determinism::{Case, Random, response};
use super::node::{CONTRACT, GAS, Node, USER, call_input, config, deploy_input, wasm, world};
use super::recorded::dialogues::{Row, recordings};
use super::talkative::Talkative;
use arwen::driver::{Driver, ReadAhead};
use arwen::hooks::{BlockchainHook, HookError, HookResult};
use arwen::internal::codec;
use arwen::internal::recording::{Reader, Record};
use arwen::internal::scenario::NewAddress;
use arwen::messages::*;
use bytes::Bytes;
use std::collections::HashMap;
use std::fs::File;

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const TOKEN: &str = include_str!("../../contracts/token.wat");
const FACTORY: &str = include_str!("../../contracts/factory.wat");

/// The kinds of all frames that a driver of one child exchanged, by its recording.
fn kinds(folder: &std::path::Path) -> Vec<MessageKind> {
    let mut files = std::fs::read_dir(folder).expect("there");
    let file = files.next().expect("a recording").expect("readable").path();
    let mut reader = Reader::new(File::open(file).expect("there")).expect("a recording");
    let mut kinds = Vec::new();
    while let Some(record) = reader.next().expect("whole") {
        if let Record::Frame(frame) = record {
            kinds.push(MessageKind::from_wire(frame.kind).expect("known"));
        }
    }
    kinds
}

#[test]
fn a_call_is_one_frame_each_way() {
    use MessageKind::{ContractCallRequest, ContractResponse};
    for format in [Format::Json, Format::PREFERRED] {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config().record(folder.path()).format(format);
        let mut node = Node::with_contract(config, COUNTER);
        for value in 1..=10u8 {
            assert_eq!(node.call("increment").return_data, [&[value][..]]);
        }
        let stats = node.driver.stats();
        // Two are learned from: the second one confirms what the first one has asked.
        assert_eq!(stats.read_ahead_missed_total, 4, "{stats:?}");
        assert_eq!(stats.read_ahead_used_total, 16, "{stats:?}");
        assert_eq!(stats.read_ahead_wasted_total, 0, "{stats:?}");
        assert_eq!(stats.hook_calls_total, 20, "{stats:?}");
        drop(node);
        let kinds = kinds(folder.path());
        let last = &kinds[kinds.len() - 1 - 16..kinds.len() - 1];
        let expected = [ContractCallRequest, ContractResponse].repeat(8);
        assert_eq!(last, expected, "{kinds:?}");
    }
}

#[test]
fn transfers_between_changing_accounts_ask_nothing() {
    let mut node = Node::with_contract(config(), TOKEN);
    let account = |number: u8| Bytes::from(vec![number; 32]);
    node.change(|contract| {
        for number in 1..=40 {
            let key = [b"B", &account(number)[..]].concat();
            contract
                .storage
                .insert(key.into(), Bytes::from_static(&[100]));
        }
    });
    for number in 1..40 {
        let mut input = call_input("transfer", GAS);
        let vm_input = input.input.get_or_insert_default();
        vm_input.caller_addr = account(number);
        vm_input.arguments = vec![account(number + 1), Bytes::from(vec![number])];
        let output = node
            .driver
            .call(input)
            .expect("answered")
            .expect("no failure");
        assert_eq!(
            (output.return_code, output.return_message.as_str()),
            (0, "")
        );
        let expected = [100 - number, 100 + number];
        let found = [number, number + 1].map(|number| {
            let key = [b"B", &account(number)[..]].concat();
            let accounts = output.output_accounts.iter();
            let updates =
                accounts.flat_map(|entry| &entry.value.as_ref().expect("there").storage_updates);
            let mut values = updates.filter_map(|update| update.value.as_ref());
            values
                .find(|update| update.offset == key)
                .expect("written")
                .data[0]
        });
        assert_eq!(found, expected);
    }
    let stats = node.driver.stats();
    assert_eq!(stats.read_ahead_missed_total, 2 * 3, "{stats:?}");
    assert_eq!(stats.read_ahead_used_total, 37 * 3, "{stats:?}");
}

/// A place for the contract that is created next, and its address.
fn next_address(node: &Node, creator: Bytes, creator_nonce: u64, number: u8) -> Bytes {
    let address = Bytes::from([&[0; 8][..], &[5, 0], &[number; 22]].concat());
    node.world.lock().lasting.new_addresses = vec![NewAddress {
        creator,
        creator_nonce,
        address: address.clone(),
    }];
    address
}

/// What is asked about a new contract follows from its address, which the node has answered before.
#[test]
fn contracts_that_create_contracts_are_known_ahead() {
    let mut node = Node::with_contract(config(), FACTORY);
    for number in 0..6 {
        let address = next_address(&node, CONTRACT, 0, number);
        let mut input = call_input("create", GAS);
        input.input.get_or_insert_default().arguments = vec![wasm(COUNTER)];
        let before = node.driver.stats().read_ahead_missed_total;
        let output = node
            .driver
            .call(input)
            .expect("answered")
            .expect("no failure");
        assert_eq!(output.return_message, "");
        assert_eq!(output.return_data, [address]);
        let missed = node.driver.stats().read_ahead_missed_total - before;
        assert_eq!(missed > 0, number < 2, "{number}: {missed}");
    }
}

/// The address of a deploy follows from the caller's nonce.
#[test]
fn deploys_are_known_ahead() {
    let mut node = Node::with_contract(config(), COUNTER);
    for number in 0..6 {
        let nonce = 10 + 3 * u64::from(number);
        node.world
            .lock()
            .accounts
            .get_mut(&USER)
            .expect("there")
            .nonce = nonce + 1;
        let address = next_address(&node, USER, nonce, number);
        let before = node.driver.stats().read_ahead_missed_total;
        let outcome = node.driver.deploy(deploy_input(wasm(COUNTER)));
        let output = outcome.expect("answered").expect("no failure");
        assert_eq!(output.return_message, "");
        assert!(
            output
                .output_accounts
                .iter()
                .any(|account| account.key == address)
        );
        let missed = node.driver.stats().read_ahead_missed_total - before;
        // Of the first one nothing is kept: most code is deployed once.
        assert_eq!(missed > 0, number < 3, "{number}: {missed}");
    }
}

/// Everything that a contract can ask without another one.
#[test]
fn all_facts_are_known_ahead() {
    let node = Talkative::default();
    let mut driver = Driver::new(config(), node.clone()).expect("the child starts");
    let mut answers = Vec::new();
    for _ in 0..4 {
        let outcome = driver.call(call_input("askEverything", GAS));
        let output = outcome.expect("answered").expect("no failure");
        assert_eq!(output.return_code, 0, "{}", output.return_message);
        answers.push((output, node.take_asked()));
    }
    assert!(answers.iter().all(|(output, _)| *output == answers[0].0));
    let asked: Vec<_> = answers.iter().map(|(_, asked)| asked.len()).collect();
    // The account is asked for twice, and one answer serves both.
    assert_eq!(asked, [17, 17, 16, 16]);
    assert_eq!(driver.stats().read_ahead_missed_total, 34);
}

/// Random requests to a child that is read ahead for and to one that is not: the same bytes. Each is made several times, with other
/// arguments and states in between, so that what is predicted is right, partly right or wrong.
#[test]
fn random_requests_are_answered_alike() {
    let start = |read_ahead| {
        let config = config().read_ahead(read_ahead);
        Driver::new(config, world()).expect("the child starts")
    };
    let [mut with, mut without] = [ReadAhead::default(), ReadAhead::OFF].map(start);
    let mut random = Random::new(7);
    for round in 0..1500 {
        let case = Case::new(random.below(60) as u64 + round / 500 * 60);
        let answers = [&mut with, &mut without].map(|driver| {
            *driver.hook_mut() = case.world();
            response(driver.call(case.input.clone()).expect("no critical error"))
        });
        assert_eq!(answers[0], answers[1], "round {round}: {:?}", case.input);
    }
    let stats = with.stats();
    println!("{stats:?}");
    assert!(stats.read_ahead_used_total > 1000, "{stats:?}");
    assert!(stats.read_ahead_wasted_total > 10, "{stats:?}");
    assert!(stats.read_ahead_missed_total > 10, "{stats:?}");
}

/// A node that gives the recorded answers of one dialogue, to whoever asks and when.
#[derive(Default)]
struct Replayed {
    /// By the JSON of the hook call.
    answers: HashMap<Vec<u8>, (Message, String)>,
}

/// The JSON of a hook call without its envelope.
fn question(message: &Message) -> Vec<u8> {
    super::raw::encode(Envelope::default(), message)
}

impl Replayed {
    fn answer<R: HookRequest>(&self, call: R) -> HookResult<R::Response> {
        let call: Message = call.into();
        let Some((answer, error)) = self.answers.get(&question(&call)) else {
            return Err(HookError::fatal(format!("not recorded: {call:?}")));
        };
        match error.is_empty() {
            true => Ok(R::Response::from_message(answer.clone()).expect("of the right kind")),
            false => Err(HookError::refused(error)),
        }
    }
}

/// `method(parameters) -> result = the hook call => the field of its answer`
macro_rules! replayed {
    ($($method:ident($($parameter:ident: $type:ty),*) -> $result:ty = $call:expr => $field:ident;)*) => {
        impl BlockchainHook for Replayed {
            $(fn $method(&mut self, $($parameter: $type),*) -> HookResult<$result> {
                Ok(self.answer($call)?.$field)
            })*
        }
    };
}

fn bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

replayed! {
    new_address(creator: &[u8], nonce: u64, vm_type: &[u8]) -> Bytes = BlockchainNewAddressRequest {
        creator_address: bytes(creator), creator_nonce: nonce, vm_type: bytes(vm_type)
    } => result;
    storage_data(address: &[u8], key: &[u8]) -> Option<Bytes> = BlockchainGetStorageDataRequest {
        address: bytes(address), index: bytes(key)
    } => data;
    user_account(address: &[u8]) -> Option<Account> = BlockchainGetUserAccountRequest {
        address: bytes(address), known_code_hash: Bytes::new()
    } => account;
    is_smart_contract(address: &[u8]) -> bool = BlockchainIsSmartContractRequest {
        address: bytes(address)
    } => result;
    shard_of_address(address: &[u8]) -> u32 = BlockchainGetShardOfAddressRequest {
        address: bytes(address)
    } => shard;
    process_builtin_function(input: &ContractCallInput) -> Option<VmOutput>
        = BlockchainProcessBuiltinFunctionRequest { call_input: Some(input.clone()) } => vm_output;
    block_hash(nonce: u64) -> Bytes = BlockchainGetBlockhashRequest { nonce } => result;
    last_nonce() -> u64 = BlockchainLastNonceRequest {} => result;
    last_round() -> u64 = BlockchainLastRoundRequest {} => result;
    last_time_stamp() -> u64 = BlockchainLastTimeStampRequest {} => result;
    last_random_seed() -> Bytes = BlockchainLastRandomSeedRequest {} => result;
    last_epoch() -> u32 = BlockchainLastEpochRequest {} => result;
    state_root_hash() -> Bytes = BlockchainGetStateRootHashRequest {} => result;
    current_nonce() -> u64 = BlockchainCurrentNonceRequest {} => result;
    current_round() -> u64 = BlockchainCurrentRoundRequest {} => result;
    current_time_stamp() -> u64 = BlockchainCurrentTimeStampRequest {} => result;
    current_random_seed() -> Bytes = BlockchainCurrentRandomSeedRequest {} => result;
    current_epoch() -> u32 = BlockchainCurrentEpochRequest {} => result;
}

/// A recorded request, what the node answered meanwhile, and the response.
struct Dialogue {
    request: Message,
    node: Replayed,
    response: Message,
    error: String,
    /// Whether a hook call was answered in two ways: the world had changed.
    has_changed: bool,
}

fn decode(row: &Row) -> (Envelope, Message) {
    let payload = Bytes::from(row.payload.clone());
    codec::decode(Format::Json, row.kind, payload).expect("a message")
}

/// The dialogues of a recording that run contracts.
fn dialogues(rows: &[Row]) -> Vec<Dialogue> {
    let mut dialogues = Vec::new();
    let mut current: Option<(Message, Replayed, bool)> = None;
    let mut asked = Vec::new();
    for row in rows {
        let (envelope, message) = decode(row);
        match &message {
            Message::ContractCallRequest(_) | Message::ContractDeployRequest(_) => {
                current = Some((message, Replayed::default(), false));
            }
            Message::ContractResponse(_) => {
                if let Some((request, node, has_changed)) = current.take() {
                    dialogues.push(Dialogue {
                        request,
                        node,
                        response: message,
                        error: envelope.error_message,
                        has_changed,
                    });
                }
            }
            _ if !row.from_node => asked = question(&message),
            _ => {
                if let Some((_, node, has_changed)) = &mut current {
                    let answer = (message, envelope.error_message);
                    let earlier = node.answers.insert(asked.clone(), answer.clone());
                    *has_changed |= earlier.is_some_and(|earlier| earlier != answer);
                }
            }
        }
    }
    dialogues
}

/// Recorded dialogues of the Go child, each made several times in turns with the others of its life: as recorded, whatever was
/// read ahead.
#[test]
fn recorded_dialogues_end_as_recorded() {
    let (mut played, mut used, mut skipped) = (0, 0, 0);
    for (name, rows) in recordings() {
        let (_, initialize) = decode(&rows[0]);
        let Message::Initialize(initialize) = initialize else {
            panic!("{name} begins with another message");
        };
        // Protobuf does not tell null from empty.
        let mut config = config().format(Format::Json);
        config.arguments = initialize.arguments.expect("arguments");
        let mut driver = Driver::new(config, Replayed::default()).expect("the child starts");
        let mut dialogues = dialogues(&rows);
        skipped += dialogues
            .iter()
            .filter(|dialogue| dialogue.has_changed)
            .count();
        dialogues.retain(|dialogue| !dialogue.has_changed);
        for round in 0..4 {
            for (at, dialogue) in dialogues.iter().enumerate() {
                driver.hook_mut().answers.clone_from(&dialogue.node.answers);
                let outcome = match dialogue.request.clone() {
                    Message::ContractCallRequest(request) => {
                        request.call_input.map(|input| driver.call(input))
                    }
                    Message::ContractDeployRequest(request) => {
                        request.create_input.map(|input| driver.deploy(input))
                    }
                    other => panic!("{other:?}"),
                };
                let Some(outcome) = outcome else { continue };
                let found = response(outcome.expect("no critical error"));
                let envelope = Envelope {
                    error_message: dialogue.error.clone(),
                    ..Envelope::default()
                };
                let recorded = super::raw::encode(envelope, &dialogue.response);
                let recorded = String::from_utf8_lossy(&recorded).into_owned();
                assert_eq!(found, recorded, "{name}, dialogue {at}, round {round}");
                played += 1;
            }
        }
        used += driver.stats().read_ahead_used_total;
    }
    println!("{played} dialogues played, {used} answers used ahead, {skipped} left out");
    assert!(played > 200, "{played}");
    assert!(used > 250, "{used}");
    assert!(skipped < 3, "{skipped}");
}
