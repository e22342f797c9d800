//! What a VM needs, and what it tells the log.

use crate::gas_schedule::flat_gas_schedule;
use crate::vm::fixtures::*;
use crate::vm::{Vm, VmError, VmParameters};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

fn construction_error(parameters: VmParameters) -> String {
    match Vm::new(parameters, node().0) {
        Err(VmError::Construction(text)) => text,
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

#[test]
fn runs_are_told_to_the_log() {
    on_each_engine(|bench| {
        let events = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Log(Arc::clone(&events)));
        tracing::subscriber::with_default(subscriber, || {
            bench.call("nobody", "f", &[]);
        });
        let expected = [
            r#"TRACE message=RunSmartContractCall begin;function="f";"#,
            r#"TRACE message=RunSmartContractCall end;returnCode=3;returnMessage="invalid contract code (not found)";"#,
        ];
        assert_eq!(*events.lock().expect("no panics"), expected);
    });
}

#[test]
fn a_flat_schedule_has_every_cost() {
    assert_eq!(flat_gas_schedule(1, 100_000), schedule_entries());
}
