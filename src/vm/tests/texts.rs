//! Pieces of contracts as text.

/// Returns the result of a call, which is an i32.
pub fn status(call: &str) -> String {
    format!("(call $int64finish (i64.extend_i32_s {call}))")
}

/// What [`execute`] reads: the address of the callee at 0, the name of its function at 64; zeros from 512 on.
pub fn callee_data(callee: &str, function: &str) -> String {
    format!(r#"(data (i32.const 0) "{callee:_<32}") (data (i32.const 64) "{function}") "#)
}

/// Gives half of [`super::super::fixtures::GAS`], no value and no arguments to the callee. `context` is `Dest` or `Same`.
///
/// Nine operators and the host function.
pub fn execute(context: &str, function: &str) -> String {
    format!(
        "(call $executeOn{context}Context (i64.const 500000) (i32.const 0) (i32.const 512) (i32.const 64)
            (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0))",
        function.len()
    )
}

/// The same for the current caller, with the current value: `delegateExecution` or `executeReadOnly`.
pub fn execute_for_caller(name: &str, function: &str) -> String {
    format!(
        "(call ${name} (i64.const 500000) (i32.const 0) (i32.const 64) (i32.const {})
            (i32.const 0) (i32.const 0) (i32.const 0))",
        function.len()
    )
}

/// Reads argument 0, a code, to 2000; its length is the local `$length`. Three operators, a `local.set` and the host
/// function.
pub const READ_CODE: &str =
    "(local.set $length (call $getArgument (i32.const 0) (i32.const 2000)))";

/// Deploys the code at 2000 with the value at 512, and writes its address to 0. Eight operators and the host function.
pub const CREATE: &str =
    "(call $createContract (i32.const 512) (i32.const 2000) (local.get $length) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0))";

/// A call for [`registering`].
#[derive(Debug, Clone, Copy)]
pub struct Promised {
    pub identifier: &'static str,
    pub destination: &'static str,
    pub data: &'static str,
    pub success: &'static str,
    pub error: &'static str,
    pub gas: i64,
}

/// A call without gas of its own, with the callbacks `yes` and `no`.
pub fn promised(
    identifier: &'static str,
    destination: &'static str,
    data: &'static str,
) -> Promised {
    Promised {
        identifier,
        destination,
        data,
        success: "yes",
        error: "no",
        gas: 0,
    }
}

/// A function that registers calls, twelve operators each, and ends.
pub fn registering(function: &str, calls: &[Promised]) -> String {
    let mut data = String::new();
    let mut body = String::new();
    for (index, call) in calls.iter().enumerate() {
        let base = 10_000 + 1_000 * index;
        let mut place = |offset: usize, text: &str| {
            let at = base + offset;
            let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
            data += &format!("(data (i32.const {at}) \"{bytes}\")");
            format!("(i32.const {at}) (i32.const {})", text.len())
        };
        let identifier = place(0, call.identifier);
        place(100, &format!("{:_<32}", call.destination));
        let payload = place(200, call.data);
        let success = place(300, call.success);
        let error = place(400, call.error);
        body += &format!(
            "(call $createAsyncCall {identifier} (i32.const {}) (i32.const 512) {payload} {success} {error}
                (i64.const {}))",
            base + 100,
            call.gas
        );
    }
    format!(r#"{data}(func (export "{function}") {body})"#)
}
