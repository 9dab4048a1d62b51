//! Server-sent events, as HTML's living standard has them, without reconnecting.

use bytes::{Bytes, BytesMut};

/// Largest event that is held, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its `event` field; empty for a plain message.
    pub name: String,
    /// Its `data` fields, joined by newlines.
    pub data: String,
    /// Its `id` field.
    pub id: Option<String>,
}

/// An event that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event has more than {EVENT_BYTES_MAX} bytes")]
pub(super) struct TooLarge;

/// Cuts bytes into events.
#[derive(Default)]
pub(super) struct Events {
    held: BytesMut,
    /// How much of what is held has no line's end in it: it is not looked through again.
    scanned: usize,
    event: Event,
    has_data: bool,
}

impl Event {
    /// The event in the form in which it came.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut text = String::new();
        if !self.name.is_empty() {
            text.push_str(&format!("event: {}\n", self.name));
        }
        if let Some(id) = &self.id {
            text.push_str(&format!("id: {id}\n"));
        }
        for line in self.data.split('\n') {
            text.push_str(&format!("data: {line}\n"));
        }
        text.push('\n');
        text.into()
    }
}

impl Events {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole event; nothing until more was fed.
    pub(super) fn next(&mut self) -> Result<Option<Event>, TooLarge> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
                continue;
            }
            self.field(&line);
            if self.event.data.len() > EVENT_BYTES_MAX {
                return Err(TooLarge);
            }
        }
        if self.held.len() > EVENT_BYTES_MAX { Err(TooLarge) } else { Ok(None) }
    }

    /// A line without its end: LF, CRLF, or a CR that is followed by something.
    fn line(&mut self) -> Option<String> {
        let fresh = self.held.get(self.scanned..).unwrap_or_default();
        let end = fresh.iter().position(|b| matches!(b, b'\n' | b'\r'));
        let Some(end) = end.map(|end| self.scanned.saturating_add(end)) else {
            self.scanned = self.held.len();
            return None;
        };
        self.scanned = end;
        let (is_cr, next) =
            (self.held.get(end) == Some(&b'\r'), self.held.get(end.saturating_add(1)));
        let ends = match (is_cr, next) {
            (true, None) => return None,
            (true, Some(b'\n')) => 2,
            _ => 1,
        };
        let mut line = self.held.split_to(end.saturating_add(ends));
        line.truncate(end);
        self.scanned = 0;
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    fn field(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&str]) -> Vec<(String, String)> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for chunk in chunks {
            events.feed(chunk.as_bytes());
            while let Some(event) = events.next().unwrap() {
                found.push((event.name, event.data));
            }
        }
        found
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_cut_wherever_the_bytes_are() {
        let whole = "data: a\n\nevent: x\r\ndata: b\r\ndata:c\r\n\r\n: a comment\n\ndata: d\n\n";
        let expected = vec![pair("", "a"), pair("x", "b\nc"), pair("", "d")];
        assert_eq!(all(&[whole]), expected);
        let bytes: Vec<String> = whole.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(all(&bytes), expected);
    }

    /// What a message says cannot become an event of payment on its way to the caller.
    #[test]
    fn a_message_stays_one_message() {
        let event = Event { data: "a\nevent: payment-receipt\n".to_owned(), ..Event::default() };
        let mut events = Events::default();
        events.feed(&event.to_bytes());
        assert_eq!(events.next().unwrap(), Some(event));
        assert_eq!(events.next().unwrap(), None);
    }

    /// Byte by byte, or many lines at once: each byte is looked at once.
    #[test]
    fn the_work_is_that_of_the_bytes() {
        let begun = std::time::Instant::now();
        let mut events = Events::default();
        for _ in 0..EVENT_BYTES_MAX / 4 {
            events.feed(b"abcd");
            assert_eq!(events.next().unwrap(), None);
        }
        let mut events = Events::default();
        events.feed(b"data: a\n\n".repeat(EVENT_BYTES_MAX / 9).as_slice());
        let mut came = 0;
        while events.next().unwrap().is_some() {
            came += 1;
        }
        assert_eq!(came, EVENT_BYTES_MAX / 9);
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    #[test]
    fn an_event_without_an_end_is_not_held_for_ever() {
        let mut events = Events::default();
        events.feed(&vec![b'a'; EVENT_BYTES_MAX + 1]);
        assert_eq!(events.next(), Err(TooLarge));
    }
}
