//! Recorded transcripts, cut off at every byte and with every bit flipped, for both sides (row R11 of docs/reliability.md).
//!
//! `ARWEN_DAMAGE_STRIDE=1 cargo test --release --no-default-features --lib transcripts -- --nocapture` flips each bit, and not one
//! in 1009. The node's side is the driver's loop, with a hook that gives the recorded answers; the child's side is the child's loop,
//! with a machine that makes the recorded hook calls.

use super::budget::Budget;
use super::dialogue_loop;
use super::hook_calls::{Replier, dispatch};
use super::read_ahead;
use super::{BadMessage, Closed, Fault};
use crate::dialogue::{Messenger, MessengerError, Side};
use crate::frame::{Decoder, FrameError, Header};
use crate::hooks::{BlockchainHook, HookError, HookResult};
use crate::machine::{BuildError, Machine, Outcome, VmFailure};
use crate::messages::*;
use crate::part::{DialogueLoop, Gateway, Link, LoopEnd, NodeLost};
use crate::transport::{Awaited, Transport, TransportError};
use dialogues::recordings;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[path = "../../tests/common/dialogues.rs"]
mod dialogues;

/// Longer than each frame.
const LIMIT_BYTES: u32 = 1 << 20;

/// Without `ARWEN_DAMAGE_STRIDE`, one in so many bits is flipped: a prime, so that all bits of a byte get their turn.
const STRIDE: usize = 1009;

/// Without `ARWEN_DAMAGE_STRIDE`, transcripts are cut off at one in so many bytes.
const CUT_STRIDE: usize = 13;

/// What is done to the bytes that a side reads.
#[derive(Debug, Clone, Copy)]
enum Damage {
    None,
    /// They end here.
    Cut(usize),
    /// This bit is another one.
    Flip(usize),
}

/// A message of a transcript.
struct Said {
    from_node: bool,
    message: Message,
    error_message: String,
    frame: Vec<u8>,
}

struct Transcript {
    name: &'static str,
    format: Format,
    said: Vec<Said>,
    /// All that the node sends, and all that the child sends.
    of_node: Arc<[u8]>,
    of_child: Arc<[u8]>,
}

/// The dialogues of a transcript: each is a request, hook calls with their answers, and a response.
impl Transcript {
    fn dialogues(&self) -> impl Iterator<Item = &[Said]> {
        self.said
            .split_inclusive(|said| !said.from_node && said.is_response())
    }

    /// The bytes that the other side sends.
    fn input(&self, side: Side) -> Arc<[u8]> {
        match side {
            Side::Node => Arc::clone(&self.of_child),
            Side::Arwen => Arc::clone(&self.of_node),
        }
    }

    /// What a side says that gets `bytes` whole bytes of the other one; whether it waits for an answer to a hook call then; and
    /// how many bytes of the next frame there are, with the length of the frame.
    fn until(&self, side: Side, bytes: usize) -> Reached {
        let mut reached = Reached {
            sent: 0,
            in_dialogue: false,
            torn: None,
        };
        let mut read = 0;
        for said in &self.said {
            let is_own = said.from_node == (side == Side::Node);
            if is_own {
                reached.sent += said.frame.len();
            } else if read + said.frame.len() <= bytes {
                read += said.frame.len();
            } else {
                reached.torn = Some((bytes - read, said.frame.len()));
                return reached;
            }
            reached.in_dialogue = !said.is_response();
        }
        reached
    }
}

#[derive(Debug)]
struct Reached {
    /// In bytes.
    sent: usize,
    in_dialogue: bool,
    torn: Option<(usize, usize)>,
}

impl Reached {
    /// What the end of the stream is to the side that reads.
    fn error(&self) -> MessengerError {
        const HEADER: usize = Header::Preamble.size();
        match self.torn {
            None | Some((0, _)) => MessengerError::EndOfStream,
            Some((have, _)) if have < HEADER => {
                FrameError::TornHeader { have, want: HEADER }.into()
            }
            Some((have, whole)) => FrameError::TornPayload {
                have: have - HEADER,
                want: whole - HEADER,
            }
            .into(),
        }
    }
}

impl Said {
    fn is_response(&self) -> bool {
        matches!(
            self.message,
            Message::ContractResponse(_)
                | Message::DiagnoseWaitResponse(_)
                | Message::UndefinedRequestOrResponse(_)
        )
    }
}

