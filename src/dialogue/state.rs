use crate::messages::{MessageKind, Role, kind_name};
use thiserror::Error;

/// One of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The parent, which holds the state of the chain.
    Node,
    /// The child, which runs contracts.
    Arwen,
}

impl Side {
    /// The name in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Side::Node => "NODE",
            Side::Arwen => "ARWEN",
        }
    }

    fn other(self) -> Side {
        match self {
            Side::Node => Side::Arwen,
            Side::Arwen => Side::Node,
        }
    }
}

/// The phase of a dialogue, which decides whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Between dialogues: the node may start one.
    Idle,
    /// A request was sent: arwen may call hooks and has to send the answer.
    Requested {
        /// The kind that ends the dialogue.
        answer: MessageKind,
    },
    /// A hook request was sent: the node has to answer it.
    HookRequested {
        /// The kind that ends the dialogue.
        answer: MessageKind,
        /// The kind that answers the hook request.
        response: MessageKind,
    },
}

/// A message that breaks the rules of the dialogue. If it was received, the other side is at fault and the dialogue
/// can't go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DialogueError {
    /// Its nonce is not the next one.
    #[error("invalid dialogue nonce ({found}, expected {expected})")]
    InvalidNonce {
        /// The nonce of the message.
        found: u32,
        /// The nonce that is due.
        expected: u32,
    },
    /// A kind that is not allowed in this phase.
    #[error("{} where {expected} is due", kind_name(*.found))]
    UnexpectedKind {
        /// The kind of the message.
        found: u32,
        /// What is allowed in this phase.
        expected: &'static str,
    },
    /// It is the other side's turn.
    #[error("{} out of turn", kind_name(*.found))]
    OutOfTurn {
        /// The kind of the message.
        found: u32,
    },
}

/// The state of a dialogue, as both sides see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    side: Side,
    phase: Phase,
    nonce: u32,
}

impl Dialogue {
    /// The state before the first message, for this side.
    pub fn new(side: Side) -> Dialogue {
        Dialogue {
            side,
            phase: Phase::Idle,
            nonce: 0,
        }
    }

    /// The side whose dialogue this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The phase of the dialogue.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Counts a message of this kind as sent and returns its nonce.
    pub fn send(&mut self, kind: u32) -> Result<u32, DialogueError> {
        let nonce = self.nonce.wrapping_add(1);
        self.advance(self.side, kind, nonce)?;
        Ok(nonce)
    }

    /// Counts a message as received.
    pub fn receive(&mut self, kind: u32, nonce: u32) -> Result<(), DialogueError> {
        self.advance(self.side.other(), kind, nonce)
    }

    fn advance(&mut self, sender: Side, kind: u32, nonce: u32) -> Result<(), DialogueError> {
        let expected = self.nonce.wrapping_add(1);
        if nonce != expected {
            return Err(DialogueError::InvalidNonce {
                found: nonce,
                expected,
            });
        }
        let turn = match self.phase {
            Phase::Idle | Phase::HookRequested { .. } => Side::Node,
            Phase::Requested { .. } => Side::Arwen,
        };
        if sender != turn {
            return Err(DialogueError::OutOfTurn { found: kind });
        }
        self.phase = self.phase_after(kind)?;
        // The end of a dialogue resets the count on both sides.
        self.nonce = if self.phase == Phase::Idle { 0 } else { nonce };
        Ok(())
    }

