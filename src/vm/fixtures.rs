//! What the tests and fuzz targets of the VM have in common: a node in memory, contracts as text, and VMs on both engines.

mod observed;

use super::{QuickLimits, Vm, VmFatal, VmParameters, eei};
use crate::engine::{ImportedFunction, ValueType};
use crate::gas_schedule::{SECTIONS, Section};
use crate::hooks::{BlockchainHook, HookError, HookResult};
use crate::machine::{BuildError, Machine as _, Outcome, VmFailure};
use crate::messages::*;
use crate::trace::SharedRecorder;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard};

/// Enough for every contract of the tests.
pub const GAS: u64 = 1_000_000;

/// Storage keys that begin so are protected.
pub const PROTECTED: &str = "PROTECTED";

/// The function that the hook runs.
pub const BUILTIN: &str = "builtIn";

/// An address of 32 bytes that begins with a name.
pub fn address(name: &str) -> Bytes {
    format!("{name:_<32}").into()
}

/// A schedule where everything costs 1, but for the lock of asynchronous calls.
pub fn schedule_entries() -> Vec<GasSectionEntry> {
    let section = |section: &Section| GasSectionEntry {
        key: section.name.into(),
        value: section.keys.iter().map(|key| cost(key)).collect(),
    };
    SECTIONS.iter().map(section).collect()
}

fn cost(key: &'static str) -> GasCostEntry {
    let value = if key == "AsyncCallbackGasLock" {
        100_000
    } else {
        1
    };
    GasCostEntry {
        key: key.into(),
        value,
    }
}

/// A schedule where only these keys cost something else, in whatever sections they are.
pub fn schedule_with(costs: &[(&str, u64)]) -> Vec<GasSectionEntry> {
    let mut schedule = schedule_entries();
    for entry in schedule.iter_mut().flat_map(|section| &mut section.value) {
        let cost = costs.iter().find(|(key, _)| entry.key == *key);
        entry.value = cost.map_or(entry.value, |(_, cost)| *cost);
    }
    schedule
}

/// Compiles a contract: adds a memory, and an import for each host function that is called as `$name`, or `$eth.name`.
pub fn contract(functions: &str) -> Bytes {
    contract_with_memory("1", functions)
}

/// A contract with a memory of these pages: how many, and how many at most.
pub fn contract_with_memory(pages: &str, functions: &str) -> Bytes {
    let mut module = String::from("(module ");
    for function in eei::import_table() {
        let prefix = if function.namespace == "env" {
            ""
        } else {
            "eth."
        };
        let identifier = format!("${prefix}{}", function.name);
        let is_called = functions
            .split(|c: char| c.is_whitespace() || c == '(' || c == ')')
            .any(|word| word == identifier);
        if is_called {
            module += &import(&identifier, function);
        }
    }
    module += &format!("(memory (export \"memory\") {pages}) {functions})");
    wat::parse_str(module).expect("valid text").into()
}

fn import(identifier: &str, function: &ImportedFunction) -> String {
    let name = |kind: &ValueType| match kind {
        ValueType::I32 => "i32 ",
        ValueType::I64 => "i64 ",
    };
    let parameters: String = function.parameters.iter().map(name).collect();
    let result: String = function.result.iter().map(name).collect();
    format!(
        "(import \"{}\" \"{}\" (func {identifier} (param {parameters}) (result {result})))",
        function.namespace, function.name
    )
}

/// The node's state.
#[derive(Debug, Default)]
pub struct World {
    pub accounts: BTreeMap<Bytes, Account>,
    pub storage: BTreeMap<(Bytes, Bytes), Bytes>,
    /// What the built-in function answers; a refusal if there is nothing.
    pub builtin_answer: Option<Option<VmOutput>>,
    /// Addresses of another shard than that of the rest.
    pub other_shard: Vec<Bytes>,
    /// An account that the node refuses to tell of, and what it says instead.
    pub refuses: Option<(Bytes, &'static str)>,
    /// The name of the hook call at which the node breaks.
    pub breaks_at: Option<&'static str>,
    /// The name of the hook call at which our own code panics.
    pub panics_at: Option<&'static str>,
    /// The hook calls of the last run.
    pub calls: Vec<String>,
}

impl World {
    pub fn put_account(&mut self, name: &str, balance: u64) {
        let account = Account {
            balance: Some(balance.into()),
            address: address(name),
            ..Account::default()
        };
        self.accounts.insert(address(name), account);
    }

