//! Generated expressions: every engine computes the same values. wasmi and the compiler make other code of the same operators where
//! these stand beside each other, such as a comparison before a `select`.
//!
//! `ARWEN_EXPRESSIONS=100000 cargo test --release --lib engine::tests::expressions` compares as many modules.

use proptest::prelude::*;

use super::{End, run};

const BINARY: [&str; 21] = [
    "add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr", "eq", "ne",
    "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u",
];
/// The first so many of them give a value of the type of their operands, the others a truth.
const ARITHMETIC: usize = 11;
const I32_UNARY: [&str; 6] = ["eqz", "clz", "ctz", "popcnt", "extend8_s", "extend16_s"];
const I64_UNARY: [&str; 7] = [
    "eqz",
    "clz",
    "ctz",
    "popcnt",
    "extend8_s",
    "extend16_s",
    "extend32_s",
];
/// Divisions that do not trap, as the divisor is made odd.
const DIVISIONS: [&str; 3] = ["div_u", "rem_u", "rem_s"];
const I32_ACCESSES: [(&str, &str); 5] = [
    ("load", "store"),
    ("load8_s", "store8"),
    ("load8_u", "store8"),
    ("load16_s", "store16"),
    ("load16_u", "store16"),
];
const I64_ACCESSES: [(&str, &str); 7] = [
    ("load", "store"),
    ("load8_s", "store8"),
    ("load8_u", "store8"),
    ("load16_s", "store16"),
    ("load16_u", "store16"),
    ("load32_s", "store32"),
    ("load32_u", "store32"),
];
const OFFSETS: [u32; 5] = [0, 8, 65_535, 65_536, 70_000];
const I32_CONSTANTS: [i32; 8] = [0, 1, -1, 2, 7, 65_536, i32::MIN, i32::MAX];
const I64_CONSTANTS: [i64; 8] = [0, 1, -1, 2, 7, 1 << 32, i64::MIN, i64::MAX];

/// Where the results are, behind all that the functions write.
const RESULTS: usize = 80_000;

/// How the functions are called.
const ARGUMENTS: [&str; 3] = [
    "i32.const 0 i32.const 0 i64.const 0 i64.const 0",
    "i32.const 1 i32.const -1 i64.const 1 i64.const -1",
    "i32.const 6 i32.const 100000 i64.const -9223372036854775808 i64.const 7",
];

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    I32,
    I64,
}

use Kind::{I32, I64};

impl Kind {
    fn name(self) -> &'static str {
        match self {
            I32 => "i32",
            I64 => "i64",
        }
    }

    /// Locals of this type. `$p` is an address: always below 1024.
    fn locals(self) -> &'static [&'static str] {
        match self {
            I32 => &["$a", "$b", "$c", "$p"],
            I64 => &["$x", "$y", "$z"],
        }
    }
}

/// An open block: its result, the height of the operand stack where it began, and whether it is an `if` without `else` so far.
struct Level {
    result: Kind,
    height: usize,
    is_if: bool,
}

/// Writes a body that bytes choose. Any bytes give a valid one.
struct Writer<'a> {
    bytes: std::slice::Iter<'a, u8>,
    text: String,
    stack: Vec<Kind>,
    levels: Vec<Level>,
    /// The functions that can be called.
    functions: usize,
}

