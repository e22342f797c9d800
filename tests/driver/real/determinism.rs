//! The same request to two fresh children: the same bytes (row F26 of docs/reliability.md).
//!
//! `ARWEN_TWICE=20000 cargo test --release --test driver determinism -- --nocapture` makes so many requests, each twice.

use super::node::{CONTRACT, USER, arguments, config, wasm, world};
use super::raw::encode;
use arwen::driver::{DiskCache, Driver, Outcome};
use arwen::internal::scenario::{Account, SharedWorld};
use arwen::messages::*;
use bytes::Bytes;
use std::collections::BTreeSet;

/// Contracts whose functions are called, `init` too. Not large.wat: what it asks for takes as long as it is large.
const CONTRACTS: [&str; 9] = [
    include_str!("../../contracts/adder.wat"),
    include_str!("../../contracts/asking.wat"),
    include_str!("../../contracts/counter.wat"),
    include_str!("../../contracts/factory.wat"),
    include_str!("../../contracts/greedy.wat"),
    include_str!("../../contracts/hooks.wat"),
    include_str!("../../contracts/loops.wat"),
    include_str!("../../contracts/store.wat"),
    include_str!("../../contracts/token.wat"),
];

/// Keys that these contracts have in their storage, and one that none has.
const KEYS: [&[u8]; 5] = [b"COUNTER", b"sum", b"TOTAL", b"a", b"none"];

/// Random numbers that are the same for the same seed: splitmix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A few bytes, an address, a number or a key.
    fn argument(&mut self) -> Bytes {
        match self.below(4) {
            0 => USER,
            1 => CONTRACT,
            2 => Bytes::from_static(self.one_of(&KEYS)),
            _ => {
                let length = self.below(9);
                self.next().to_be_bytes()[..length].to_vec().into()
            }
        }
    }
}

/// A request, and the state of the chain that it meets.
pub struct Case {
    contract: Account,
    pub input: ContractCallInput,
}

impl Case {
    pub fn new(seed: u64) -> Case {
        let mut random = Random(seed);
        let source = random.one_of(&CONTRACTS);
        let functions = functions(source);
        let code = wasm(source);
        let gas_provided = match random.below(4) {
            // Ends somewhere in the contract.
            0 => (code.len() + random.below(200)) as u64,
            1 => 3_000_000,
            _ => 20_000,
        };
        let mut contract = Account::default();
        contract.set_code(code);
        for _ in 0..random.below(4) {
            let key = Bytes::from_static(random.one_of(&KEYS));
            contract.storage.insert(key, random.argument());
        }
        let input = VmInput {
            caller_addr: USER,
            call_value: Some(BigInt::from(random.one_of(&[0u64, 0, 7]))),
            arguments: (0..random.below(4)).map(|_| random.argument()).collect(),
            gas_provided,
            ..VmInput::default()
        };
        Case {
            contract,
            input: ContractCallInput {
                input: Some(input),
                recipient_addr: CONTRACT,
                function: random.one_of(&functions).to_owned(),
            },
        }
    }

    pub fn world(&self) -> SharedWorld {
        let world = world();
        let mut accounts = world.lock();
        accounts.accounts.insert(CONTRACT, self.contract.clone());
        drop(accounts);
        world
    }

    /// What a fresh child answers: the bytes that the node gets, and the number of its hook calls.
    fn answer(&self, disk_cache: DiskCache) -> (String, u64) {
        let mut config = config();
        config.arguments = arguments();
        config.disk_cache = disk_cache;
        let mut driver = Driver::new(config, self.world()).expect("the child starts");
        let outcome = driver.call(self.input.clone()).expect("no critical error");
        (response(outcome), driver.stats().hook_calls_total)
    }
}

/// The JSON that the node got.
pub fn response(outcome: Outcome) -> String {
    let (vm_output, error_message) = match outcome {
        Ok(output) => (Some(output), String::new()),
        Err(failure) => (None, failure.0),
    };
    let envelope = Envelope {
        error_message,
        ..Envelope::default()
    };
    let response = ContractResponse {
        vm_output,
        ..ContractResponse::default()
    };
    let bytes = encode(envelope, &response.into());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The functions that a contract exports.
fn functions(source: &str) -> Vec<&str> {
    let exports = source.split("(func (export \"").skip(1);
    let names = exports.map(|rest| rest.split('"').next().unwrap_or_default());
    names.collect()
}

#[test]
fn two_fresh_children_give_the_same_bytes() {
    let cases = std::env::var("ARWEN_TWICE")
        .map_or(200, |cases| cases.parse().expect("ARWEN_TWICE is a number"));
    let folder = tempfile::tempdir().expect("a folder");
    // What earlier children have compiled is loaded by later ones; the others interpret first.
    let cache = || DiskCache::Folder(folder.path().join("modules"));
    let mut different = BTreeSet::new();
    let mut succeeded = 0;
    for seed in 0..cases {
        let case = Case::new(seed);
        let first = case.answer(DiskCache::Off);
        let second = case.answer(cache());
        assert_eq!(first, second, "seed {seed}: {:?}", case.input);
        succeeded += u64::from(first.0.contains(r#""ReturnCode":0"#));
        different.insert(first);
    }
    println!(
        "{cases} requests to two fresh children each: {} different answers, {succeeded} of success; 0 pairs differ",
        different.len()
    );
    assert!(different.len() as u64 > cases / 10, "{}", different.len());
    assert!(succeeded > cases / 10 && succeeded < cases, "{succeeded}");
}