    pub fn put_contract(&mut self, name: &str, code: Bytes) {
        self.put_account(name, 1000);
        let account = self.accounts.get_mut(&address(name)).expect("just put");
        account.code = code;
        account.owner_address = address("owner");
    }

    pub fn put_storage(&mut self, name: &str, key: &'static str, value: &'static str) {
        let key = (address(name), key.into());
        self.storage.insert(key, value.into());
    }
}

/// The VM's view of the world.
struct Node(Arc<Mutex<World>>);

impl Node {
    fn ask(&mut self, call: &'static str, subject: &[u8]) -> HookResult<MutexGuard<'_, World>> {
        let mut world = self.0.lock().expect("no test panics here");
        world.calls.push(format!("{call}({})", readable(subject)));
        if world.breaks_at == Some(call) {
            return Err(HookError::Fatal("the pipe is broken".into()));
        }
        if world.panics_at == Some(call) {
            // No other thread may see the world as broken.
            drop(world);
            panic!("{call} panics");
        }
        Ok(world)
    }
}

/// The subject of a hook call as it is recorded. Of a long one, such as a storage key of a whole page, the record keeps
/// the beginning and a hash: a run can ask for thousands of them.
fn readable(subject: &[u8]) -> String {
    const LONGEST_BYTES: usize = 200;
    let (start, rest) = subject.split_at(subject.len().min(LONGEST_BYTES));
    let mut text = String::from_utf8_lossy(start).trim_matches('_').to_owned();
    if !rest.is_empty() {
        let mut hasher = DefaultHasher::new();
        rest.hash(&mut hasher);
        text.push_str(&format!("...{} bytes, {:x}", rest.len(), hasher.finish()));
    }
    text
}

impl BlockchainHook for Node {
    fn new_address(&mut self, creator: &[u8], nonce: u64, _: &[u8]) -> HookResult<Bytes> {
        drop(self.ask("new_address", creator)?);
        Ok(address(&format!("new{nonce}")))
    }

    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        let address = Bytes::copy_from_slice(address);
        let world = self.ask("storage", key)?;
        Ok(world
            .storage
            .get(&(address, Bytes::copy_from_slice(key)))
            .cloned())
    }

    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        drop(self.ask("block_hash", b"")?);
        match nonce {
            0..100 => Ok(vec![nonce as u8; 32].into()),
            _ => Err(HookError::refused("no such block")),
        }
    }

    fn last_nonce(&mut self) -> HookResult<u64> {
        self.ask("last_nonce", b"").map(|_| 1)
    }

    fn last_round(&mut self) -> HookResult<u64> {
        self.ask("last_round", b"").map(|_| 2)
    }

    fn last_time_stamp(&mut self) -> HookResult<u64> {
        self.ask("last_time_stamp", b"").map(|_| 3)
    }

    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        self.ask("last_random_seed", b"")
            .map(|_| "last seed".into())
    }

    fn last_epoch(&mut self) -> HookResult<u32> {
        self.ask("last_epoch", b"").map(|_| 4)
    }

    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        self.ask("state_root_hash", b"").map(|_| "root".into())
    }

    fn current_nonce(&mut self) -> HookResult<u64> {
        self.ask("current_nonce", b"").map(|_| 11)
    }

    fn current_round(&mut self) -> HookResult<u64> {
        self.ask("current_round", b"").map(|_| 12)
    }

    fn current_time_stamp(&mut self) -> HookResult<u64> {
        self.ask("current_time_stamp", b"").map(|_| 13)
    }

    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        self.ask("current_random_seed", b"").map(|_| "seed".into())
    }

    fn current_epoch(&mut self) -> HookResult<u32> {
        self.ask("current_epoch", b"").map(|_| 14)
    }

    fn process_builtin_function(
        &mut self,
        input: &ContractCallInput,
    ) -> HookResult<Option<VmOutput>> {
        let world = self.ask("builtin", input.function.as_bytes())?;
        let answer = world.builtin_answer.clone();
        answer.ok_or(HookError::refused("the built-in function failed"))
    }

    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        self.ask("builtin_function_names", b"").map(|_| Vec::new())
    }

    fn all_state(&mut self, address: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        self.ask("all_state", address).map(|_| Vec::new())
    }

    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        let world = self.ask("account", address)?;
        if let Some((refused, text)) = &world.refuses
            && refused == address
        {
            return Err(HookError::refused(*text));
        }
        Ok(world.accounts.get(address).cloned())
    }

    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        let world = self.ask("shard", address)?;
        Ok(world
            .other_shard
            .iter()
            .any(|other| other == address)
            .into())
    }

    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        let world = self.ask("is_contract", address)?;
        Ok(world
            .accounts
            .get(address)
            .is_some_and(|account| !account.code.is_empty()))
    }
}