impl Writer<'_> {
    fn byte(&mut self) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or(0))
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.byte() % from.len()]
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push(' ');
    }

    /// The height of the operand stack where the innermost block began.
    fn floor(&self) -> usize {
        self.levels.last().map_or(0, |level| level.height)
    }

    /// Takes an operand of the type, which is pushed if it is not on top.
    fn take(&mut self, kind: Kind) {
        if self.stack.len() > self.floor() && self.stack.last() == Some(&kind) {
            self.stack.pop();
        } else {
            let local = self.choose(kind.locals());
            self.put(&format!("local.get {local}"));
        }
    }

    /// Takes operands of one type. Those that are there are used if all are there.
    fn take_all(&mut self, kind: Kind, count: usize) {
        let start = self.stack.len().saturating_sub(count);
        if start >= self.floor()
            && self.stack.len() >= count
            && self.stack[start..].iter().all(|one| *one == kind)
        {
            self.stack.truncate(start);
        } else {
            for _ in 0..count {
                let local = self.choose(kind.locals());
                self.put(&format!("local.get {local}"));
            }
        }
    }

    fn kind(&mut self) -> Kind {
        self.choose(&[I32, I64])
    }

    fn piece(&mut self) {
        let kind = self.kind();
        match self.byte() % 32 {
            0..=3 => {
                let local = self.choose(kind.locals());
                self.put(&format!("local.get {local}"));
                self.stack.push(kind);
            }
            4..=6 => self.set_local(kind),
            7 => {
                self.constant(kind);
                self.stack.push(kind);
            }
            8..=14 => self.binary(kind, false),
            15 | 16 => self.binary(kind, true),
            17 | 18 => self.unary(kind),
            19 => {
                let (name, operator) = (kind.name(), self.choose(&DIVISIONS));
                self.take_all(kind, 2);
                self.put(&format!("{name}.const 1 {name}.or {name}.{operator}"));
                self.stack.push(kind);
            }
            20..=22 => self.select_by_last(kind),
            23 => self.select_by_local(kind),
            24 => self.convert(),
            25 => self.load(kind),
            26 => self.store(kind),
            27 | 28 => self.open(kind),
            29 => self.close(),
            30 => self.branch(),
            _ => self.call_or_global(kind),
        }
    }

    fn constant(&mut self, kind: Kind) {
        let constant = match kind {
            I32 => i64::from(self.choose(&I32_CONSTANTS)),
            I64 => self.choose(&I64_CONSTANTS),
        };
        self.put(&format!("{}.const {constant}", kind.name()));
    }

    fn binary(&mut self, kind: Kind, by_constant: bool) {
        let operator = self.byte() % BINARY.len();
        if by_constant {
            self.take(kind);
            self.constant(kind);
        } else {
            self.take_all(kind, 2);
        }
        self.put(&format!("{}.{}", kind.name(), BINARY[operator]));
        self.stack
            .push(if operator < ARITHMETIC { kind } else { I32 });
    }

    fn unary(&mut self, kind: Kind) {
        let operator = match kind {
            I32 => self.choose(&I32_UNARY),
            I64 => self.choose(&I64_UNARY),
        };
        self.take(kind);
        self.put(&format!("{}.{operator}", kind.name()));
        self.stack.push(if operator == "eqz" { I32 } else { kind });
    }

    fn select_by_last(&mut self, kind: Kind) {
        self.take(I32);
        self.put("local.set $t");
        self.take_all(kind, 2);
        let test = self.choose(&["", "", "i32.eqz", "i32.const 0 i32.ne"]);
        self.put(&format!("local.get $t {test} select"));
        self.stack.push(kind);
    }

    /// What was computed last is something else than the condition.
    fn select_by_local(&mut self, kind: Kind) {
        self.take_all(kind, 2);
        let condition = self.choose(I32.locals());
        let test = self.choose(&["", "i32.eqz", "i32.const 0 i32.eq", "i32.const 0 i32.ne"]);
        self.put(&format!("local.get {condition} {test} select"));
        self.stack.push(kind);
    }

    fn convert(&mut self) {
        let (operator, from, to) = self.choose(&[
            ("i32.wrap_i64", I64, I32),
            ("i64.extend_i32_s", I32, I64),
            ("i64.extend_i32_u", I32, I64),
        ]);
        self.take(from);
        self.put(operator);
        self.stack.push(to);
    }

    fn set_local(&mut self, kind: Kind) {
        let local = self.choose(kind.locals());
        self.take(kind);
        if local == "$p" {
            self.put("i32.const 1023 i32.and");
        }
        match self.byte() % 2 {
            0 => self.put(&format!("local.set {local}")),
            _ => {
                self.put(&format!("local.tee {local}"));
                self.stack.push(kind);
            }
        }
    }

    fn access(&mut self, kind: Kind) -> (&'static str, &'static str) {
        match kind {
            I32 => self.choose(&I32_ACCESSES),
            I64 => self.choose(&I64_ACCESSES),
        }
    }

    fn load(&mut self, kind: Kind) {
        let ((load, _), offset) = (self.access(kind), self.choose(&OFFSETS));
        self.put(&format!(
            "local.get $p {}.{load} offset={offset}",
            kind.name()
        ));
        self.stack.push(kind);
    }

    fn store(&mut self, kind: Kind) {
        let ((_, store), offset) = (self.access(kind), self.choose(&OFFSETS));
        let value = match kind {
            I32 => self.choose(&["local.get $p", "local.get $a", "i32.const 0"]),
            I64 => self.choose(&[
                "local.get $p i64.extend_i32_u",
                "local.get $x",
                "i64.const 5",
            ]),
        };
        self.put(&format!(
            "local.get $p {value} {}.{store} offset={offset}",
            kind.name()
        ));
    }

    fn open(&mut self, result: Kind) {
        if self.levels.len() > 5 {
            return;
        }
        let opener = self.choose(&["block", "loop", "if", "if"]);
        let is_if = opener == "if";
        if is_if {
            self.take(I32);
        }
        self.put(&format!("{opener} (result {})", result.name()));
        self.levels.push(Level {
            result,
            height: self.stack.len(),
            is_if,
        });
    }

    /// Leaves exactly the result of the innermost block.
    fn settle(&mut self) {
        let (result, height) = match self.levels.last() {
            Some(level) => (level.result, level.height),
            None => (I64, 0),
        };
        if self.stack.len() <= height || self.stack.last() != Some(&result) {
            let local = self.choose(result.locals());
            self.put(&format!("local.get {local}"));
            self.stack.push(result);
        }
        while self.stack.len() > height + 1 {
            let below = self.stack.remove(self.stack.len() - 2);
            // The value goes through a local, what is below is dropped into another.
            let (kept, dropped) = match (result, below) {
                (I32, I32) => ("$t", "$c"),
                (I32, I64) => ("$t", "$z"),
                (I64, I32) => ("$u", "$c"),
                (I64, I64) => ("$u", "$z"),
            };
            self.put(&format!(
                "local.set {kept} local.set {dropped} local.get {kept}"
            ));
        }
    }

    fn close(&mut self) {
        if self.levels.is_empty() {
            return;
        }
        self.settle();
        let level = self.levels.last_mut().expect("it is not empty");
        if level.is_if {
            level.is_if = false;
            self.stack.pop();
            self.put("else");
            return;
        }
        self.levels.pop();
        self.put("end");
    }

    /// To the end of a block whose result is on top, if the condition is true.
    fn branch(&mut self) {
        let depth = self.byte() % (self.levels.len() + 1);
        let target = self.levels.len().checked_sub(depth + 1);
        let result = target.map_or(I64, |target| self.levels[target].result);
        // A branch to a loop would repeat it, and takes no value: so loops are targets only by their blocks around them.
        if target.is_some_and(|target| self.is_loop(target)) {
            return;
        }
        self.take(I32);
        self.put("local.set $t");
        if self.stack.len() <= self.floor() || self.stack.last() != Some(&result) {
            let local = self.choose(result.locals());
            self.put(&format!("local.get {local}"));
            self.stack.push(result);
        }
        let test = self.choose(&["", "i32.eqz", "i32.const 3 i32.and"]);
        self.put(&format!("local.get $t {test} br_if {depth}"));
    }

    /// Whether the level was opened by `loop`.
    fn is_loop(&self, level: usize) -> bool {
        let mut open = Vec::new();
        let words: Vec<&str> = self.text.split_ascii_whitespace().collect();
        for word in words {
            match word {
                "block" | "loop" | "if" => open.push(word),
                "end" => drop(open.pop()),
                _ => {}
            }
        }
        open[level] == "loop"
    }

    fn call_or_global(&mut self, kind: Kind) {
        let global = if kind == I32 { "$g" } else { "$h" };
        match self.byte() % 3 {
            0 => {
                self.put(&format!("global.get {global}"));
                self.stack.push(kind);
            }
            1 => {
                self.take(kind);
                self.put(&format!("global.set {global}"));
            }
            _ if self.functions > 0 => {
                let function = self.byte() % self.functions;
                let [a, b] = [self.choose(I32.locals()), self.choose(I32.locals())];
                let [x, y] = [self.choose(I64.locals()), self.choose(I64.locals())];
                self.put(&format!(
                    "local.get {a} local.get {b} local.get {x} local.get {y} call $f{function}"
                ));
                self.stack.push(I64);
            }
            _ => {}
        }
    }
}

