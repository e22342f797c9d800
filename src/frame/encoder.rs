use super::FrameError;

/// Appends a frame to `out`, which may already hold others; `payload` appends the payload after the preamble.
///
/// On [`FrameError::Unframeable`] `out` is unchanged.
pub fn encode(
    kind: u32,
    out: &mut Vec<u8>,
    payload: impl FnOnce(&mut Vec<u8>),
) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.to_le_bytes());
    finish(out, start, 8, payload)
}

/// Appends a log frame, whose header is only the length.
pub fn encode_log(out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    finish(out, start, 4, payload)
}

fn finish(
    out: &mut Vec<u8>,
    start: usize,
    header: usize,
    payload: impl FnOnce(&mut Vec<u8>),
) -> Result<(), FrameError> {
    payload(out);
    let length = out.len() - start - header;
    let Ok(field) = u32::try_from(length) else {
        out.truncate(start);
        return Err(FrameError::Unframeable { length });
    };
    out[start..start + 4].copy_from_slice(&field.to_le_bytes());
    Ok(())
}
