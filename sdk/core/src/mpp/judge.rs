//! Which of a service's MPP challenges are acceptable, by registry and rules: everything is checked
//! here, before anything is signed.

use alloy_primitives::{Address, B256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mpp::PaymentChallenge;
use tercet_policy::chain::{Asset, Chain, Family};
use tercet_policy::intent::{CHALLENGE_BYTES_MAX, SPLITS_MAX, Service, Split};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelAmount;
use tercet_policy::tempo::CHANNEL_RESERVE;
use tercet_policy::time::UnixSeconds;

use super::details::{ChargeRequest, SessionRequest, SplitAsked};
use super::offer::{expires, request};
use super::wants_authorization;
use crate::ask::Ask;
use crate::choose::{Unacceptable, address, word};
use crate::rules::{FetchRules, VALIDITY_SECONDS_MIN};

/// Furthest end of a challenge that is answered, in seconds from now. The SDKs give five minutes.
const CHALLENGE_SECONDS_MAX: u64 = 3_600;
/// Shortest time that must be left of a challenge whose fee the service pays, in seconds: sponsors
/// want fifteen when they sign.
const SPONSORED_SECONDS_MIN: u64 = 20;

/// An acceptable challenge.
#[derive(Clone, Debug)]
pub enum MppChoice {
    /// To be charged once.
    Charge(ChargeChoice),
    /// To be paid by vouchers.
    Session(SessionChoice),
}

/// A charge that the rules accept, in our own terms.
#[derive(Clone, Debug)]
pub struct ChargeChoice {
    /// The challenge, as it came.
    pub challenge: PaymentChallenge,
    /// What is paid with.
    pub asset: &'static Asset,
    /// Who is paid.
    pub pay_to: Address,
    /// Base units, all payees together; zero where only a proof is asked for.
    pub amount: Amount,
    /// Payees beside the primary one.
    pub splits: Vec<Split>,
    /// Whether the service pays the fee.
    pub sponsored: bool,
    /// When the challenge is over.
    pub expires: UnixSeconds,
}

/// A session that the rules accept, in our own terms.
#[derive(Clone, Debug)]
pub struct SessionChoice {
    /// The challenge, as it came.
    pub challenge: PaymentChallenge,
    /// What is paid with.
    pub asset: &'static Asset,
    /// Payee of the channel.
    pub payee: Address,
    /// Who may settle for the payee; zero for nobody.
    pub operator: Address,
    /// Base units of one unit of service.
    pub unit_price: Amount,
    /// What the service would like to see deposited.
    pub suggested: Option<Amount>,
    /// Whether the service pays the fee.
    pub sponsored: bool,
    /// When the challenge is over.
    pub expires: UnixSeconds,
}

impl MppChoice {
    /// What is paid with.
    #[must_use]
    pub const fn asset(&self) -> &'static Asset {
        match self {
            Self::Charge(charge) => charge.asset,
            Self::Session(session) => session.asset,
        }
    }

    /// Base units of this request.
    #[must_use]
    pub const fn price(&self) -> Amount {
        match self {
            Self::Charge(charge) => charge.amount,
            Self::Session(session) => session.unit_price,
        }
    }
}

/// What a challenge is judged by.
pub(crate) struct Judge<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) wallet: Address,
    pub(crate) rules: &'a FetchRules,
    pub(crate) now: UnixSeconds,
}

