//! Code that children compile ahead and keep (docs/spec/wire.md#pin).

use super::budget::Budget;
use super::dialogue_loop;
use super::error::Fault;
use super::read_ahead::Asked;
use super::sinks::LOGGER;
use crate::dialogue::{Messenger, MessengerError};
use crate::hooks::BlockchainHook;
use crate::machine::Pinned;
use crate::messages::{DiagnoseWaitRequest, DiagnoseWaitResponse, PIN, PinRequest, Ready};
use crate::transport::Transport;
use bytes::Bytes;
use tracing::{debug, warn};

/// After so many children in a row that ended over a pinned code, the driver stops sending it: a dead child is worse than code that
/// is not pinned.
const CHILDREN_LOST: u8 = 2;

/// The pinned codes, and what the current child knows of them.
#[derive(Debug, Default)]
pub(super) struct Pins {
    codes: Vec<PinnedCode>,
    /// Whether the last child that was started can.
    is_understood: bool,
}

#[derive(Debug)]
struct PinnedCode {
    code: Bytes,
    /// Whether the current child has been sent it.
    is_sent: bool,
    /// Whether it does not fit into a message.
    is_too_long: bool,
    /// How many children in a row have ended when the driver sent it.
    children_lost: u8,
}

impl PinnedCode {
    fn new(code: Bytes) -> PinnedCode {
        PinnedCode {
            code,
            is_sent: false,
            is_too_long: false,
            children_lost: 0,
        }
    }
}

impl Pins {
    /// Codes that no child knows yet.
    pub(super) fn new(codes: &[Bytes]) -> Pins {
        let mut pins = Pins::default();
        codes.iter().for_each(|code| pins.keep(code.clone()));
        pins
    }

    /// A new child has reported this.
    pub(super) fn child_started(&mut self, ready: Option<&Ready>) {
        let capabilities = ready.map_or(&[][..], |ready| &ready.capabilities);
        self.is_understood = capabilities.iter().any(|name| name == PIN);
        self.codes.iter_mut().for_each(|code| code.is_sent = false);
    }

    /// Whether the child can.
    pub(super) fn is_understood(&self) -> bool {
        self.is_understood
    }

    /// Has the code sent to each child that can, unless that is so already.
    pub(super) fn keep(&mut self, code: Bytes) {
        match self.codes.iter_mut().find(|known| known.code == code) {
            Some(known) => known.children_lost = 0,
            None => self.codes.push(PinnedCode::new(code)),
        }
    }

    /// The child was asked to pin `code`, and said this.
    pub(super) fn answered(&mut self, code: Bytes, pinned: &Pinned) {
        self.remove(&code);
        if pinned.is_pinned() {
            let code = PinnedCode {
                is_sent: true,
                ..PinnedCode::new(code)
            };
            self.codes.push(code);
        }
    }

    /// Has the code sent to no further child. Returns whether the current one was sent it.
    pub(super) fn remove(&mut self, code: &[u8]) -> bool {
        let place = self.codes.iter().position(|known| known.code == code);
        place.is_some_and(|place| self.codes.remove(place).is_sent)
    }

    /// Sends all codes that the child does not know.
    pub(super) fn send_all<T: Transport>(
        &mut self,
        messenger: &mut Messenger<T>,
        hook: &mut dyn BlockchainHook,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        while let Some(code) = self.next() {
            send(messenger, hook, budget, code)?;
        }
        Ok(())
    }

    /// Sends one code that the child does not know, if there is one.
    pub(super) fn send_next<T: Transport>(
        &mut self,
        messenger: &mut Messenger<T>,
        hook: &mut dyn BlockchainHook,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        let Some(code) = self.next() else {
            return Ok(());
        };
        match send(messenger, hook, budget, code) {
            // The request that comes next can be sent.
            Err(Fault::UnsendableRequest(error @ MessengerError::TooLong(_))) => {
                code.is_sent = false;
                code.is_too_long = true;
                warn!(target: LOGGER, %error, "code is not pinned");
                Ok(())
            }
            sent => sent,
        }
    }

