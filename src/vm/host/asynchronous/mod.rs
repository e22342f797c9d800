//! Asynchronous calls: to contracts here at once, to those of other shards through the node
//! (docs/spec/host.md#asynchronous-calls).

mod calls;
mod json;
mod promises;
mod stored;