impl Judge<'_> {
    /// The challenge in our own terms.
    ///
    /// # Errors
    /// Why it is not answered.
    pub(crate) fn judge(&self, asked: &PaymentChallenge) -> Result<MppChoice, Unacceptable> {
        let named = format!("{}/{}", asked.method.as_str(), asked.intent.as_str());
        match named.as_str() {
            "tempo/charge" => self.charge(asked).map(MppChoice::Charge),
            "tempo/session" => self.session(asked).map(MppChoice::Session),
            _ => Err(Unacceptable::MppMethod { given: word(&named) }),
        }
    }

    fn charge(&self, asked: &PaymentChallenge) -> Result<ChargeChoice, Unacceptable> {
        let wanted: ChargeRequest = request(asked)?;
        let details = wanted.method_details;
        let sponsored = details.fee_payer.unwrap_or(false);
        let expires = self.frame(asked, sponsored)?;
        if details.memo.is_some() {
            // Servers check the memo of the challenge itself; another one would be paid for nothing.
            return Err(field("methodDetails.memo"));
        }
        if details.supported_modes.is_some_and(|modes| !modes.iter().any(|mode| mode == "pull")) {
            return Err(field("methodDetails.supportedModes"));
        }
        let asset = self.asset(details.chain_id, &wanted.currency)?;
        let pay_to = self.payee(wanted.recipient.as_deref(), asset)?;
        let amount = self.amount(&wanted.amount, asset, true)?;
        let splits = self.splits(&details.splits, asset, amount)?;
        let challenge = asked.clone();
        Ok(ChargeChoice { challenge, asset, pay_to, amount, splits, sponsored, expires })
    }

    fn session(&self, asked: &PaymentChallenge) -> Result<SessionChoice, Unacceptable> {
        let wanted: SessionRequest = request(asked)?;
        let details = wanted.method_details;
        let sponsored = details.fee_payer.unwrap_or(false);
        let expires = self.frame(asked, sponsored)?;
        check_protocol(details.session_protocol.as_deref(), details.escrow_contract.as_deref())?;
        if details.machine_token_enabled == Some(true) {
            return Err(field("methodDetails.machineTokenEnabled"));
        }
        let asset = self.asset(details.chain_id, &wanted.currency)?;
        if self.rules.mpp.max_deposit(asset).is_none_or(|deposit| deposit == Amount::ZERO) {
            return Err(Unacceptable::NoSessions { symbol: asset.symbol.to_owned() });
        }
        let suggested = wanted.suggested_deposit.as_deref().map(plain).transpose()?;
        Ok(SessionChoice {
            challenge: asked.clone(),
            asset,
            payee: self.payee(wanted.recipient.as_deref(), asset)?,
            operator: self.operator(details.operator.as_deref())?,
            unit_price: self.amount(&wanted.amount, asset, false)?,
            suggested,
            sponsored,
            expires,
        })
    }

    /// What holds of every challenge: realm, end, body and header.
    fn frame(
        &self,
        asked: &PaymentChallenge,
        sponsored: bool,
    ) -> Result<UnixSeconds, Unacceptable> {
        if asked.id.len() > CHALLENGE_BYTES_MAX {
            return Err(field("id"));
        }
        if !is_realm(self.ask.service(), &asked.realm) {
            let (given, host) = (word(&asked.realm), self.ask.service().clone());
            return Err(Unacceptable::Realm { given, host });
        }
        if asked.digest.as_ref().is_some_and(|digest| *digest != content_digest(self.ask)) {
            return Err(Unacceptable::OtherBody);
        }
        if wants_authorization(asked) && self.ask.has_authorization() {
            return Err(Unacceptable::CallersAuthorization);
        }
        let least = if sponsored { SPONSORED_SECONDS_MIN } else { VALIDITY_SECONDS_MIN };
        let (from, to) = (self.now.plus(least), self.now.plus(CHALLENGE_SECONDS_MAX));
        let given = || word(asked.expires.as_deref().unwrap_or("no time"));
        expires(asked)
            .filter(|end| (from..=to).contains(end))
            .ok_or_else(|| Unacceptable::Expires { given: given() })
    }

    fn asset(&self, chain: Option<u64>, currency: &str) -> Result<&'static Asset, Unacceptable> {
        let given = || chain.map_or_else(|| "none named".to_owned(), |id| id.to_string());
        let chain = Chain::ALL
            .into_iter()
            .find(|known| Some(known.id()) == chain)
            .filter(|known| known.family() == Family::Tempo && self.rules.chains.contains(known))
            .ok_or_else(|| Unacceptable::Chain { given: given() })?;
        address(currency)
            .and_then(|token| Asset::find(chain, token).ok())
            .filter(|asset| self.rules.price_limit(asset).is_some())
            .ok_or_else(|| Unacceptable::Token { given: word(currency) })
    }

    fn payee(&self, given: Option<&str>, asset: &Asset) -> Result<Address, Unacceptable> {
        let given = given.ok_or_else(|| field("recipient"))?;
        address(given)
            .filter(|to| ![Address::ZERO, asset.token, self.wallet].contains(to))
            .ok_or_else(|| Unacceptable::Payee { given: word(given) })
    }

    fn operator(&self, given: Option<&str>) -> Result<Address, Unacceptable> {
        let Some(given) = given else { return Ok(Address::ZERO) };
        address(given)
            .filter(|operator| *operator != self.wallet)
            .ok_or_else(|| Unacceptable::Payee { given: word(given) })
    }

    fn amount(&self, given: &str, asset: &Asset, or_nothing: bool) -> Result<Amount, Unacceptable> {
        let asked = plain(given)?;
        let limit = self.rules.price_limit(asset).unwrap_or(Amount::ZERO);
        match asked {
            Amount::ZERO if !or_nothing => Err(Unacceptable::Amount { given: word(given) }),
            asked if asked > limit => Err(Unacceptable::TooDear { asked, limit }),
            asked => Ok(asked),
        }
    }

    /// Payees beside the primary one are strangers, unless the rules list them for this service.
    fn splits(
        &self,
        asked: &[SplitAsked],
        asset: &Asset,
        amount: Amount,
    ) -> Result<Vec<Split>, Unacceptable> {
        if asked.len() > SPLITS_MAX {
            return Err(splits(format!("{} of them, the limit is {SPLITS_MAX}", asked.len())));
        }
        let listed = self.rules.payees.get(self.ask.service());
        let mut rest = amount;
        let mut made = Vec::with_capacity(asked.len());
        for split in asked {
            let to = self.payee(Some(&split.recipient), asset)?;
            if !listed.is_some_and(|payees| payees.contains(&to)) {
                return Err(splits(format!("{to} is no listed payee of the service")));
            }
            let amount = plain(&split.amount)?;
            let memo = split.memo.as_deref().map(memo).transpose()?;
            rest = rest
                .checked_sub(amount)
                .filter(|rest| *rest != Amount::ZERO && amount != Amount::ZERO)
                .ok_or_else(|| splits("they leave the primary payee nothing".to_owned()))?;
            made.push(Split { to, amount, memo });
        }
        Ok(made)
    }
}

