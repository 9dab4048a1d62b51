//! A reader of RLP (Ethereum yellow paper, appendix B) that shares nothing with the writer, and
//! panics at anything but the one shortest form.

use alloy_primitives::U256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Bytes(Vec<u8>),
    List(Vec<Item>),
}

impl Item {
    /// The fields behind the type byte of a transaction.
    pub(super) fn of_transaction(raw: &[u8]) -> Vec<Self> {
        let mut rest = &raw[1..];
        let item = read(&mut rest);
        assert!(rest.is_empty(), "bytes after the list");
        item.list().to_vec()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::List(_) => panic!("a list"),
        }
    }

    pub(super) fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Bytes(_) => panic!("no list"),
        }
    }

    pub(super) fn number(&self) -> U256 {
        let bytes = self.bytes();
        assert_ne!(bytes.first(), Some(&0), "a number with leading zeros");
        U256::from_be_slice(bytes)
    }
}

fn read(rest: &mut &[u8]) -> Item {
    let first = take(rest, 1)[0];
    match first {
        0..=0x7f => Item::Bytes(vec![first]),
        0x80..=0xbf => {
            let length = length(rest, first ^ 0x80);
            let bytes = take(rest, length);
            assert!(!matches!(bytes, [0..=0x7f]), "a byte that stands for itself");
            Item::Bytes(bytes.to_vec())
        }
        0xc0..=0xff => {
            let length = length(rest, first ^ 0xc0);
            let mut inner = take(rest, length);
            let mut items = Vec::new();
            while !inner.is_empty() {
                items.push(read(&mut inner));
            }
            Item::List(items)
        }
    }
}

fn length(rest: &mut &[u8], code: u8) -> usize {
    let Some(count @ 1..) = code.checked_sub(55) else {
        return usize::from(code);
    };
    let bytes = take(rest, usize::from(count));
    assert_ne!(bytes[0], 0, "a length with leading zeros");
    let length = bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
    assert!(length > 55, "a short length in its long form");
    length
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}