    fn next(&mut self) -> Option<&mut PinnedCode> {
        let mut codes = self.codes.iter_mut().filter(|_| self.is_understood);
        codes.find(|code| !code.is_sent && !code.is_too_long && code.children_lost < CHILDREN_LOST)
    }
}

/// Has the child pin a code.
fn send<T: Transport>(
    messenger: &mut Messenger<T>,
    hook: &mut dyn BlockchainHook,
    budget: &mut Budget,
    code: &mut PinnedCode,
) -> Result<(), Fault> {
    code.is_sent = true;
    let request = request(code.code.clone(), false);
    let answer = dialogue_loop::run(messenger, hook, &request, budget, &mut Asked::default());
    let (response, error) = answer.inspect_err(|fault| {
        code.children_lost += u8::from(fault.is_the_childs());
        if code.children_lost == CHILDREN_LOST {
            warn!(target: LOGGER, codeLength = code.code.len(), "children end over this code; it is not sent any more until it is pinned again");
        }
    })?;
    code.children_lost = 0;
    let pinned = state(response, error);
    match pinned.is_pinned() {
        true => debug!(target: LOGGER, codeLength = code.code.len(), %pinned, "code is pinned"),
        false => warn!(target: LOGGER, codeLength = code.code.len(), %pinned, "code is not pinned"),
    }
    Ok(())
}

/// The request that pins or unpins code.
pub(super) fn request(code: Bytes, unpin: bool) -> DiagnoseWaitRequest {
    DiagnoseWaitRequest {
        pin: Some(Box::new(PinRequest { code, unpin })),
        ..DiagnoseWaitRequest::default()
    }
}

