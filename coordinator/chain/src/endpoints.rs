//! Which RPC servers are asked about a chain, and how many of them must agree.

use std::fmt;

use serde::Deserialize;
use tercet_policy::chain::Chain;
use url::Url;

/// Most endpoints of one chain.
pub const ENDPOINTS_MAX: usize = 5;

/// The endpoints of one chain. Reading it from a configuration file checks it.
///
/// `Debug` tells how many there are and not where: an RPC URL often has a key in its path.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Endpoints {
    chain: Chain,
    urls: Vec<Url>,
    quorum: usize,
}

/// Why a list of endpoints is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoints {
    /// None, or more than [`ENDPOINTS_MAX`].
    #[error("{given} endpoints are given; there must be 1 to {ENDPOINTS_MAX}")]
    Count {
        /// How many were given.
        given: usize,
    },
    /// Two groups of `quorum` endpoints could say different things.
    #[error("a quorum of {quorum} among {count} endpoints is not a majority, or more than all")]
    Quorum {
        /// The quorum given.
        quorum: usize,
        /// How many endpoints there are.
        count: usize,
    },
    /// The same URL twice would be one server with two votes.
    #[error("endpoint {index} is given twice")]
    Twice {
        /// Place of the second one, counted from 0.
        index: usize,
    },
    /// Neither `http` nor `https`.
    #[error("endpoint {index} is not an http or https URL")]
    Scheme {
        /// Place in the list, counted from 0.
        index: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    chain: Chain,
    urls: Vec<Url>,
    #[serde(default)]
    quorum: Option<usize>,
}

impl Endpoints {
    /// Checks a list of endpoints. Without a `quorum`, the smallest majority is taken.
    ///
    /// # Errors
    /// [`BadEndpoints`] for a wrong number, a quorum that is no majority, a repeated URL, or a
    /// scheme other than `http` and `https`.
    pub fn new(chain: Chain, urls: Vec<Url>, quorum: Option<usize>) -> Result<Self, BadEndpoints> {
        let count = urls.len();
        if count == 0 || count > ENDPOINTS_MAX {
            return Err(BadEndpoints::Count { given: count });
        }
        for (index, url) in urls.iter().enumerate() {
            if !matches!(url.scheme(), "http" | "https") {
                return Err(BadEndpoints::Scheme { index });
            }
            if urls.iter().take(index).any(|earlier| earlier == url) {
                return Err(BadEndpoints::Twice { index });
            }
        }
        let majority = count.div_euclid(2).saturating_add(1);
        let quorum = quorum.unwrap_or(majority);
        if quorum < majority || quorum > count {
            return Err(BadEndpoints::Quorum { quorum, count });
        }
        Ok(Self { chain, urls, quorum })
    }

    /// The chain they serve.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// How many must agree.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.quorum
    }

    /// Where they are.
    #[must_use]
    pub fn urls(&self) -> &[Url] {
        &self.urls
    }
}

impl TryFrom<Unchecked> for Endpoints {
    type Error = BadEndpoints;
    fn try_from(given: Unchecked) -> Result<Self, BadEndpoints> {
        Self::new(given.chain, given.urls, given.quorum)
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints")
            .field("chain", &self.chain)
            .field("count", &self.urls.len())
            .field("quorum", &self.quorum)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(count: usize) -> Vec<Url> {
        (1..=count).map(|port| format!("http://127.0.0.1:{port}").parse().unwrap()).collect()
    }

    #[test]
    fn a_quorum_is_a_majority_that_exists() {
        for (count, quorum, good) in [
            (1, None, true),
            (1, Some(1), true),
            (1, Some(0), false),
            (1, Some(2), false),
            (2, Some(1), false),
            (3, Some(2), true),
            (4, Some(2), false),
            (5, Some(3), true),
            (0, None, false),
            (6, None, false),
        ] {
            let given = Endpoints::new(Chain::Base, urls(count), quorum);
            assert_eq!(given.is_ok(), good, "{count} endpoints, quorum {quorum:?}");
        }
        let default = |count| Endpoints::new(Chain::Base, urls(count), None).unwrap().quorum();
        assert_eq!([1, 2, 3, 4, 5].map(default), [1, 2, 2, 3, 3]);
    }

    #[test]
    fn one_server_has_one_vote() {
        let twice = vec![urls(1)[0].clone(), urls(1)[0].clone()];
        let refused = Endpoints::new(Chain::Base, twice, None).unwrap_err();
        assert_eq!(refused, BadEndpoints::Twice { index: 1 });
    }

    #[test]
    fn a_key_in_a_url_is_not_printed() {
        let url = "https://rpc.example/v2/sup3rs3cret".parse().unwrap();
        let endpoints = Endpoints::new(Chain::Base, vec![url], None).unwrap();
        assert!(!format!("{endpoints:?}").contains("sup3r"));
    }
}
