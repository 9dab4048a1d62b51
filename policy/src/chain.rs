//! The chains and assets Tercet knows, with everything that enters a digest pinned here.
//!
//! A server's word about a token's name, version, decimals or address is at most a cross-check:
//! EIP-712 domains are never taken from outside.

use std::fmt;

use alloy_primitives::{Address, B256, address, b256};
use serde::{Deserialize, Serialize};

/// A chain Tercet can pay on. In JSON it is its CAIP-2 name, `"eip155:8453"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Chain {
    /// Base main net, chain id 8453.
    Base,
    /// Base Sepolia, chain id 84532.
    BaseSepolia,
    /// Tempo main net, chain id 4217.
    Tempo,
    /// Moderato, the test net of Tempo, chain id 42431.
    TempoModerato,
}

/// What a chain's transactions are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// EIP-1559 transactions, fees in ETH, tokens with EIP-3009.
    Base,
    /// Transactions of type 0x76, fees in a stablecoin, TIP-20 tokens.
    Tempo,
}

/// A chain that is not in the registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is not a chain Tercet knows; known are eip155:8453, eip155:84532, eip155:4217 and \
     eip155:42431"
)]
pub struct UnknownChain {
    /// What was given, cut to a printable length.
    pub given: String,
}

impl Chain {
    /// All chains of the registry.
    pub const ALL: [Self; 4] = [Self::Base, Self::BaseSepolia, Self::Tempo, Self::TempoModerato];

    /// The EIP-155 chain id.
    #[must_use]
    pub const fn id(self) -> u64 {
        match self {
            Self::Base => 8453,
            Self::BaseSepolia => 84532,
            Self::Tempo => 4217,
            Self::TempoModerato => 42431,
        }
    }

    /// The CAIP-2 name.
    #[must_use]
    pub const fn caip2(self) -> &'static str {
        match self {
            Self::Base => "eip155:8453",
            Self::BaseSepolia => "eip155:84532",
            Self::Tempo => "eip155:4217",
            Self::TempoModerato => "eip155:42431",
        }
    }

    /// What its transactions are like.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Base | Self::BaseSepolia => Family::Base,
            Self::Tempo | Self::TempoModerato => Family::Tempo,
        }
    }

    /// The chain with this CAIP-2 name, compared to the letter.
    ///
    /// # Errors
    /// [`UnknownChain`] for every other text.
    pub fn from_caip2(name: &str) -> Result<Self, UnknownChain> {
        Self::ALL
            .into_iter()
            .find(|chain| chain.caip2() == name)
            .ok_or_else(|| UnknownChain { given: name.chars().take(64).collect() })
    }
}

impl TryFrom<String> for Chain {
    type Error = UnknownChain;
    fn try_from(name: String) -> Result<Self, UnknownChain> {
        Self::from_caip2(&name)
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> Self {
        chain.caip2().to_owned()
    }
}

impl std::str::FromStr for Chain {
    type Err = UnknownChain;
    fn from_str(name: &str) -> Result<Self, UnknownChain> {
        Self::from_caip2(name)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.caip2())
    }
}

/// A token that Tercet pays with.
#[derive(Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it lives.
    pub chain: Chain,
    /// Its contract.
    pub token: Address,
    /// How people write it, as in `"0.50 USDC"`.
    pub symbol: &'static str,
    /// Decimal places of one whole unit.
    pub decimals: u8,
    /// How it takes authorizations; nothing for a token without EIP-3009.
    pub eip3009: Option<Eip3009Domain>,
}

/// The pinned EIP-712 domain of a token with EIP-3009.
#[derive(Debug, PartialEq, Eq)]
pub struct Eip3009Domain {
    /// `name`. It differs between Base and Base Sepolia.
    pub name: &'static str,
    /// `version`.
    pub version: &'static str,
    /// The domain separator these give (EIP-712), as the deployed contract answers it.
    pub separator: B256,
}

const fn tip20(chain: Chain, token: Address, symbol: &'static str) -> Asset {
    Asset { chain, token, symbol, decimals: TIP20_DECIMALS, eip3009: None }
}

/// Decimals of every TIP-20 stablecoin of the registry.
const TIP20_DECIMALS: u8 = 6;
/// pathUSD, the first TIP-20 of every Tempo chain.
pub const PATH_USD: Address = address!("0x20C0000000000000000000000000000000000000");

/// Circle's USDC on Base and Base Sepolia; the stablecoins of Tempo, and the test tokens of its
/// test net. Assets of one symbol are counted together, so a symbol means one issuer's coin.
pub static ASSETS: [Asset; 9] = [
    Asset {
        chain: Chain::Base,
        token: address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
        symbol: "USDC",
        decimals: 6,
        eip3009: Some(Eip3009Domain {
            name: "USD Coin",
            version: "2",
            separator: b256!("0x02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f"),
        }),
    },
    Asset {
        chain: Chain::BaseSepolia,
        token: address!("0x036CbD53842c5426634e7929541eC2318f3dCF7e"),
        symbol: "USDC",
        decimals: 6,
        eip3009: Some(Eip3009Domain {
            name: "USDC",
            version: "2",
            separator: b256!("0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818"),
        }),
    },
    tip20(Chain::Tempo, PATH_USD, "pathUSD"),
    tip20(Chain::Tempo, address!("0x20C000000000000000000000b9537d11c60E8b50"), "USDC.e"),
    tip20(Chain::Tempo, address!("0x20c0000000000000000000006a37DA5C996874BE"), "OUSD"),
    tip20(Chain::TempoModerato, PATH_USD, "pathUSD"),
    tip20(Chain::TempoModerato, address!("0x20C0000000000000000000000000000000000001"), "AlphaUSD"),
    tip20(Chain::TempoModerato, address!("0x20C0000000000000000000000000000000000002"), "BetaUSD"),
    tip20(Chain::TempoModerato, address!("0x20C0000000000000000000000000000000000003"), "ThetaUSD"),
];

/// A token that the registry does not have on that chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("token {token} on {chain} is not in the registry")]
pub struct UnknownAsset {
    /// The chain it was said to be on.
    pub chain: Chain,
    /// The contract that was named.
    pub token: Address,
}

impl Asset {
    /// The registered asset with this contract on this chain.
    ///
    /// # Errors
    /// [`UnknownAsset`] for look-alikes and everything else.
    pub fn find(chain: Chain, token: Address) -> Result<&'static Self, UnknownAsset> {
        ASSETS
            .iter()
            .find(|asset| asset.chain == chain && asset.token == token)
            .ok_or(UnknownAsset { chain, token })
    }

    /// The registered asset with this symbol on this chain.
    #[must_use]
    pub fn by_symbol(chain: Chain, symbol: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.chain == chain && asset.symbol == symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_matched_to_the_letter() {
        assert_eq!(Chain::from_caip2("eip155:8453"), Ok(Chain::Base));
        for other in ["base", "8453", "EIP155:8453", "eip155:08453", "eip155:1", "eip155:8453 "] {
            assert!(Chain::from_caip2(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_token_of_one_chain_is_unknown_on_the_other() {
        let base = &ASSETS[0];
        assert!(Asset::find(Chain::Base, base.token).is_ok());
        assert!(Asset::find(Chain::BaseSepolia, base.token).is_err());
    }
}
