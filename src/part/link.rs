//! The connection to the node (docs/spec/wire.md#dialogue).

use super::error::LoopEnd;
use super::logs::LogFlusher;
use crate::activity;
use crate::dialogue::{MessageText, Messenger, MessengerError, Received};
use crate::hooks::HookError;
use crate::messages::{HookRequest, Payload, kind_name};
use crate::transport::Transport;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::trace;

/// The connection to the node, shared by the message loop and the gateway, which take turns.
#[derive(Debug)]
pub struct Link<T> {
    shared: Arc<Mutex<State<T>>>,
    logs: Option<LogFlusher>,
}

#[derive(Debug)]
struct State<T> {
    messenger: Messenger<T>,
    /// How many requests have come.
    requests: u64,
    /// Why the node can't be asked any more.
    broken: Option<LoopEnd>,
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Link {
            shared: Arc::clone(&self.shared),
            logs: self.logs.clone(),
        }
    }
}

impl<T: Transport> Link<T> {
    /// Over this messenger.
    pub fn new(messenger: Messenger<T>) -> Link<T> {
        Link {
            shared: Arc::new(Mutex::new(State {
                messenger,
                requests: 0,
                broken: None,
            })),
            logs: None,
        }
    }

    /// Has the lines that were logged written before each message, as far as the log pipe takes them.
    pub fn with_logs(self, logs: Option<LogFlusher>) -> Link<T> {
        Link { logs, ..self }
    }

    /// Waits for the next request.
    pub(super) fn receive(&self) -> Result<Received, MessengerError> {
        let mut state = self.state();
        let received = state.messenger.receive(None)?;
        state.requests += 1;
        Ok(received)
    }

    /// Sends the answer to a request.
    pub(super) fn send<P: Payload>(
        &self,
        error_message: &str,
        payload: &P,
    ) -> Result<(), MessengerError> {
        self.flush_logs();
        self.state().messenger.send(error_message, payload, None)
    }

    /// Why a hook call broke the connection, if one did.
    pub(super) fn broken(&self) -> Option<LoopEnd> {
        self.state().broken.clone()
    }

    /// The number of the request that is served.
    pub(super) fn request_number(&self) -> u64 {
        self.state().requests
    }

    /// Asks the node. What is no well-formed answer breaks the connection for good.
    pub(super) fn ask<R: HookRequest>(
        &self,
        request: &R,
    ) -> Result<(R::Response, String), LoopEnd> {
        self.flush_logs();
        let mut state = self.state();
        if let Some(end) = &state.broken {
            return Err(end.clone());
        }
        let answer = state.messenger.ask(request);
        if let Err(end) = &answer {
            state.broken = Some(end.clone());
        }
        answer
    }

    /// Breaks the connection for good, because of what is wrong with an answer.
    pub(super) fn refuse_answer(&self, reason: impl ToString) -> HookError {
        let end = LoopEnd::BadHookResponse(reason.to_string());
        self.state().broken = Some(end.clone());
        HookError::Fatal(Box::new(end))
    }

    fn flush_logs(&self) {
        if let Some(logs) = &self.logs {
            logs.flush();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A panic while it was locked can only have come from the transport; the dialogue tells whether it still fits.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Transport> Messenger<T> {
    fn ask<R: HookRequest>(&mut self, request: &R) -> Result<(R::Response, String), LoopEnd> {
        let request_text = MessageText {
            kind: R::KIND.as_str_name(),
            nonce: 0,
            error: "",
        };
        trace!(target: "arwen/part", request = %request_text, "[ARWEN]: SendHookCallRequest");
        activity::asking(Some(R::KIND.as_str_name()));
        self.send("", request, None)
            .map_err(LoopEnd::CannotSendHookRequest)?;
        let Received { envelope, message } =
            self.receive(None).map_err(LoopEnd::from_hook_answer)?;
        activity::asking(None);
        // The dialogue lets nothing else through.
        let response = R::Response::from_message(message)
            .map_err(|message| LoopEnd::BadHookResponse(kind_name(message.kind())))?;
        Ok((response, envelope.error_message))
    }
}