/// What the answer to it says.
pub(super) fn state(response: DiagnoseWaitResponse, error: String) -> Pinned {
    match error.is_empty() {
        true => Pinned::of_wire(response.pinned.map(|pinned| *pinned)),
        false => Pinned::Invalid { error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::{Received, Side};
    use crate::hooks::HookResult;
    use crate::messages::{Account, Format, Message};
    use crate::transport::memory::{MemoryTransport, pair};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    struct NoHook;

    impl BlockchainHook for NoHook {
        fn new_address(&mut self, _: &[u8], _: u64, _: &[u8]) -> HookResult<Bytes> {
            panic!("the child asks nothing")
        }
        fn storage_data(&mut self, _: &[u8], _: &[u8]) -> HookResult<Option<Bytes>> {
            panic!("the child asks nothing")
        }
        fn user_account(&mut self, _: &[u8]) -> HookResult<Option<Account>> {
            panic!("the child asks nothing")
        }
    }

    fn able() -> Ready {
        Ready {
            capabilities: vec!["other".to_owned(), PIN.to_owned()],
            ..Ready::default()
        }
    }

    /// A child that dies of the code `deadly`. The thread ends with what it was sent.
    fn child() -> (Messenger<MemoryTransport>, JoinHandle<Vec<Bytes>>) {
        let (near, far) = pair(1 << 16);
        let messenger = |side, pipe| Messenger::new(side, pipe, Format::Json, 1000);
        let mut arwen = messenger(Side::Arwen, far);
        let child = thread::spawn(move || {
            let mut sent = Vec::new();
            while let Ok(Received { message, .. }) = arwen.receive(None) {
                let Message::DiagnoseWaitRequest(request) = message else {
                    panic!("another request");
                };
                let code = request.pin.expect("code").code;
                sent.push(code.clone());
                if code == "deadly" {
                    break;
                }
                let pinned = Pinned::Compiled { module_bytes: 1 }.into_wire();
                let response = DiagnoseWaitResponse {
                    pinned: pinned.map(Box::new),
                    ..DiagnoseWaitResponse::default()
                };
                arwen.send("", &response, None).expect("sent");
            }
            sent
        });
        (messenger(Side::Node, near), child)
    }

    /// Makes `requests` requests of a fresh child. What it was sent before them, and how many failed.
    fn codes_sent(pins: &mut Pins, ready: Option<&Ready>, requests: usize) -> (Vec<Bytes>, usize) {
        let (mut messenger, child) = child();
        pins.child_started(ready);
        let mut budget = Budget::new(Duration::from_secs(60));
        let mut failures = 0;
        for _ in 0..requests {
            let sent = pins.send_next(&mut messenger, &mut NoHook, &mut budget);
            failures += usize::from(sent.is_err());
        }
        drop(messenger);
        (child.join().expect("no panic"), failures)
    }

    #[test]
    fn each_child_is_sent_one_code_before_each_request() {
        let codes: Vec<Bytes> = ["a", "b", "a", "c"].map(Bytes::from).to_vec();
        let mut pins = Pins::new(&codes);
        for (requests, expected) in [(0, &[][..]), (2, &["a", "b"]), (9, &["a", "b", "c"])] {
            let (sent, failures) = codes_sent(&mut pins, Some(&able()), requests);
            assert_eq!(
                (sent, failures),
                (expected.iter().map(|code| Bytes::from(*code)).collect(), 0)
            );
        }
        // A code of which the child was told between is not sent again.
        assert!(pins.remove(b"b"), "the last child was sent it");
        pins.child_started(Some(&able()));
        assert!(!pins.remove(b"c"));
        pins.answered("d".into(), &Pinned::Compiling { module_bytes: 1 });
        pins.answered("e".into(), &Pinned::Unpinned);
        assert_eq!(codes_sent(&mut pins, Some(&able()), 9).0, ["a", "d"]);
    }

    #[test]
    fn only_a_child_that_can_is_sent_code() {
        let mut pins = Pins::new(&["a".into()]);
        for ready in [None, Some(Ready::default())] {
            assert_eq!(codes_sent(&mut pins, ready.as_ref(), 3).0, [""; 0]);
            assert!(!pins.is_understood());
        }
        assert_eq!(codes_sent(&mut pins, Some(&able()), 3).0, ["a"]);
    }

    #[test]
    fn code_that_children_die_of_is_not_sent_for_ever() {
        let mut pins = Pins::new(&["deadly".into(), "a".into()]);
        for _ in 0..CHILDREN_LOST {
            let (sent, failures) = codes_sent(&mut pins, Some(&able()), 1);
            assert_eq!((&sent[..], failures), (&["deadly".into()][..], 1));
        }
        assert_eq!(codes_sent(&mut pins, Some(&able()), 3).0, ["a"]);
        // Until the node pins it again.
        pins.answered("deadly".into(), &Pinned::Compiled { module_bytes: 1 });
        assert_eq!(codes_sent(&mut pins, Some(&able()), 2).0, ["a", "deadly"]);
    }

    #[test]
    fn code_that_is_too_long_keeps_no_request_from_being_sent() {
        let long = Bytes::from(vec![b'x'; 1000]);
        let mut pins = Pins::new(&[long.clone(), "a".into()]);
        assert_eq!(
            codes_sent(&mut pins, Some(&able()), 2),
            (vec!["a".into()], 0)
        );
        assert!(!pins.remove(&long), "the child need not be told");
        assert!(pins.remove(b"a"));
        let mut pins = Pins::new(&[long]);

        let (mut messenger, child) = child();
        pins.child_started(Some(&able()));
        let mut budget = Budget::new(Duration::from_secs(60));
        let fault = pins.send_all(&mut messenger, &mut NoHook, &mut budget);
        assert!(
            matches!(
                fault,
                Err(Fault::UnsendableRequest(MessengerError::TooLong(_)))
            ),
            "{fault:?}"
        );
        drop(messenger);
        assert_eq!(child.join().expect("no panic"), [""; 0], "nothing was sent");
    }
}
