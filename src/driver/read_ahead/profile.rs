//! What is known of a function's hook calls: templates, and whether predicting them pays.

use super::asked::Exchange;
use super::sources::{Gist, Sources, TemplateId};
use super::template::{Filled, Question, Template};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

/// After so many requests in a row in which it was of no use, a template is forgotten.
const FORGOTTEN_AFTER: u8 = 3;

/// What an answer ahead saves: a round trip between two processes, at its shortest.
const ROUND_TRIP: Duration = Duration::from_micros(5);

/// Predictions may lose so much time more than they have saved. It also is the scale at which old gains and losses fade.
const MOST_LOSS: Duration = Duration::from_millis(1);

/// The least and the most requests for which a function is not predicted after it has lost.
const PAUSES: [u32; 2] = [16, 4096];

/// The most requests that are not learned from after requests from which nothing could be learned.
const LONGEST_REST: u32 = 1024;

/// Requests from which nothing could be learned before the first rest.
const FRUITLESS_BEFORE_REST: u32 = 3;

/// A template and how useful it is.
#[derive(Debug)]
struct Tracked {
    id: TemplateId,
    template: Template,
    /// Whether a second request has asked it: a question that was asked once is not predicted.
    is_confirmed: bool,
    /// Requests in a row in which it was of no use.
    failures: u8,
}

/// A question that was answered ahead.
#[derive(Debug)]
pub(super) struct Prediction {
    /// The template that predicts it, by its place.
    template: usize,
    /// Another one that predicts it, too.
    other_template: Option<usize>,
    /// What the node's hook took.
    took: Duration,
}

/// The hook calls of a function.
#[derive(Debug, Default)]
pub(super) struct Profile {
    /// In the order of their ids.
    templates: Vec<Tracked>,
    next_id: TemplateId,
    gain: Duration,
    loss: Duration,
    /// The last pause, in requests.
    last_pause: u32,
    /// Requests for which nothing is predicted.
    pause: u32,
    /// Requests in a row from which nothing was learned although they asked.
    fruitless: u32,
    /// Requests that are not learned from.
    rest: u32,
}

/// What happened to the predictions of a request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Score {
    pub used: u64,
    pub wasted: u64,
}

impl Profile {
    /// Begins a request: whether its questions are to be predicted. Counts down pauses.
    pub(super) fn begin(&mut self) -> bool {
        let is_paused = self.pause > 0;
        self.pause = self.pause.saturating_sub(1);
        !is_paused
    }

    /// Whether the questions of this request are to be noted. Counts down rests.
    pub(super) fn is_learning(&mut self) -> bool {
        let is_resting = self.rest > 0;
        self.rest = self.rest.saturating_sub(1);
        !is_resting
    }

    /// Predicts the questions of a request, one after the other: `answer` says what the node answers to one, and how long that
    /// took; `None` when it can't be answered ahead. Ends when `answer` has had enough.
    pub(super) fn predict(
        &self,
        sources: &mut Sources,
        filled: &mut Filled,
        mut answer: impl FnMut(&Question) -> Answered,
    ) -> Vec<Prediction> {
        let mut predictions: Vec<Prediction> = Vec::with_capacity(self.confirmed());
        let mut last: Option<Cow<'_, Question>> = None;
        for (place, tracked) in self.templates.iter().enumerate() {
            if !tracked.is_confirmed {
                continue;
            }
            let next = self.templates.get(place + 1).map(|next| &next.template);
            let Some(question) = tracked.template.fill_like(next, sources, filled) else {
                continue;
            };
            // The two templates of a question follow one another.
            if let (Some(prediction), Some((_, gist))) =
                (predictions.last_mut(), sources.answers.last())
                && last.as_ref() == Some(&question)
            {
                prediction.other_template = Some(place);
                sources.answers.push((tracked.id, *gist));
                continue;
            }
            match answer(&question) {
                Answered::Ahead { gist, took } => {
                    sources.answers.push((tracked.id, gist));
                    predictions.push(Prediction {
                        template: place,
                        other_template: None,
                        took,
                    });
                    last = Some(question);
                }
                Answered::Not => last = None,
                Answered::Enough => break,
            }
        }
        predictions
    }

