//! What contracts do, as the child tells it (docs/spec/wire.md#trace).

use super::error::{BadMessage, Fault};
use crate::messages::{Ready, TRACE};
use crate::trace::{Run, SharedRecorder};
use bytes::Bytes;

/// Has the child tell a recorder what contracts do.
#[derive(Debug, Default, Clone)]
pub(super) struct Traces {
    recorder: Option<SharedRecorder>,
    /// Whether the last child that was started can.
    is_understood: bool,
}

impl Traces {
    /// A new child has reported this.
    pub(super) fn child_started(&mut self, ready: Option<&Ready>) {
        let capabilities = ready.map_or(&[][..], |ready| &ready.capabilities);
        self.is_understood = capabilities.iter().any(|name| name == TRACE);
    }

    /// Who is told from now on. Returns whether the child can.
    pub(super) fn record(&mut self, recorder: Option<SharedRecorder>) -> bool {
        let is_possible = recorder.is_none() || self.is_understood;
        self.recorder = recorder.filter(|_| is_possible);
        is_possible
    }

    /// The field of the next request.
    pub(super) fn filter(&self) -> Option<Bytes> {
        let recorder = self.recorder.as_ref()?;
        // Of a request without a response there is no trace.
        recorder.put(Run::default());
        self.is_understood.then(|| recorder.filter().to_field())
    }

    /// Takes the field of a response.
    pub(super) fn take(&self, field: Option<Bytes>) -> Result<(), Fault> {
        if let (Some(recorder), Some(field)) = (&self.recorder, field) {
            let run = Run::of_field(field)
                .map_err(|error| Fault::BadMessage(BadMessage::Trace(error)))?;
            recorder.put(run);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Filter;

    #[test]
    fn only_a_child_that_can_is_asked() {
        let recorder = SharedRecorder::new(Filter::all());
        let mut traces = Traces::default();
        assert!(traces.record(None));
        for (ready, can) in [
            (None, false),
            (Some(Ready::default()), false),
            (
                Some(Ready {
                    capabilities: vec!["other".to_owned(), TRACE.to_owned()],
                    ..Ready::default()
                }),
                true,
            ),
        ] {
            traces.child_started(ready.as_ref());
            assert_eq!(traces.record(Some(recorder.clone())), can);
            assert_eq!(traces.filter().is_some(), can);
        }
        // Another child follows that can't.
        traces.child_started(None);
        assert_eq!(traces.filter(), None);
    }

    #[test]
    fn a_trace_that_can_not_be_read_is_the_fault_of_the_child() {
        let recorder = SharedRecorder::new(Filter::all());
        let mut traces = Traces::default();
        // Nobody has asked.
        traces.take(Some("torn".into())).expect("it is not read");
        traces.recorder = Some(recorder);
        let fault = traces
            .take(Some("torn".into()))
            .expect_err("it can't be read");
        assert!(
            matches!(fault, Fault::BadMessage(BadMessage::Trace(_))),
            "{fault}"
        );
        traces.take(None).expect("there is none");
    }
}
