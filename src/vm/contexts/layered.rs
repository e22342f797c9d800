//! States that nested executions set aside and restore.

use std::ops::{Deref, DerefMut};

/// A state with the copies that nested executions have set aside.
#[derive(Debug, Clone, Default)]
pub struct Layered<T> {
    current: T,
    saved: Vec<T>,
}

impl<T: Clone + Default> Layered<T> {
    /// Sets a copy aside.
    pub fn push(&mut self) {
        self.push_copy(self.current.clone());
    }

    /// Sets `copy` aside in place of the state.
    pub fn push_copy(&mut self, copy: T) {
        self.saved.push(copy);
    }

    /// Sets the state aside, without a copy, and goes on with `next`.
    pub fn enter(&mut self, next: T) {
        let last = std::mem::replace(&mut self.current, next);
        self.saved.push(last);
    }

    /// Goes back to the copy that was set aside last; returns the state that it replaces.
    pub fn restore(&mut self) -> T {
        let copy = self.pop();
        std::mem::replace(&mut self.current, copy)
    }

    /// Drops the copy that was set aside last.
    pub fn discard(&mut self) {
        drop(self.pop());
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    fn pop(&mut self) -> T {
        self.saved
            .pop()
            .expect("every execution that goes back has set a copy aside before")
    }
}

impl<T> Deref for Layered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.current
    }
}

impl<T> DerefMut for Layered<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.current
    }
}