/// A function that can call those before it.
fn function(index: usize, bytes: &[u8]) -> String {
    let mut writer = Writer {
        bytes: bytes.iter(),
        text: String::new(),
        stack: Vec::new(),
        levels: Vec::new(),
        functions: index,
    };
    while writer.bytes.len() > 0 {
        writer.piece();
    }
    while !writer.levels.is_empty() {
        writer.close();
    }
    writer.settle();
    // All locals can be seen in the result.
    for local in I64.locals() {
        writer.put(&format!("i64.const 31 i64.mul local.get {local} i64.xor"));
    }
    for local in I32.locals() {
        writer.put(&format!(
            "i64.const 31 i64.mul local.get {local} i64.extend_i32_u i64.xor"
        ));
    }
    format!(
        "(func $f{index} (param $a i32) (param $b i32) (param $x i64) (param $y i64) (result i64)
        (local $c i32) (local $p i32) (local $z i64) (local $t i32) (local $u i64) {})\n",
        writer.text
    )
}

fn module(functions: &[Vec<u8>]) -> String {
    let bodies: String = functions
        .iter()
        .enumerate()
        .map(|(index, bytes)| function(index, bytes))
        .collect();
    let calls =
        (0..functions.len()).flat_map(|index| ARGUMENTS.map(|arguments| (index, arguments)));
    let calls: String = calls
        .enumerate()
        .map(|(number, (index, arguments))| {
            format!(
                "i32.const {} {arguments} call $f{index} i64.store\n",
                RESULTS + 8 * number
            )
        })
        .collect();
    format!(
        r#"(module (memory (export "memory") 2)
        (global $g (mut i32) (i32.const 3)) (global $h (mut i64) (i64.const 4))
        {bodies} (func (export "f") {calls}))"#
    )
}

/// How many modules are compared.
fn cases() -> u32 {
    let told = std::env::var("ARWEN_EXPRESSIONS");
    told.ok().and_then(|told| told.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_engines_compute_the_same(functions in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8)) {
        let outcome = run(&module(&functions), 1 << 40);
        prop_assert_eq!(outcome.end, End::Returned);
    }
}