/// Whether a challenge with this realm may come from here: the host, with or without its port.
fn is_realm(service: &Service, realm: &str) -> bool {
    let host = match service.as_str().rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => service.as_str(),
    };
    realm == service.as_str() || realm == host
}

/// Absent, `sessionProtocol` means the one from before TIP-1034.
fn check_protocol(protocol: Option<&str>, escrow: Option<&str>) -> Result<(), Unacceptable> {
    if protocol != Some("v2") {
        return Err(Unacceptable::SessionProtocol { given: word(protocol.unwrap_or("v1")) });
    }
    match escrow {
        Some(given) if address(given) != Some(CHANNEL_RESERVE) => {
            Err(Unacceptable::Escrow { given: word(given) })
        }
        _ => Ok(()),
    }
}

/// RFC 9530, as the SDKs write it.
fn content_digest(ask: &Ask) -> String {
    format!("sha-256=:{}:", STANDARD.encode(ask.body_sha256().0))
}

fn plain(given: &str) -> Result<Amount, Unacceptable> {
    Amount::parse_base_units(given)
        .ok()
        .filter(|amount| ChannelAmount::try_from(*amount).is_ok())
        .ok_or_else(|| Unacceptable::Amount { given: word(given) })
}

fn memo(given: &str) -> Result<B256, Unacceptable> {
    given.parse().map_err(|_| field("methodDetails.splits.memo"))
}

fn field(field: &str) -> Unacceptable {
    Unacceptable::Field { field: field.to_owned() }
}

const fn splits(what: String) -> Unacceptable {
    Unacceptable::Splits { what }
}
