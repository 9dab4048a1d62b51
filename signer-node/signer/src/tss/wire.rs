//! Round messages as bytes.
//!
//! Promises: bytes from a peer become a message of the protocol or a fault of that peer, whatever
//! they hold. The library's number parser panics on some input (a radix of 0); such a panic is
//! caught here. Numbers that no honest party sends, and that the library would compute with
//! before it looks, are refused here.
//!
//! The form is JSON: within 6 % of CBOR for these messages, which are hexadecimal text in either.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cggmp24::backend::Integer;
use cggmp24::key_refresh::msg as aux_msg;
use cggmp24::keygen::msg::threshold as wallet_msg;
use cggmp24::security_level::SecurityLevel128;
use cggmp24::signing::msg as sign_msg;
use cggmp24::supported_curves::Secp256k1;
use round_based::{MessageType, ProtocolMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::error::{OurBug, PeerFault};
use super::group_aux::is_plausible_modulus;

/// Longest round message, in bytes. The longest there is (a proof of auxiliary data) has some
/// 210 thousand.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

pub(super) type AuxMsg = aux_msg::Msg<Sha256, SecurityLevel128>;
pub(super) type WalletMsg = wallet_msg::Msg<Secp256k1, SecurityLevel128, Sha256>;
pub(super) type SignMsg = sign_msg::Msg<Secp256k1, Sha256>;

/// A message of one of the protocols.
pub(super) trait Wire: ProtocolMessage + Serialize + DeserializeOwned {
    /// Whether the protocol sends it to all or to one. Fixed by the round, never by the sender.
    fn kind(&self) -> MessageType;

    /// Whether its numbers are ones an honest party could send.
    fn is_plausible(&self) -> bool {
        true
    }
}

impl Wire for AuxMsg {
    fn kind(&self) -> MessageType {
        match self {
            Self::Round1(_) | Self::Round2(_) | Self::ReliabilityCheck(_) => MessageType::Broadcast,
            Self::Round3(_) => MessageType::P2P,
        }
    }

    fn is_plausible(&self) -> bool {
        match self {
            Self::Round2(m) => {
                let is_residue = |x: &Integer| x.cmp0().is_gt() && *x < m.hat_N;
                is_plausible_modulus(&m.N)
                    && is_plausible_modulus(&m.hat_N)
                    && is_residue(&m.s)
                    && is_residue(&m.t)
            }
            _ => true,
        }
    }
}

impl Wire for WalletMsg {
    fn kind(&self) -> MessageType {
        match self {
            Self::Round1(_)
            | Self::Round2Broad(_)
            | Self::Round3(_)
            | Self::ReliabilityCheck(_) => MessageType::Broadcast,
            Self::Round2Uni(_) => MessageType::P2P,
        }
    }
}

impl Wire for SignMsg {
    fn kind(&self) -> MessageType {
        match self {
            Self::Round1a(_) | Self::Round3(_) | Self::Round4(_) | Self::ReliabilityCheck(_) => {
                MessageType::Broadcast
            }
            Self::Round1b(_) | Self::Round2(_) => MessageType::P2P,
        }
    }

    fn is_plausible(&self) -> bool {
        let positive = |numbers: &[&Integer]| numbers.iter().all(|x| x.cmp0().is_gt());
        match self {
            Self::Round1a(m) => positive(&[&m.K, &m.G]),
            Self::Round2(m) => positive(&[&m.D, &m.F, &m.hat_D, &m.hat_F]),
            _ => true,
        }
    }
}

pub(super) fn encode<M: Wire>(message: &M) -> Result<Vec<u8>, OurBug> {
    let bytes = serde_json::to_vec(message).map_err(|_| OurBug::Encoding)?;
    if bytes.len() > MESSAGE_BYTES_MAX { Err(OurBug::Encoding) } else { Ok(bytes) }
}

pub(super) fn decode<M: Wire>(bytes: &[u8]) -> Result<M, PeerFault> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(PeerFault::TooLarge);
    }
    let read = AssertUnwindSafe(|| serde_json::from_slice::<M>(bytes));
    match catch_unwind(read) {
        Ok(Ok(message)) if message.is_plausible() => Ok(message),
        Ok(_) => Err(PeerFault::Undecodable),
        Err(_panic) => Err(PeerFault::Undecodable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_bytes_that_are_no_message() {
        for bytes in ["", "null", "{}", "[]", r#"{"Round9":1}"#, "\u{0}\u{1}"] {
            let fault = decode::<SignMsg>(bytes.as_bytes()).err();
            assert_eq!(fault, Some(PeerFault::Undecodable), "{bytes}");
        }
        let long = vec![b' '; MESSAGE_BYTES_MAX + 1];
        assert_eq!(decode::<SignMsg>(&long).err(), Some(PeerFault::TooLarge));
    }

    /// The library's parser hands the sender's radix to one that panics below 2 and above 36.
    #[test]
    fn a_radix_that_panics_the_parser_is_the_peers_fault() {
        let number = r#"{"radix":0,"value":"1"}"#;
        let message = format!(r#"{{"Round1a":{{"K":{number},"G":{number}}}}}"#);
        assert_eq!(decode::<SignMsg>(message.as_bytes()).err(), Some(PeerFault::Undecodable));
    }
}