    /// Learns from an answered request: which predictions were used, and what was asked all the same. `most` templates are
    /// kept.
    pub(super) fn learn<'a>(
        &mut self,
        sources: impl FnOnce() -> Sources<'a>,
        filled: &mut Filled,
        predictions: &[Prediction],
        is_used: impl Fn(usize) -> bool,
        asked: &[Exchange],
        most: usize,
    ) -> Score {
        let score = self.rate(predictions, is_used);
        if !asked.is_empty() {
            let mut sources = sources();
            self.confirm(&mut sources, asked, filled);
            self.add(&mut sources, asked, most, filled);
        } else if score.wasted == 0 {
            return score;
        }
        self.templates
            .retain(|tracked| tracked.failures < FORGOTTEN_AFTER);
        score
    }

    /// Counts what predictions have saved and lost.
    fn rate(&mut self, predictions: &[Prediction], is_used: impl Fn(usize) -> bool) -> Score {
        let mut score = Score::default();
        for (place, prediction) in predictions.iter().enumerate() {
            let is_used = is_used(place);
            if is_used {
                score.used += 1;
                self.gain += ROUND_TRIP;
            } else {
                score.wasted += 1;
                self.loss += prediction.took;
            }
            for template in std::iter::once(prediction.template).chain(prediction.other_template) {
                let tracked = &mut self.templates[template];
                tracked.failures = if is_used { 0 } else { tracked.failures + 1 };
            }
        }
        if self.loss > self.gain + MOST_LOSS {
            let [least, most] = PAUSES;
            self.pause = (self.last_pause * 4).clamp(least, most);
            self.last_pause = self.pause;
            (self.gain, self.loss) = (Duration::ZERO, Duration::ZERO);
        } else if self.gain > 2 * MOST_LOSS {
            self.gain /= 2;
            self.loss /= 2;
            self.last_pause = 0;
        }
        score
    }

    /// Confirms templates by what was asked.
    fn confirm(&mut self, sources: &mut Sources, asked: &[Exchange], filled: &mut Filled) {
        let asked: HashMap<&Question, &Gist> = asked
            .iter()
            .map(|exchange| (&exchange.question, &exchange.gist))
            .collect();
        let predicted = std::mem::take(&mut sources.answers);
        let mut predicted = predicted.into_iter().peekable();
        let mut confirmed = 0;
        for tracked in &mut self.templates {
            if let Some(answer) = predicted.next_if(|(id, _)| *id == tracked.id) {
                sources.answers.push(answer);
                continue;
            }
            let question = tracked.template.fill(sources, filled);
            match question.and_then(|question| asked.get(&*question)) {
                Some(gist) => {
                    sources.answers.push((tracked.id, **gist));
                    confirmed += u32::from(!tracked.is_confirmed);
                    tracked.is_confirmed = true;
                    tracked.failures = 0;
                }
                None => tracked.failures += 1,
            }
        }
        if confirmed > 0 {
            self.fruitless = 0;
            return;
        }
        self.fruitless += 1;
        let rests = self.fruitless.saturating_sub(FRUITLESS_BEFORE_REST);
        self.rest = match rests {
            0 => 0,
            rests => 2u32.saturating_pow(rests).min(LONGEST_REST),
        };
    }

    /// Adds templates of the questions that none asks yet.
    fn add(&mut self, sources: &mut Sources, asked: &[Exchange], most: usize, filled: &mut Filled) {
        let known: Vec<Question> = self
            .templates
            .iter()
            .filter_map(|tracked| tracked.template.fill(sources, filled).map(Cow::into_owned))
            .collect();
        let mut known: std::collections::HashSet<Question> = known.into_iter().collect();
        for Exchange { question, gist } in asked {
            if self.templates.len() >= most || !known.insert(question.clone()) {
                continue;
            }
            // Both may turn out to be right.
            let open = Template::open(question, sources);
            for template in open.into_iter().chain([Template::Fixed(question.clone())]) {
                let id = self.next_id;
                self.next_id += 1;
                self.templates.push(Tracked {
                    id,
                    template,
                    is_confirmed: false,
                    failures: 0,
                });
                sources.answers.push((id, *gist));
            }
        }
    }

    /// The number of templates that predict questions.
    pub(super) fn confirmed(&self) -> usize {
        let templates = self.templates.iter();
        templates.filter(|tracked| tracked.is_confirmed).count()
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let templates = self.templates.iter();
        size_of::<Profile>()
            + templates
                .map(|tracked| size_of::<Tracked>() + tracked.template.bytes())
                .sum::<usize>()
    }
}

/// What the node says to a predicted question.
#[derive(Debug)]
pub(super) enum Answered {
    /// An answer.
    Ahead { gist: Gist, took: Duration },
    /// It can't answer this one.
    Not,
    /// No further question is to be answered ahead.
    Enough,
}
