//! Server-sent events, from bytes to frames (the HTML standard, section 9.2).
//!
//! Pure: it is given bytes and gives frames. Every buffer has a limit, because what comes from a network
//! may never end. Reconnecting belongs to the caller.

use thiserror::Error;

const LINE_BYTES_MAX: usize = 256 * 1024;
const DATA_BYTES_MAX: usize = 1024 * 1024;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    #[error("a line of the stream is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("an event of the stream is longer than {DATA_BYTES_MAX} bytes")]
    EventTooLong,
    #[error("the stream is not UTF-8")]
    NotText,
}

/// Bytes that are not a whole line yet, and lines that are not a whole event yet.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    line: Vec<u8>,
    id: Option<String>,
    data: String,
    has_data: bool,
}

impl Frames {
    /// The frames that `bytes` completes. What is left of a last line waits for the next call.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut done = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    done.extend(self.end_of_line(&line)?);
                }
                _ if self.line.len() >= LINE_BYTES_MAX => return Err(FrameError::LineTooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(done)
    }

    fn end_of_line(&mut self, line: &[u8]) -> Result<Option<Frame>, FrameError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(text) = std::str::from_utf8(line) else { return Err(FrameError::NotText) };
        if text.is_empty() {
            return Ok(self.end_of_event());
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.add_data(value)?,
            "id" => self.id = Some(value.to_owned()),
            // A comment keeps the connection alive; `event` and `retry` repeat what the data says.
            _ => {}
        }
        Ok(None)
    }

    fn add_data(&mut self, value: &str) -> Result<(), FrameError> {
        if self.data.len() + value.len() >= DATA_BYTES_MAX {
            return Err(FrameError::EventTooLong);
        }
        if self.has_data {
            self.data.push('\n');
        }
        self.data.push_str(value);
        self.has_data = true;
        Ok(())
    }

    fn end_of_event(&mut self) -> Option<Frame> {
        let data = std::mem::take(&mut self.data);
        let complete = std::mem::take(&mut self.has_data);
        let id = self.id.take();
        complete.then_some(Frame { id, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: &str, data: &str) -> Frame {
        Frame { id: Some(id.to_owned()), data: data.to_owned() }
    }

    #[test]
    fn an_event_may_come_in_any_pieces() {
        let text =
            b"id: 7\nevent: step-done\ndata: {\"a\":\ndata: 1}\n\n: still here\n\nid: 8\r\ndata: x\r\n\r\n";
        let expected = vec![frame("7", "{\"a\":\n1}"), frame("8", "x")];
        for size in 1..text.len() {
            let mut frames = Frames::default();
            let mut got = Vec::new();
            for piece in text.chunks(size) {
                got.extend(frames.push(piece).expect("well formed"));
            }
            assert_eq!(got, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_comment_alone_is_no_event() {
        assert_eq!(Frames::default().push(b": keep alive\n\n\n"), Ok(Vec::new()));
    }

    #[test]
    fn an_event_without_its_end_is_not_told() {
        assert_eq!(Frames::default().push(b"id: 1\ndata: half\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_line_without_end_is_refused_not_kept() {
        let mut frames = Frames::default();
        let endless = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(frames.push(&endless), Err(FrameError::LineTooLong));
    }

    #[test]
    fn an_event_without_end_is_refused_not_kept() {
        let mut frames = Frames::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; 200_000], b"\n"].concat();
        let refused = (0..10).find_map(|_| frames.push(&line).err());
        assert_eq!(refused, Some(FrameError::EventTooLong));
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert_eq!(Frames::default().push(b"data: \xff\n"), Err(FrameError::NotText));
    }
}
