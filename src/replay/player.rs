//! Plays the node's part of one dialogue to a child.

use super::compare::{Difference, differences, key};
use super::dialogues::Dialogue;
use super::error::ReplayError;
use super::hook_calls::HookCall;
use super::outcome::Verdict;
use crate::driver::raw::RawChild;
use crate::driver::{DriverConfig, Fault};
use crate::escape::with_sources;
use crate::messages::{Arguments, Message, MessageKind, Role, kind_name};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What a child did with a dialogue.
pub(super) struct Played {
    pub verdict: Verdict,
    pub differences: Vec<Difference>,
    /// Why there was no response.
    pub reason: Option<String>,
    /// Hook calls of the child.
    pub hook_calls: u64,
    pub response: Option<Message>,
    pub took: Duration,
}

/// Keeps a child for the dialogues that fit it.
pub(super) struct Player {
    config: DriverConfig,
    child: Option<(Arguments, RawChild)>,
}

impl Player {
    /// A player whose children have this configuration, but for the arguments of Initialize, which are those of recordings.
    pub(super) fn new(config: DriverConfig) -> Player {
        Player {
            config,
            child: None,
        }
    }

    pub(super) fn play(&mut self, dialogue: &Dialogue) -> Result<Played, ReplayError> {
        let mut child = match self.child.take() {
            Some((arguments, child)) if arguments == dialogue.life.arguments => child,
            other => {
                drop(other);
                self.config.arguments = dialogue.life.arguments.clone();
                RawChild::start(&self.config).map_err(ReplayError::NoChild)?
            }
        };
        let begun = Instant::now();
        let deadline = begun + self.config.max_loop_time;
        let mut hooks = Hooks::new(dialogue);
        let response = converse(&mut child, dialogue, &mut hooks, deadline);
        let mut played = Played {
            verdict: Verdict::Same,
            differences: Vec::new(),
            reason: None,
            hook_calls: hooks.asked.len() as u64,
            response: None,
            took: begun.elapsed(),
        };
        match response {
            Ok((message, error)) => {
                if let Some((recorded, recorded_error)) = &dialogue.response {
                    played.differences = differences(
                        (recorded, recorded_error),
                        (&message, &error),
                        dialogue.life.is_imported,
                    );
                }
                played.differences.extend(hooks.difference());
                if !played.differences.is_empty() {
                    played.verdict = Verdict::Different;
                }
                played.response = Some(message);
                self.child = Some((dialogue.life.arguments.clone(), child));
            }
            Err(Stop::Unknown(question)) => {
                played.verdict = Verdict::Different;
                played.differences.push(Difference {
                    what: format!("hook call {}", hooks.asked.len() + 1),
                    recorded: "not asked".to_owned(),
                    found: question,
                });
            }
            Err(Stop::Failed(error)) => {
                played.verdict = Verdict::Failed;
                played.reason = Some(with_sources(&child.end(error)));
            }
        }
        Ok(played)
    }
}

/// Why a dialogue has no response.
enum Stop {
    /// The child has asked what the recording does not have.
    Unknown(String),
    Failed(Fault),
}

fn converse(
    child: &mut RawChild,
    dialogue: &Dialogue,
    hooks: &mut Hooks<'_>,
    deadline: Instant,
) -> Result<(Message, String), Stop> {
    let send = |child: &mut RawChild, message: &Message, error: &str| {
        child.send(message, error, deadline).map_err(Stop::Failed)
    };
    send(child, &dialogue.request, "")?;
    loop {
        let received = child.receive(deadline).map_err(Stop::Failed)?;
        let kind = received.message.kind();
        let role = MessageKind::from_wire(kind).and_then(MessageKind::role);
        if !matches!(role, Some(Role::HookRequest(_))) {
            return Ok((received.message, received.envelope.error_message));
        }
        let question = key(&received.message);
        let Some(call) = hooks.answer(&question) else {
            let (_, text) = question.split_once(' ').unwrap_or_default();
            return Err(Stop::Unknown(format!("{} {text}", kind_name(kind))));
        };
        send(child, &call.answer, &call.error)?;
    }
}

/// The recorded hook calls, and those that were made.
struct Hooks<'a> {
    calls: &'a [HookCall],
    /// The calls with a key, in their order, and how many of them were made.
    by_key: HashMap<String, (Vec<usize>, usize)>,
    /// Whether the recording tells their order.
    is_ordered: bool,
    /// For each call that was made the first recorded one with its key.
    asked: Vec<usize>,
}

impl<'a> Hooks<'a> {
    fn new(dialogue: &'a Dialogue) -> Hooks<'a> {
        let calls = &dialogue.hook_calls[..];
        let mut by_key: HashMap<_, (Vec<usize>, usize)> = HashMap::new();
        for (index, call) in calls.iter().enumerate() {
            by_key.entry(key(&call.question)).or_default().0.push(index);
        }
        Hooks {
            calls,
            by_key,
            is_ordered: !dialogue.is_read_ahead,
            asked: Vec::new(),
        }
    }

    /// The recorded answer to a question; the last one if it is asked more often than recorded.
    fn answer(&mut self, question: &str) -> Option<&'a HookCall> {
        let (indices, asked) = self.by_key.get_mut(question)?;
        let index = indices.get(*asked).or(indices.last())?;
        *asked += 1;
        self.asked.push(indices[0]);
        self.calls.get(*index)
    }

    /// The first question that is another one than recorded. A question that is asked again does not count: a child may remember the
    /// answer, which does not change within a request.
    fn difference(&self) -> Option<Difference> {
        let mut recorded: Vec<_> = self
            .by_key
            .values()
            .map(|(indices, _)| indices[0])
            .collect();
        recorded.sort_unstable();
        let mut seen = std::collections::HashSet::new();
        let mut asked: Vec<_> = self
            .asked
            .iter()
            .filter(|index| seen.insert(**index))
            .collect();
        if !self.is_ordered {
            asked.sort_unstable();
        }
        let at = (0..recorded.len().max(asked.len()))
            .find(|at| recorded.get(*at) != asked.get(*at).copied())?;
        let text = |index: Option<&usize>| match index.and_then(|index| self.calls.get(*index)) {
            Some(call) => {
                let key = key(&call.question);
                let (_, text) = key.split_once(' ').unwrap_or_default();
                format!("{} {text}", kind_name(call.question.kind()))
            }
            None => "not asked".to_owned(),
        };
        Some(Difference {
            what: format!("question {} of the hook calls", at + 1),
            recorded: text(recorded.get(at)),
            found: text(asked.get(at).copied()),
        })
    }
}
