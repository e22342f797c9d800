//! Nonces and turns, against the rules of docs/spec/wire.md#dialogue.

use crate::dialogue::{Dialogue, DialogueError, Phase, Side};
use arbitrary::{Arbitrary, Unstructured};

#[derive(Arbitrary, Debug)]
struct Operation {
    from_arwen: bool,
    kind: Kind,
    nonce: Nonce,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    /// Likely one of the table.
    Low(u8),
    Any(u32),
    /// The one that answers what was said last or, from arwen, what was said first.
    Answer,
}

/// What becomes of the nonce on the way.
#[derive(Arbitrary, Debug)]
enum Nonce {
    Right,
    Another(u32),
    OffBy(i8),
    /// The message is lost.
    Lost,
    /// Only the other side hears it.
    Forged,
}

/// The rules, told by the kinds that were accepted since the dialogue began.
#[derive(Default)]
struct Model {
    kinds: Vec<u32>,
}

impl Model {
    fn next_nonce(&self) -> u32 {
        self.kinds.len() as u32 + 1
    }

    /// The kind that ends the dialogue (rules 1 and 6).
    fn last_kind(&self) -> u32 {
        match self.kinds.first() {
            Some(3 | 4) => 5,
            Some(46) => 47,
            _ => 48,
        }
    }

    fn say(&mut self, from_arwen: bool, kind: u32, nonce: u32) -> Result<(), DialogueError> {
        let expected = self.next_nonce();
        if nonce != expected {
            let found = nonce;
            return Err(DialogueError::InvalidNonce { found, expected });
        }
        // They take turns, and the node begins: its messages have the odd nonces.
        if from_arwen != nonce.is_multiple_of(2) {
            return Err(DialogueError::OutOfTurn { found: kind });
        }
        let unexpected = |expected| {
            Err(DialogueError::UnexpectedKind {
                found: kind,
                expected,
            })
        };
        match self.kinds.last() {
            None => self.kinds.push(kind),
            Some(_) if from_arwen && kind == self.last_kind() => self.kinds.clear(),
            Some(_) if from_arwen && matches!(kind, 6..=44) && kind.is_multiple_of(2) => {
                self.kinds.push(kind)
            }
            Some(_) if from_arwen => return unexpected("a hook request or the answer"),
            Some(request) if kind == request + 1 => self.kinds.push(kind),
            Some(_) => return unexpected("the answer to the hook request"),
        }
        Ok(())
    }
}

/// One side and what it should be.
struct End {
    dialogue: Dialogue,
    model: Model,
}

impl End {
    fn new(side: Side) -> End {
        End {
            dialogue: Dialogue::new(side),
            model: Model::default(),
        }
    }

    fn is_arwen(&self) -> bool {
        self.dialogue.side() == Side::Arwen
    }

    fn send(&mut self, kind: u32) -> Result<u32, DialogueError> {
        let nonce = self.model.next_nonce();
        let expected = self.model.say(self.is_arwen(), kind, nonce);
        let sent = self.dialogue.send(kind);
        assert_eq!(sent, expected.map(|()| nonce));
        self.check_phase();
        sent
    }

    fn receive(&mut self, kind: u32, nonce: u32) {
        let expected = self.model.say(!self.is_arwen(), kind, nonce);
        assert_eq!(self.dialogue.receive(kind, nonce), expected);
        self.check_phase();
    }

    fn check_phase(&self) {
        let kinds = &self.model.kinds;
        match self.dialogue.phase() {
            Phase::Idle => assert!(kinds.is_empty()),
            Phase::Requested { answer } => {
                assert_eq!(
                    (kinds.len() % 2, answer.wire()),
                    (1, self.model.last_kind())
                );
            }
            Phase::HookRequested { answer, response } => {
                assert_eq!(
                    (kinds.len() % 2, answer.wire()),
                    (0, self.model.last_kind())
                );
                assert_eq!(kinds.last(), Some(&(response.wire() - 1)));
            }
        }
    }
}

/// Two sides, any messages between them, some lost, some with another nonce: both accept and refuse what the rules say.
pub fn dialogue(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (mut node, mut arwen) = (End::new(Side::Node), End::new(Side::Arwen));
    // An error is the end of the input.
    while let Ok(operation) = Operation::arbitrary(&mut input)
        && !input.is_empty()
    {
        let (from, to) = match operation.from_arwen {
            true => (&mut arwen, &mut node),
            false => (&mut node, &mut arwen),
        };
        let kind = match operation.kind {
            Kind::Low(kind) => u32::from(kind) % 52,
            Kind::Any(kind) => kind,
            Kind::Answer if operation.from_arwen => from.model.last_kind(),
            Kind::Answer => from
                .model
                .kinds
                .last()
                .map_or(4, |request| request.wrapping_add(1)),
        };
        if matches!(operation.nonce, Nonce::Forged) {
            to.receive(kind, to.model.next_nonce());
            continue;
        }
        let Ok(nonce) = from.send(kind) else {
            continue;
        };
        match operation.nonce {
            Nonce::Another(other) => to.receive(kind, other),
            Nonce::OffBy(by) => to.receive(kind, nonce.wrapping_add_signed(by.into())),
            Nonce::Right | Nonce::Forged => to.receive(kind, nonce),
            Nonce::Lost => {}
        }
    }
}
