//! The readable front of a sealed file.

use tercet_policy::time::UnixSeconds;

use super::SealedError;

/// The format written and read.
pub(super) const VERSION: u8 = 1;
/// Longest subject, in bytes.
pub(super) const SUBJECT_BYTES_MAX: usize = 128;
pub(super) const HEADER_BYTES_MAX: usize = MAGIC.len() + 1 + 1 + 8 + 1 + SUBJECT_BYTES_MAX;

const MAGIC: &[u8; 8] = b"TERCETSF";

/// What a sealed file holds. The numbers are in the file format: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SealedKind {
    /// A node's identity keys.
    Identity = 1,
    /// Auxiliary information of a signer group: Paillier primes among it.
    AuxInfo = 2,
    /// A share of a wallet's key.
    KeyShare = 3,
    /// A set of safe primes that no group has yet.
    PrimeSet = 4,
}

impl SealedKind {
    const ALL: [Self; 4] = [Self::Identity, Self::AuxInfo, Self::KeyShare, Self::PrimeSet];

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Identity => "an identity",
            Self::AuxInfo => "auxiliary information",
            Self::KeyShare => "a key share",
            Self::PrimeSet => "a set of primes",
        }
    }
}

pub(super) struct Header {
    pub(super) kind: SealedKind,
    pub(super) subject: String,
    pub(super) created: UnixSeconds,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        header.extend([VERSION, self.kind as u8]);
        header.extend(self.created.0.to_be_bytes());
        // Names are at most 63 bytes and addresses 42, so nothing is ever cut here; a subject
        // cut by a future kind would be refused when read back, not misread.
        header.push(u8::try_from(self.subject.len()).unwrap_or(u8::MAX));
        header.extend(self.subject.as_bytes());
        header
    }

    /// The header and what follows it. Authentic only once the boxes behind it have opened.
    pub(super) fn decode(file: &[u8]) -> Result<(Self, &[u8]), SealedError> {
        let (magic, rest) = file.split_first_chunk().ok_or(SealedError::Truncated)?;
        if magic != MAGIC {
            return Err(SealedError::NotSealed);
        }
        let (&[version, kind], rest) = rest.split_first_chunk().ok_or(SealedError::Truncated)?;
        if version != VERSION {
            return Err(SealedError::UnknownVersion { found: version });
        }
        let kind = SealedKind::ALL.into_iter().find(|&known| known as u8 == kind);
        let kind = kind.ok_or(SealedError::NotAuthentic)?;
        let (created, rest) = rest.split_first_chunk().ok_or(SealedError::Truncated)?;
        let created = UnixSeconds(u64::from_be_bytes(*created));
        let (&subject_bytes, rest) = rest.split_first().ok_or(SealedError::Truncated)?;
        let subject_bytes = usize::from(subject_bytes);
        if subject_bytes > SUBJECT_BYTES_MAX {
            return Err(SealedError::NotAuthentic);
        }
        let (subject, rest) = rest.split_at_checked(subject_bytes).ok_or(SealedError::Truncated)?;
        let subject = str::from_utf8(subject).map_err(|_| SealedError::NotAuthentic)?;
        Ok((Self { kind, subject: subject.to_owned(), created }, rest))
    }
}
