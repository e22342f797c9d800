//! Recordings as JSON lines: `{"dir":"node->arwen","kind":4,"payload":{...}}`, a line for a frame. Code that is written as
//! `"@path"` is the content of a file.

use super::error::LineError;
use crate::recording::RecordedFrame;
use serde_json::Value;
use std::path::{Component, Path};

/// Reads a line.
pub(super) fn read(line: &[u8], contracts: Option<&Path>) -> Result<RecordedFrame, LineError> {
    let mut value: Value = serde_json::from_slice(line).map_err(LineError::Json)?;
    let from_node = match value["dir"].as_str() {
        Some("node->arwen") => true,
        Some("arwen->node") => false,
        _ => return Err(LineError::Lacks("dir, which is node->arwen or arwen->node")),
    };
    let kind = value["kind"].as_u64();
    let kind = kind.and_then(|kind| u32::try_from(kind).ok());
    let kind = kind.ok_or(LineError::Lacks("kind"))?;
    let mut payload = value["payload"].take();
    if !payload.is_object() {
        return Err(LineError::Lacks("payload"));
    }
    resolve(&mut payload, contracts)?;
    Ok(RecordedFrame {
        micros: 0,
        from_node,
        kind,
        payload: payload.to_string().into(),
    })
}

/// Replaces names of files by the files.
fn resolve(value: &mut Value, contracts: Option<&Path>) -> Result<(), LineError> {
    match value {
        Value::Object(members) => members
            .values_mut()
            .try_for_each(|member| resolve(member, contracts)),
        Value::Array(list) => list
            .iter_mut()
            .try_for_each(|element| resolve(element, contracts)),
        Value::String(text) => match text.strip_prefix('@') {
            Some(name) if name.ends_with(".wasm") => {
                *text = contract(name, contracts)?;
                Ok(())
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn contract(name: &str, contracts: Option<&Path>) -> Result<String, LineError> {
    let is_below = |part| matches!(part, Component::Normal(_));
    let folder = contracts.filter(|_| Path::new(name).components().all(is_below));
    let folder = folder.ok_or_else(|| LineError::NoContracts(name.to_owned()))?;
    let path = folder.join(name);
    match std::fs::read(&path) {
        Ok(code) => Ok(base64_simd::STANDARD.encode_to_string(code)),
        Err(reason) => Err(LineError::Contract { path, reason }),
    }
}
