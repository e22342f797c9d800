//! What an observer is told. Without one nothing is made for it.

use super::Contexts;
use crate::trace::{Effect, Event};

impl Contexts {
    /// Whether an observer wants to know.
    pub fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    /// Tells the observer what has happened, if there is one.
    pub fn tell(&mut self, event: impl FnOnce() -> Event) {
        if let Some(observer) = &mut self.observer {
            observer.event(event());
        }
    }

    /// Tells the observer of an effect, if there is one.
    pub fn tell_effect(&mut self, effect: impl FnOnce() -> Effect) {
        self.tell(|| Event::Effect(effect()));
    }
}
