//! Configurations as text.

use std::net::SocketAddr;
use std::path::Path;

use tercet_policy::document::NodeKeys;
use tercet_policy::party::Party;

use super::{House, Seat};

/// What a configuration may say beyond the defaults; each is lines of TOML.
#[derive(Clone, Debug, Default)]
pub struct ConfigText {
    /// At the end of the coordinator's.
    pub coordinator_more: String,
    /// At the end of every node's.
    pub node_more: String,
    /// Sets of primes that every node keeps in stock. None: a house of tests and of the demo
    /// prepares one group, and its cores are for that.
    pub prime_stock: usize,
}

/// What a node's configuration says.
#[derive(Clone, Copy, Debug)]
pub struct NodeText<'a> {
    /// Which share it holds.
    pub party: Party,
    /// Its identity.
    pub keys: &'a NodeKeys,
    /// Its home.
    pub home: &'a Path,
    /// Its passphrase file.
    pub passphrase: &'a Path,
    /// Where it dials.
    pub courier: &'a str,
    /// Where its health is asked, if it is.
    pub health: Option<SocketAddr>,
    /// The authority's public keys and threshold, as TOML.
    pub authority: &'a str,
    /// The chain's CAIP-2 name and endpoints, as TOML lists them.
    pub chain: (&'a str, &'a str),
}

impl NodeText<'_> {
    /// The configuration.
    #[must_use]
    pub fn toml(&self) -> String {
        let health =
            self.health.map_or_else(String::new, |address| format!("health = \"{address}\"\n"));
        let chains = match self.party {
            Party::Recovery => String::new(),
            Party::Agent | Party::Operator => {
                let (chain, endpoints) = self.chain;
                format!("\n[[chains]]\nchain = \"{chain}\"\nendpoints = [{endpoints}]\n")
            }
        };
        format!(
            "role = \"{}\"\nnode = \"{}\"\nhome = {:?}\ncoordinator = \"{}\"\n{health}\n\
             [passphrase]\nfile = {:?}\n\n[authority]\n{}\n{chains}",
            self.party, self.keys.id, self.home, self.courier, self.passphrase, self.authority,
        )
    }
}

impl ConfigText {
    pub(super) fn coordinator(&self, house: &House) -> String {
        let nodes: String = [Party::Operator, Party::Recovery]
            .into_iter()
            .map(|party| {
                let keys = &house.seat(party).keys;
                format!(
                    "\n[[nodes]]\nid = \"{}\"\nrole = \"{party}\"\nsigning = \"{}\"\n",
                    keys.id, keys.signing
                )
            })
            .collect();
        format!(
            "listen = \"{}\"\ndatabase = \"coordinator.sqlite\"\n\n[authority]\n{}\n{nodes}\n\
             [[chains]]\nid = \"eip155:8453\"\nrpc = [\"{}\"]\npoll_seconds = 1\n{}",
            house.coordinator,
            authority(house),
            house.rpc,
            self.coordinator_more,
        )
    }

    pub(super) fn node(&self, house: &House, seat: &Seat, courier: &str) -> String {
        let text = NodeText {
            party: seat.party,
            keys: &seat.keys,
            home: Path::new("home"),
            passphrase: Path::new("passphrase"),
            courier,
            health: Some(seat.health),
            authority: &authority(house),
            chain: ("eip155:8453", &format!("\"{}\"", house.rpc)),
        };
        let Self { prime_stock, node_more, .. } = self;
        format!("{}\n[primes]\nstock = {prime_stock}\n{node_more}", text.toml())
    }
}

fn authority(house: &House) -> String {
    format!("keys = [\"{}\"]\nthreshold = 1", house.authority.public())
}