fn transcripts(format: Format) -> Vec<Transcript> {
    let transcript = |(name, rows): (&'static str, Vec<dialogues::Row>)| {
        // Behind Initialize, which comes by a pipe of its own.
        let said = rows.into_iter().skip(1).map(|row| {
            let decoded = codec::decode(Format::Json, row.kind, row.payload.into_bytes());
            let (envelope, message) = decoded.expect("recorded");
            let mut frame = Vec::new();
            codec::encode_message(format, &envelope, &message, &mut frame).expect("short");
            Said {
                from_node: row.from_node,
                message,
                error_message: envelope.error_message,
                frame,
            }
        });
        let said: Vec<_> = said.collect();
        let bytes = |from_node| {
            let frames = said.iter().filter(|said| said.from_node == from_node);
            frames.flat_map(|said| said.frame.iter().copied()).collect()
        };
        Transcript {
            name,
            format,
            of_node: bytes(true),
            of_child: bytes(false),
            said,
        }
    };
    recordings().into_iter().map(transcript).collect()
}

/// A connection whose other side says what was recorded, damaged, whatever it is told.
struct Wire {
    input: Arc<[u8]>,
    damage: Damage,
    read: usize,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn new(input: Arc<[u8]>, damage: Damage) -> Wire {
        Wire {
            input,
            damage,
            read: 0,
            sent: Arc::default(),
        }
    }
}

impl Transport for Wire {
    fn send(&mut self, bytes: &[u8], _: Option<Instant>) -> Result<(), TransportError> {
        let mut sent = self.sent.lock().expect("no panic");
        sent.extend_from_slice(bytes);
        Ok(())
    }

    fn receive(
        &mut self,
        into: &mut Vec<u8>,
        _: Awaited,
        _: Option<Instant>,
    ) -> Result<usize, TransportError> {
        let end = match self.damage {
            Damage::Cut(end) => end,
            Damage::None | Damage::Flip(_) => self.input.len(),
        };
        let count = (into.capacity() - into.len()).min(end - self.read);
        let start = into.len();
        into.extend_from_slice(&self.input[self.read..self.read + count]);
        if let Damage::Flip(bit) = self.damage
            && let Some(byte) = (bit / 8).checked_sub(self.read)
            && byte < count
        {
            into[start + byte] ^= 1 << (bit % 8);
        }
        self.read += count;
        Ok(count)
    }
}

/// A machine that makes the recorded hook calls and has the recorded outcomes, whatever it is asked.
struct Replay {
    hook: Box<dyn BlockchainHook>,
    runs: VecDeque<(Vec<Message>, Outcome)>,
}

impl Replay {
    fn run(&mut self) -> Result<Outcome, HookError> {
        let Some((calls, outcome)) = self.runs.pop_front() else {
            return Ok(Err(VmFailure("not recorded".to_owned())));
        };
        for call in calls {
            match dispatch(&mut *self.hook, Asked, &call) {
                Some(Err(fatal @ HookError::Fatal(_))) => return Err(fatal),
                Some(_) => {}
                None => panic!("no hook call: {call:?}"),
            }
        }
        Ok(outcome)
    }
}

struct Asked;

impl Replier for Asked {
    type Output = HookResult<()>;

    fn reply<R: HookRequest>(self, answer: HookResult<R::Response>) -> HookResult<()> {
        answer.map(drop)
    }
}

impl Machine for Replay {
    type Fatal = HookError;

    fn deploy(&mut self, _: ContractCreateInput) -> Result<Outcome, HookError> {
        self.run()
    }

    fn call(&mut self, _: ContractCallInput) -> Result<Outcome, HookError> {
        self.run()
    }
}

fn runs(transcript: &Transcript) -> VecDeque<(Vec<Message>, Outcome)> {
    let runs = transcript.dialogues().map(|dialogue| {
        let (response, before) = dialogue.split_last().expect("not empty");
        let calls = before.iter().filter(|said| !said.from_node);
        let output = match &response.message {
            Message::ContractResponse(response) => response.vm_output.clone(),
            _ => None,
        };
        let outcome = output.ok_or_else(|| VmFailure(response.error_message.clone()));
        (calls.map(|said| said.message.clone()).collect(), outcome)
    });
    runs.collect()
}