    fn phase_after(&self, found: u32) -> Result<Phase, DialogueError> {
        let kind = MessageKind::from_wire(found);
        let role = kind.and_then(MessageKind::role);
        let unexpected = |expected| Err(DialogueError::UnexpectedKind { found, expected });
        match self.phase {
            // A kind that can't start a dialogue still starts one, whose answer is "undefined" (rule 6).
            Phase::Idle => Ok(match role {
                Some(Role::Request(answer)) => Phase::Requested { answer },
                _ => Phase::Requested {
                    answer: MessageKind::UndefinedRequestOrResponse,
                },
            }),
            Phase::Requested { answer } if kind == Some(answer) => Ok(Phase::Idle),
            Phase::Requested { answer } => match role {
                Some(Role::HookRequest(response)) => Ok(Phase::HookRequested { answer, response }),
                _ => unexpected("a hook request or the answer"),
            },
            Phase::HookRequested { answer, response } if kind == Some(response) => {
                Ok(Phase::Requested { answer })
            }
            Phase::HookRequested { .. } => unexpected("the answer to the hook request"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MessageKind as K;

    fn both() -> (Dialogue, Dialogue) {
        (Dialogue::new(Side::Node), Dialogue::new(Side::Arwen))
    }

    /// Sends a message from `from` to `to`.
    fn say(from: &mut Dialogue, to: &mut Dialogue, kind: MessageKind) -> u32 {
        let nonce = from.send(kind.wire()).expect("may be sent");
        to.receive(kind.wire(), nonce).expect("may be received");
        nonce
    }

    #[test]
    fn nonces_count_both_directions_and_start_again() {
        let (mut node, mut arwen) = both();
        for _ in 0..2 {
            assert_eq!(say(&mut node, &mut arwen, K::ContractCallRequest), 1);
            assert_eq!(say(&mut arwen, &mut node, K::BlockchainLastNonceRequest), 2);
            assert_eq!(
                say(&mut node, &mut arwen, K::BlockchainLastNonceResponse),
                3
            );
            assert_eq!(say(&mut arwen, &mut node, K::ContractResponse), 4);
            assert_eq!((node.phase(), arwen.phase()), (Phase::Idle, Phase::Idle));
        }
    }

    #[test]
    fn a_wrong_nonce_is_refused() {
        let mut arwen = Dialogue::new(Side::Arwen);
        let kind = K::DiagnoseWaitRequest.wire();
        for found in [0, 2, 5, u32::MAX] {
            let error = DialogueError::InvalidNonce { found, expected: 1 };
            assert_eq!(arwen.receive(kind, found), Err(error));
        }
        assert_eq!(arwen.receive(kind, 1), Ok(()));
    }

    #[test]
    fn every_kind_at_every_phase() {
        for kind in 0..=50 {
            let role = MessageKind::from_wire(kind).and_then(MessageKind::role);
            let mut arwen = Dialogue::new(Side::Arwen);
            assert_eq!(arwen.receive(kind, 1), Ok(()), "{kind} starts");
            let answer = match role {
                Some(Role::Request(answer)) => answer,
                _ => K::UndefinedRequestOrResponse,
            };
            assert_eq!(arwen.phase(), Phase::Requested { answer });

            let mut node = Dialogue::new(Side::Node);
            node.send(K::ContractCallRequest.wire()).expect("starts");
            let allowed =
                kind == K::ContractResponse.wire() || matches!(role, Some(Role::HookRequest(_)));
            assert_eq!(
                node.receive(kind, 2).is_ok(),
                allowed,
                "{kind} answers a call"
            );

            let mut arwen = Dialogue::new(Side::Arwen);
            arwen
                .receive(K::ContractCallRequest.wire(), 1)
                .expect("starts");
            arwen
                .send(K::BlockchainLastNonceRequest.wire())
                .expect("asks");
            let allowed = kind == K::BlockchainLastNonceResponse.wire();
            assert_eq!(
                arwen.receive(kind, 3).is_ok(),
                allowed,
                "{kind} answers a hook"
            );
        }
    }

    #[test]
    fn nobody_speaks_out_of_turn() {
        let (mut node, mut arwen) = both();
        let found = K::ContractResponse.wire();
        assert_eq!(
            node.receive(found, 1),
            Err(DialogueError::OutOfTurn { found })
        );
        assert_eq!(arwen.send(found), Err(DialogueError::OutOfTurn { found }));
        say(&mut node, &mut arwen, K::ContractCallRequest);
        assert_eq!(
            arwen.receive(found, 2),
            Err(DialogueError::OutOfTurn { found })
        );
    }
}