/// Parameters that a VM can be made of.
pub fn parameters() -> VmParameters {
    VmParameters {
        vm_type: vec![5, 0].into(),
        block_gas_limit: 10_000_000,
        gas_schedule: schedule_entries(),
        protocol_builtin_functions: vec![BUILTIN.into()],
        protected_key_prefix: PROTECTED.into(),
        ..VmParameters::default()
    }
}

/// A node and its world.
pub fn node() -> (Box<dyn BlockchainHook>, Arc<Mutex<World>>) {
    let world = Arc::new(Mutex::new(World::default()));
    (Box::new(Node(Arc::clone(&world))), world)
}

/// Where the points of an observed run and those by class did not agree.
pub type Faults = Arc<Mutex<Vec<String>>>;

/// A VM with its world.
pub struct Bench {
    pub vm: Vm,
    pub world: Arc<Mutex<World>>,
    /// Who is told what the VM does, on some engines.
    pub recorder: Option<SharedRecorder>,
    /// What it was told and does not agree.
    pub faults: Faults,
}

/// Runs a test on each engine, each time in a new world where an account `caller` owns 1000.
pub fn on_each_engine(test: impl Fn(&mut Bench)) {
    on_each_engine_with(schedule_entries(), test);
}

/// Runs a test on each engine, with a gas schedule.
pub fn on_each_engine_with(schedule: Vec<GasSectionEntry>, test: impl Fn(&mut Bench)) {
    for mut bench in benches(&schedule) {
        test(&mut bench);
    }
}

/// A VM on each engine, each with a world of its own where an account `caller` owns 1000: compiled, interpreted, first
/// interpreted and then compiled, and the same where the interpreter gives up at once. The second and the last are observed, so
/// that every comparison of engines is one of runs with and without an observer.
pub fn benches(schedule: &[GasSectionEntry]) -> [Bench; 4] {
    let tiers = |fuel| Some(QuickLimits { fuel });
    let makers: [(MakeVm, Option<QuickLimits>); 4] = [
        (Vm::new, None),
        (Vm::interpreted, None),
        (Vm::new, Some(QuickLimits::default())),
        (Vm::new, tiers(0)),
    ];
    let mut benches = makers.map(|(make, interpreter)| bench_with(schedule, make, interpreter));
    for index in [1, 3] {
        benches[index].observe();
    }
    benches
}

/// Why a run has no output.
#[derive(Debug, thiserror::Error)]
pub enum NoOutput {
    #[error(transparent)]
    Failure(VmFailure),
    #[error(transparent)]
    Fatal(VmFatal),
}

/// What a run gave, without the difference between the two kinds of failure.
pub fn output_of(result: Result<Outcome, VmFatal>) -> Result<VmOutput, NoOutput> {
    let outcome = result.map_err(NoOutput::Fatal)?;
    outcome.map_err(NoOutput::Failure)
}

/// How a VM is made.
pub type MakeVm = fn(VmParameters, Box<dyn BlockchainHook>) -> Result<Vm, BuildError>;

/// A VM on two tiers, of which the first may spend this fuel in each run.
pub fn bench_on_tiers(fuel: u64) -> Bench {
    bench_with(&schedule_entries(), Vm::new, Some(QuickLimits { fuel }))
}

/// A VM that `make` makes, with its world.
pub fn bench_with(
    schedule: &[GasSectionEntry],
    make: MakeVm,
    interpreter: Option<QuickLimits>,
) -> Bench {
    let (node, world) = node();
    let parameters = VmParameters {
        gas_schedule: schedule.to_vec(),
        engine: crate::vm::EngineSettings {
            interpreter,
            ..crate::vm::EngineSettings::default()
        },
        ..parameters()
    };
    let bench = Bench {
        vm: make(parameters, node).expect("good parameters"),
        world,
        recorder: None,
        faults: Faults::default(),
    };
    bench.world().put_account("caller", 1000);
    bench
}