/// Runs the child's loop. How it ends, and what it has sent.
fn child(transcript: &Transcript, damage: Damage) -> (LoopEnd, Vec<u8>) {
    let wire = Wire::new(transcript.input(Side::Arwen), damage);
    let sent = Arc::clone(&wire.sent);
    let messenger = Messenger::new(Side::Arwen, wire, transcript.format, LIMIT_BYTES);
    let build = |_: &Arguments, hook| -> Result<Replay, BuildError> {
        let runs = runs(transcript);
        Ok(Replay { hook, runs })
    };
    let child = DialogueLoop::new(Link::new(messenger), Arguments::default(), build);
    let end = child.expect("builds").run();
    let sent = std::mem::take(&mut *sent.lock().expect("no panic"));
    (end, sent)
}

/// A hook that gives the recorded answers of a dialogue: the child's end of a recorded conversation.
fn hook(format: Format, dialogue: &[Said]) -> Gateway<Wire> {
    let frames = dialogue.iter().filter(|said| said.from_node);
    let input = frames.flat_map(|said| said.frame.iter().copied()).collect();
    let wire = Wire::new(input, Damage::None);
    let mut messenger = Messenger::new(Side::Arwen, wire, format, LIMIT_BYTES);
    messenger.receive(None).expect("the request");
    Gateway::new(Link::new(messenger))
}

/// Runs the driver's loop. How it ends, the number of dialogues that it has finished, and what it has sent.
fn node(transcript: &Transcript, damage: Damage) -> (Option<Fault>, usize, Vec<u8>) {
    let wire = Wire::new(transcript.input(Side::Node), damage);
    let sent = Arc::clone(&wire.sent);
    let mut messenger = Messenger::new(Side::Node, wire, transcript.format, LIMIT_BYTES);
    let (mut finished, mut fault) = (0, None);
    for dialogue in transcript.dialogues() {
        let mut hook = hook(transcript.format, dialogue);
        let outcome = match &dialogue[0].message {
            Message::ContractCallRequest(request) => run(&mut messenger, &mut hook, &**request),
            Message::ContractDeployRequest(request) => run(&mut messenger, &mut hook, &**request),
            other => panic!("{}: {other:?}", transcript.name),
        };
        match outcome {
            Ok(()) => finished += 1,
            Err(error) => {
                fault = Some(error);
                break;
            }
        }
    }
    let sent = std::mem::take(&mut *sent.lock().expect("no panic"));
    (fault, finished, sent)
}

fn run<R: Request>(
    messenger: &mut Messenger<Wire>,
    hook: &mut dyn BlockchainHook,
    request: &R,
) -> Result<(), Fault> {
    // More than any run takes.
    let mut budget = Budget::new(Duration::from_secs(3600));
    dialogue_loop::run(
        messenger,
        hook,
        request,
        &mut budget,
        &mut read_ahead::Asked::default(),
    )
    .map(drop)
}

/// Runs something on each transcript, on all processors; the sum of what it returns.
fn on_each(transcripts: &[Transcript], run: impl Fn(&Transcript) -> u64 + Sync) -> u64 {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, sum) = (AtomicUsize::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(transcript) = transcripts.get(next.fetch_add(1, Relaxed)) {
                    sum.fetch_add(run(transcript), Relaxed);
                }
            });
        }
    });
    sum.into_inner()
}

fn stride(otherwise: usize) -> usize {
    std::env::var("ARWEN_DAMAGE_STRIDE").map_or(otherwise, |stride| {
        stride.parse().expect("ARWEN_DAMAGE_STRIDE is a number")
    })
}

/// That all of it is whole messages.
fn is_messages(format: Format, bytes: &[u8]) -> bool {
    let mut decoder = Decoder::new(Header::Preamble, LIMIT_BYTES);
    decoder.push(bytes);
    while let Some(frame) = decoder.next() {
        let frame = frame.expect("short");
        if codec::decode(format, frame.kind, frame.payload).is_err() {
            return false;
        }
    }
    decoder.is_empty()
}

#[test]
fn both_sides_say_what_was_recorded() {
    for format in [Format::Json, Format::Protobuf] {
        for transcript in &transcripts(format) {
            let (end, sent) = child(transcript, Damage::None);
            assert!(
                matches!(end, LoopEnd::Stream(MessengerError::EndOfStream)),
                "{end}"
            );
            assert!(sent[..] == transcript.of_child[..], "{}", transcript.name);
            let (fault, finished, sent) = node(transcript, Damage::None);
            assert!(fault.is_none(), "{}: {fault:?}", transcript.name);
            assert_eq!(finished, transcript.dialogues().count());
            assert!(sent[..] == transcript.of_node[..], "{}", transcript.name);
        }
    }
}

