//! What a VM needs, and what it tells the log.

use crate::gas_schedule::flat_gas_schedule;
use crate::machine::BuildError;
use crate::vm::fixtures::*;
use crate::vm::{Vm, VmParameters};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

fn construction_error(parameters: VmParameters) -> String {
    match Vm::new(parameters, node().0) {
        Err(BuildError::Arguments(error)) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a VM of bad parameters"),
    }
}

#[test]
fn bad_parameters_are_named_the_schedule_first() {
    let without_prefix = VmParameters {
        protected_key_prefix: "".into(),
        ..parameters()
    };
    let text = construction_error(without_prefix.clone());
    assert_eq!(text, "kalyan3104ProtectedKeyPrefix cannot be empty");
    let mut without_both = without_prefix;
    without_both.gas_schedule[2].value.pop();
    let text = construction_error(without_both);
    assert_eq!(
        text,
        "Gas cost for operation BigIntGetExternalBalance has been set to 0 or is not set."
    );
}

/// Events of one target, as text.
struct Log(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?};", field.name());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "arwen/host" {
            let mut text = Text(event.metadata().level().to_string() + " ");
            event.record(&mut text);
            self.0.lock().expect("no panics").push(text.0);
        }
    }
}

/// The events of the host.
fn told(run: impl FnOnce()) -> Vec<String> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let subscriber = tracing_subscriber::registry().with(Log(Arc::clone(&events)));
    tracing::subscriber::with_default(subscriber, run);
    std::mem::take(&mut *events.lock().expect("no panics"))
}

#[test]
fn runs_are_told_to_the_log() {
    on_each_engine(|bench| {
        let events = told(|| {
            bench.call("nobody", "f", &[]);
        });
        let expected = [
            r#"TRACE message=RunSmartContractCall begin;function="f";"#,
            r#"TRACE message=RunSmartContractCall end;returnCode="contract not found";returnMessage="invalid contract code (not found)";"#,
        ];
        assert_eq!(events, expected);
    });
}

#[test]
fn a_deploy_is_told_with_its_code() {
    on_each_engine(|bench| {
        let code = contract("");
        let events = told(|| {
            bench.create(code.clone(), input(&[]));
        });
        let length = code.len();
        let address = address("new0");
        let address: Vec<_> = address.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = [
            format!(
                "TRACE message=RunSmartContractCreate begin;len(code)={length};metadata=[01 00];"
            ),
            format!(
                "TRACE message=performCodeDeploy;address=[{}];len(code)={length};metadata=[01 00];",
                address.join(" ")
            ),
            r#"TRACE message=RunSmartContractCreate end;returnCode="ok";returnMessage="";"#
                .to_owned(),
        ];
        assert_eq!(events, expected);
    });
}

/// The reference's words, and what is behind them.
#[test]
fn why_code_is_invalid_is_told() {
    let memory = r#"(memory (export "memory") 1)"#;
    for (text, expected) in [
        (
            "(module)".to_owned(),
            "performCodeDeploy/VerifyContractCode;err=invalid contract code (missing memory declaration);",
        ),
        (
            format!(r#"(module {memory} (func (export "finish")))"#),
            "performCodeDeploy/VerifyContractCode;err=invalid function (invalid name): finish;",
        ),
        (
            format!(r#"(module {memory} (func (export "f") (param i32)))"#),
            "performCodeDeploy/VerifyContractCode;err=invalid function (nonvoid signature): f;",
        ),
        (
            format!(r#"(module (import "env" "no" (func)) {memory})"#),
            "performCodeDeploy/StartWasmerInstance;err=could not create wasmer instance: link error: Import not \
             found, namespace: env, name: no;",
        ),
        (
            format!(r#"(module {memory} (data (i32.const 65536) "x"))"#),
            "performCodeDeploy/StartWasmerInstance;err=could not create wasmer instance: link error: data segment \
             does not fit;",
        ),
        (
            format!("(module {memory} (func $f unreachable) (start $f))"),
            "performCodeDeploy/StartWasmerInstance;err=could not create wasmer instance: runtime error: unknown error;",
        ),
        (
            format!("(module {memory} (func (drop (f32.const 0))))"),
            "performCodeDeploy/StartWasmerInstance;err=could not create wasmer instance: compile error;\
             reason=\"byte 40: only deterministic operations are allowed\";",
        ),
    ] {
        let code = wat::parse_str(&text).expect("the test's text is right");
        on_each_engine(|bench| {
            let mut events = told(|| {
                bench.create(code.clone().into(), input(&[]));
            });
            events.retain(|event| event.starts_with("DEBUG"));
            if text.contains("start") {
                // What follows differs between engines.
                events.iter_mut().for_each(|event| {
                    let end = event.find("reason=").unwrap_or(event.len());
                    event.truncate(end);
                });
            }
            assert_eq!(events, [format!("DEBUG message={expected}")], "{text}");
        });
    }
}

#[test]
fn why_stored_code_does_not_start_is_told() {
    on_each_engine(|bench| {
        bench.world().put_contract("self", "no code".into());
        let mut events = told(|| {
            bench.call("self", "f", &[]);
        });
        events.retain(|event| event.starts_with("DEBUG"));
        let expected = "DEBUG message=RunSmartContractCall/StartWasmerInstance;err=could not create wasmer instance: \
                        compile error;reason=\"byte 0: Bad magic number\";";
        assert_eq!(events, [expected]);
    });
}

#[test]
fn a_flat_schedule_has_every_cost() {
    assert_eq!(flat_gas_schedule(1, 100_000), schedule_entries());
}
