//! The connection to the node, which the dialogue loop and the gateway share (docs/spec/wire.md#dialogue).

use super::error::{LoopEnd, NodeLost};
use super::logs::LogFlusher;
use super::read_ahead::{self, Ahead, MalformedField};
use crate::activity;
use crate::dialogue::{MessageText, Messenger, MessengerError, Received};
use crate::hooks::{HookError, HookResult};
use crate::messages::{
    BlockchainGetStorageDataRequest, ContractResponse, HookRequest, Payload, kind_name,
};
use crate::transport::Transport;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{trace, warn};

/// The connection to the node, shared by the dialogue loop and the gateway, which take turns.
#[derive(Debug)]
pub struct Link<T> {
    shared: Arc<Mutex<Shared<T>>>,
    logs: Option<LogFlusher>,
}

#[derive(Debug)]
struct Shared<T> {
    messenger: Messenger<T>,
    /// Number of received requests.
    requests: u64,
    /// What the current request answers before it is asked.
    ahead: Ahead,
    /// Set when the link is poisoned. Nothing is sent afterwards, even if the machine goes on: without the node there
    /// is no outcome.
    lost: Option<NodeLost>,
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
    /// A link over this messenger.
    pub fn new(messenger: Messenger<T>) -> Link<T> {
        Link {
            shared: Arc::new(Mutex::new(Shared {
                messenger,
                requests: 0,
                ahead: Ahead::default(),
                lost: None,
            })),
            logs: None,
        }
    }

    /// Flushes queued log lines before each message, as far as the log pipe takes them without waiting.
    pub fn with_logs(self, logs: Option<LogFlusher>) -> Link<T> {
        Link { logs, ..self }
    }

    /// Waits for the next request.
    pub(super) fn receive(&self) -> Result<Received, MessengerError> {
        let mut shared = self.shared();
        let mut received = shared.messenger.receive(None)?;
        shared.requests += 1;
        let field = read_ahead::field_of(&mut received.message);
        if let Err(MalformedField) = shared.ahead.begin(field) {
            // The contract asks, then.
            warn!(target: "arwen/part", "the answers ahead of a request are malformed; they are not used");
        }
        Ok(received)
    }

    /// Sends the answer to a request, unless the link is poisoned.
    pub(super) fn answer<P: Payload>(
        &self,
        error_message: &str,
        payload: &P,
    ) -> Result<(), LoopEnd> {
        self.flush_logs();
        let mut shared = self.shared();
        match &shared.lost {
            Some(lost) => Err(LoopEnd::NodeLost(lost.clone())),
            None => Ok(shared.messenger.send(error_message, payload, None)?),
        }
    }

    /// Has a response tell which of the answers ahead were used, and leave out what they told. Afterwards there are no answers ahead.
    pub(super) fn finish_ahead(&self, response: &mut ContractResponse, is_traced: bool) {
        let shared = &mut *self.shared();
        shared.ahead.tell_used(response);
        // Neither whether a response is too long, nor how much of a trace has room in it, may depend on what it leaves out.
        if !is_traced && shared.ahead.may_leave_out() && shared.messenger.is_short(response) {
            shared.ahead.leave_out(response);
        }
        shared.ahead.clear();
    }

    /// The number of the current request.
    pub(super) fn request_number(&self) -> u64 {
        self.shared().requests
    }

    /// The response to a hook request: one that came ahead, or what the node answers now. A malformed response poisons the
    /// link permanently.
    pub(super) fn ask<R: HookRequest>(&self, request: &R) -> HookResult<(R::Response, String)> {
        let mut shared = self.shared();
        shared.ahead.drop_before(R::KIND);
        if let Some(answer) = shared.ahead.take(request) {
            trace!(target: "arwen/part", request = R::KIND.as_str_name(), "[ARWEN]: hook call answered ahead");
            return Ok(answer);
        }
        self.ask_node(&mut shared, request)
    }

    /// The response to a request for a storage value; `request` makes its message, unless it was answered ahead.
    pub(super) fn ask_for_storage(
        &self,
        address: &[u8],
        key: &[u8],
        request: impl FnOnce() -> BlockchainGetStorageDataRequest,
    ) -> HookResult<Option<Bytes>> {
        let mut shared = self.shared();
        if let Some(data) = shared.ahead.take_storage(address, key) {
            trace!(target: "arwen/part", request = BlockchainGetStorageDataRequest::KIND.as_str_name(), "[ARWEN]: hook call answered ahead");
            return Ok(data);
        }
        // The error message of such a response counts for nothing.
        let (response, _) = self.ask_node(&mut shared, &request())?;
        Ok(response.data)
    }

    fn ask_node<R: HookRequest>(
        &self,
        shared: &mut Shared<T>,
        request: &R,
    ) -> HookResult<(R::Response, String)> {
        self.flush_logs();
        let answer = match &shared.lost {
            Some(lost) => Err(lost.clone()),
            None => shared.messenger.ask(request),
        };
        answer.map_err(|lost| shared.lose(lost))
    }

    /// Poisons the link permanently, because of a bad response.
    pub(super) fn refuse_answer(&self, reason: impl ToString) -> HookError {
        self.shared().lose(NodeLost::BadAnswer(reason.to_string()))
    }

    fn flush_logs(&self) {
        if let Some(logs) = &self.logs {
            logs.flush();
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared<T>> {
        // Only the transport can have panicked under the lock; the dialogue detects messages that then don't fit.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shared<T> {
    fn lose(&mut self, lost: NodeLost) -> HookError {
        self.lost = Some(lost.clone());
        HookError::fatal(lost)
    }
}

impl<T: Transport> Messenger<T> {
    fn ask<R: HookRequest>(&mut self, request: &R) -> Result<(R::Response, String), NodeLost> {
        let request_text = MessageText {
            kind: R::KIND.as_str_name(),
            nonce: 0,
            error: "",
        };
        trace!(target: "arwen/part", request = %request_text, "[ARWEN]: SendHookCallRequest");
        activity::asking(Some(R::KIND));
        self.send("", request, None).map_err(NodeLost::CannotAsk)?;
        let Received { envelope, message } = self.receive(None).map_err(NodeLost::receiving)?;
        activity::asking(None);
        // The dialogue lets nothing else through.
        let response = R::Response::from_message(message)
            .map_err(|message| NodeLost::BadAnswer(kind_name(message.kind())))?;
        Ok((response, envelope.error_message))
    }
}