/// What each side must make of a stream that ends is known to the byte.
#[test]
fn each_side_ends_as_it_must_wherever_its_stream_ends() {
    let stride = stride(CUT_STRIDE).min(CUT_STRIDE);
    let mut cuts = 0;
    for format in [Format::Json, Format::Protobuf] {
        let transcripts = transcripts(format);
        cuts += on_each(&transcripts, |transcript| {
            let mut cuts = 0;
            for end in (0..transcript.of_node.len()).step_by(stride) {
                cut_child(transcript, end);
                cuts += 1;
            }
            for end in (0..transcript.of_child.len()).step_by(stride) {
                cut_node(transcript, end);
                cuts += 1;
            }
            cuts
        });
    }
    println!("transcripts cut off at {cuts} bytes: each side ended as it must");
    assert!(cuts > 100_000, "{cuts}");
}

fn cut_child(transcript: &Transcript, end: usize) {
    let what = (transcript.name, transcript.format, end);
    let reached = transcript.until(Side::Arwen, end);
    let expected = match reached.in_dialogue {
        true => LoopEnd::NodeLost(NodeLost::NoAnswer(reached.error())),
        false => LoopEnd::Stream(reached.error()),
    };
    let (found, sent) = child(transcript, Damage::Cut(end));
    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{what:?}");
    assert!(sent[..] == transcript.of_child[..reached.sent], "{what:?}");
}

fn cut_node(transcript: &Transcript, end: usize) {
    let what = (transcript.name, transcript.format, end);
    let reached = transcript.until(Side::Node, end);
    let expected = Fault::Closed(Closed::Stream(reached.error()));
    let (found, _, sent) = node(transcript, Damage::Cut(end));
    let found = found.expect("its stream ends too early");
    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{what:?}");
    assert!(sent[..] == transcript.of_node[..reached.sent], "{what:?}");
}

/// A flipped bit gives other messages or an error of its kind, and changes nothing that was said before.
#[test]
fn each_side_survives_every_flipped_bit() {
    let stride = stride(STRIDE);
    let (mut flips, refused) = (0, AtomicU64::new(0));
    for format in [Format::Json, Format::Protobuf] {
        let transcripts = transcripts(format);
        flips += on_each(&transcripts, |transcript| {
            let mut flips = 0;
            for bit in (0..8 * transcript.of_node.len()).step_by(stride) {
                refused.fetch_add(flip_for_child(transcript, bit).into(), Relaxed);
                flips += 1;
            }
            for bit in (0..8 * transcript.of_child.len()).step_by(stride) {
                refused.fetch_add(flip_for_node(transcript, bit).into(), Relaxed);
                flips += 1;
            }
            flips
        });
    }
    let refused = refused.into_inner();
    println!(
        "{flips} bits of transcripts flipped: {refused} refused, the others read as other messages"
    );
    assert!(flips > 10_000, "{flips}");
    assert!(
        refused > flips / 20 && refused < flips,
        "{refused} of {flips}"
    );
}

/// Whether the child has noticed.
fn flip_for_child(transcript: &Transcript, bit: usize) -> bool {
    let what = (transcript.name, transcript.format, bit);
    let before = transcript.until(Side::Arwen, bit / 8).sent;
    let (end, sent) = child(transcript, Damage::Flip(bit));
    assert!(sent[..before] == transcript.of_child[..before], "{what:?}");
    assert!(is_messages(transcript.format, &sent[before..]), "{what:?}");
    match end {
        LoopEnd::Stream(MessengerError::EndOfStream) => false,
        LoopEnd::Machine(fatal) => panic!("{what:?}: {fatal}"),
        _ => true,
    }
}

/// Whether the driver has noticed.
fn flip_for_node(transcript: &Transcript, bit: usize) -> bool {
    let what = (transcript.name, transcript.format, bit);
    let before = transcript.until(Side::Node, bit / 8).sent;
    let (fault, _, sent) = node(transcript, Damage::Flip(bit));
    assert!(sent[..before] == transcript.of_node[..before], "{what:?}");
    assert!(is_messages(transcript.format, &sent[before..]), "{what:?}");
    match fault {
        None => false,
        Some(
            Fault::Closed(Closed::Stream(_))
            | Fault::InvalidNonce(_)
            | Fault::BadMessage(BadMessage::Malformed(_))
            | Fault::HookFailed(_),
        ) => true,
        Some(other) => panic!("{what:?}: {other}"),
    }
}