/// The input of a direct call without value by `caller`.
pub fn input(arguments: &[&[u8]]) -> VmInput {
    VmInput {
        caller_addr: address("caller"),
        arguments: arguments
            .iter()
            .map(|argument| Bytes::copy_from_slice(argument))
            .collect(),
        call_value: Some(BigInt::default()),
        gas_provided: GAS,
        original_tx_hash: "original".into(),
        current_tx_hash: "current".into(),
        ..VmInput::default()
    }
}

impl Bench {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no test panics here")
    }

    /// Stores code, and calls a function of it.
    pub fn run(&mut self, functions: &str, function: &str, arguments: &[&[u8]]) -> VmOutput {
        self.world().put_contract("self", contract(functions));
        self.call("self", function, arguments)
    }

    /// A call that succeeds; returns the gas that it used besides that for the code.
    pub fn executed(&mut self, functions: &str, function: &str, arguments: &[&[u8]]) -> u64 {
        let output = self.run(functions, function, arguments);
        assert_eq!(end(&output), (0, ""), "{function}");
        GAS - contract(functions).len() as u64 - output.gas_remaining
    }

    /// The text of the fault in which a call ends.
    pub fn fault(&mut self, name: &str, function: &str, input: VmInput) -> String {
        match self.call_with(name, function, input) {
            Err(NoOutput::Failure(VmFailure(text))) => text,
            other => panic!("{function}: {other:?}"),
        }
    }

    /// Calls a function of a contract of the world.
    pub fn call(&mut self, name: &str, function: &str, arguments: &[&[u8]]) -> VmOutput {
        self.call_with(name, function, input(arguments))
            .expect("an output")
    }

    pub fn call_with(
        &mut self,
        name: &str,
        function: &str,
        input: VmInput,
    ) -> Result<VmOutput, NoOutput> {
        self.world().calls.clear();
        let gas = input.gas_provided;
        let result = output_of(self.vm.call(ContractCallInput {
            input: Some(input),
            recipient_addr: address(name),
            function: function.to_owned(),
        }));
        self.check_observed(gas, &result);
        result
    }

    pub fn create(&mut self, code: Bytes, input: VmInput) -> VmOutput {
        self.world().calls.clear();
        let gas = input.gas_provided;
        let created = self.vm.deploy(ContractCreateInput {
            input: Some(input),
            contract_code: code,
            contract_code_metadata: vec![1, 0].into(),
        });
        let result = output_of(created);
        self.check_observed(gas, &result);
        result.expect("an output")
    }
}

/// The account with this name in an output.
pub fn account<'a>(output: &'a VmOutput, name: &str) -> &'a OutputAccount {
    let address = address(name);
    let entry = output
        .output_accounts
        .iter()
        .find(|entry| entry.key == address);
    let account = entry.and_then(|entry| entry.value.as_ref());
    account.unwrap_or_else(|| panic!("there is no account {name}"))
}

/// The names of the accounts in an output.
pub fn account_names(output: &VmOutput) -> Vec<String> {
    let keys = output.output_accounts.iter().map(|entry| entry.key.clone());
    keys.map(|key| String::from_utf8_lossy(&key).trim_matches('_').to_owned())
        .collect()
}

/// Keys and values of storage updates.
pub fn updates(account: &OutputAccount) -> Vec<(Bytes, Bytes)> {
    let updates = account.storage_updates.iter();
    updates
        .map(|update| {
            let value = update.value.clone().expect("never null");
            assert_eq!(update.key, value.offset);
            (value.offset, value.data)
        })
        .collect()
}

/// A number that a contract has returned.
pub fn number(item: &[u8]) -> i64 {
    let sign = if item.first().is_some_and(|byte| *byte > 127) {
        -1
    } else {
        0
    };
    item.iter()
        .fold(sign, |number, byte| number << 8 | i64::from(*byte))
}

/// Code and message, for comparison.
pub fn end(output: &VmOutput) -> (i64, &str) {
    (output.return_code, &output.return_message)
}
