//! A payment that can be asked for, made of what a solver found.

use cedar_policy::{Entity, EvalResult};
use cedar_policy_symcc::Env;
use serde_json::{Map, Value, json};
use tercet_policy::chain::Chain;
use tercet_policy::compile::{Witnesses, text_literal};
use tercet_policy::context::ContextKind;
use tercet_policy::document::JSON_INTEGER_MAX;
use tercet_policy::money::Amount;
use tercet_policy::rules::{Mpp, Policy, RuleKind, X402};

use super::super::payment::Who;
use super::Goal;
use crate::error::CliError;

/// Decimals of every asset there is.
const DECIMALS: u8 = 6;
/// The asset where the solver leaves it open.
const ASSET: &str = "USDC";
/// More than any wallet holds, for rules about a share of it.
const BALANCE: &str = "1000000000000";
/// Beyond any decimal that an agent would declare.
const DECIMAL_MAX: &str = "1000000000.0";
const METHODS: [&str; 2] = ["GET", "POST"];

/// A payment with everything that it hangs on, as files write it.
#[derive(Clone, Debug)]
pub(in super::super) struct Concrete {
    /// What the policies say: `approve` or `ask_human`.
    pub(in super::super) verdict: String,
    /// The payment, as an entry `ask` of a file of cases.
    pub(in super::super) payment: Value,
    /// What was paid before.
    pub(in super::super) past: Vec<Value>,
    /// The counterparty registry.
    pub(in super::super) registry: Option<Value>,
}

impl Concrete {
    /// For programs.
    pub(in super::super) fn json(&self) -> Value {
        json!({
            "verdict": self.verdict,
            "payment": self.payment,
            "past": self.past,
            "registry": self.registry,
        })
    }

    /// For people: YAML, a line for each value.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("verdict: {}", self.verdict), "payment:".to_owned()];
        let fields = self.payment.as_object().into_iter().flatten();
        lines.extend(fields.map(|(name, value)| format!("  {name}: {value}")));
        if !self.past.is_empty() {
            lines.push("past:".to_owned());
            lines.extend(self.past.iter().map(|past| format!("  - {past}")));
        }
        lines.extend(self.registry.as_ref().map(|registry| format!("registry: {registry}")));
        lines
    }
}

/// Whom a payment may pay, who asks for it, and what rules that are not translated want of it.
pub(super) struct Witness {
    who: Who,
    names: Witnesses,
    context: Vec<(String, ContextKind)>,
    extra: Map<String, Value>,
}

impl Witness {
    pub(super) fn of(goal: &Goal<'_>, more: &[String]) -> Result<Self, CliError> {
        let policies: Vec<_> = goal.all_sources().iter().map(|source| &source.policy).collect();
        let mut names = goal.compiled.witnesses();
        more.iter().for_each(|name| names.add(name));
        let context = goal.compiled.context().iter();
        let context = context.map(|(name, kind)| (name.to_owned(), kind)).collect();
        let who = Who::of(&policies).map_err(CliError::Failed)?;
        Ok(Self { who, names, context, extra: extra(&policies) })
    }

    pub(super) const fn who(&self) -> &Who {
        &self.who
    }

    /// The same as Cedar expressions, which never err.
    pub(super) fn expressions(&self) -> Vec<String> {
        let of = |names: &mut dyn Iterator<Item = &str>| {
            let names: Vec<_> = names.map(text_literal).collect();
            format!("[{}]", names.join(", "))
        };
        let listed = |fact: &str, names: &std::collections::BTreeSet<String>| {
            let names = of(&mut names.iter().map(String::as_str));
            // The language sees no other way to ask whether there is one first.
            format!("(if resource has {fact} then {names}.contains(resource.{fact}) else true)")
        };
        let names = &self.names;
        let mut all = vec![
            format!("principal == Agent::{}", text_literal(self.who.agent.as_str())),
            format!("resource.wallet == {}", text_literal(&format!("{:#x}", self.who.wallet))),
            listed("recipient", &names.recipients),
            listed("service", &names.services),
            listed("endpoint", &names.endpoints),
            listed("category", &names.categories),
            listed("country", &names.countries),
            listed("http_method", &METHODS.map(str::to_owned).into()),
            r#"((resource.protocol == "transfer") == !(resource has service))"#.to_owned(),
            "((resource has service) == (resource has endpoint))".to_owned(),
            "(resource has service || !(resource has http_method))".to_owned(),
        ];
        all.extend(self.context.iter().filter_map(|(name, kind)| {
            let range = match kind {
                // Beyond that a whole number is none that JSON carries.
                ContextKind::Long => format!(
                    "context.{name} >= -{JSON_INTEGER_MAX} && context.{name} <= {JSON_INTEGER_MAX}"
                ),
                ContextKind::Decimal => format!(
                    "context.{name}.lessThanOrEqual(decimal(\"{DECIMAL_MAX}\")) && \
                     context.{name}.greaterThanOrEqual(decimal(\"-{DECIMAL_MAX}\"))"
                ),
                ContextKind::Bool | ContextKind::String => return None,
            };
            Some(format!("(if context has {name} then {range} else true)"))
        }));
        all
    }
}

/// What rules that are not translated have to be told.
fn extra(policies: &[&Policy]) -> Map<String, Value> {
    let mut extra = Map::new();
    for rule in policies.iter().flat_map(|policy| policy.rules()) {
        let (name, value) = match rule.kind() {
            RuleKind::MaxFee(_) => ("fee_wei", "1".into()),
            RuleKind::MaxShareOfBalance(_) => ("balance", BALANCE.into()),
            RuleKind::X402(X402::SessionBudget(_)) | RuleKind::Mpp(Mpp::SessionBudget(_)) => {
                ("session", "made-up".into())
            }
            RuleKind::X402(X402::Flows(flows)) => match flows.first() {
                Some(flow) => ("flow", flow.word().into()),
                None => continue,
            },
            RuleKind::X402(X402::MaxValidity(length)) => {
                ("validity_seconds", length.seconds().min(60).into())
            }
            _ => continue,
        };
        extra.insert(name.to_owned(), value);
    }
    extra
}

/// A payment without a moment.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    payment: Map<String, Value>,
    registry: Option<Value>,
    recipient: String,
    service: Option<String>,
    who: Who,
}

impl Draft {
    /// What a model says; what it leaves open is left out.
    pub(super) fn of(model: &Env, witness: &Witness) -> Result<Self, CliError> {
        let odd = |what: &str| CliError::Failed(format!("the solver's payment has no {what}"));
        let entity = model.request.resource().and_then(|uid| model.entities.get(uid));
        let entity = entity.ok_or_else(|| odd("attributes"))?;
        let (text, long) = (|name| text(entity, name), |name| long(entity, name));
        let units = long("amount").and_then(|units| u128::try_from(units).ok());
        let amount = Amount::from_base_units(units.ok_or_else(|| odd("amount"))?);
        let recipient = text("recipient").ok_or_else(|| odd("recipient"))?;
        let (service, protocol) = (text("service"), text("protocol"));
        let mut payment = Map::new();
        let mut put = |name: &str, value: Value| payment.insert(name.to_owned(), value);
        let asset = text("asset").unwrap_or_else(|| ASSET.to_owned());
        put("amount", format!("{} {asset}", amount.to_decimal(DECIMALS)).into());
        put("to", recipient.clone().into());
        let chain = text("chain").unwrap_or_else(|| Chain::Base.caip2().to_owned());
        put("chain", chain.into());
        if let Some(host) = &service {
            let path = text("endpoint").unwrap_or_else(|| "/".to_owned());
            put("service", format!("https://{host}{path}").into());
        }
        if protocol.as_deref() == Some("mpp") {
            put("mpp", json!({ "intent": "charge" }));
        }
        if let Some(method) = text("http_method") {
            put("method", method.into());
        }
        let context = declared(model, &witness.context);
        if !context.is_empty() {
            put("context", context.into());
        }
        let wanted = witness.extra.iter().filter(|(name, _)| {
            let transfer = service.is_none();
            // An authorization has no fee, and a transfer no flow and no validity.
            if name.as_str() == "fee_wei" { transfer } else { !transfer || *name == "balance" }
        });
        wanted.for_each(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("balance", Value::String(balance)) => format!("{balance} {asset}").into(),
                (_, value) => value.clone(),
            };
            put(name, value);
        });
        let registry = registry(entity, service.as_deref(), &recipient);
        Ok(Self { payment, registry, recipient, service, who: witness.who().clone() })
    }

    pub(super) const fn who(&self) -> &Who {
        &self.who
    }

    /// The payment at a moment.
    pub(super) fn at(&self, at: &str) -> Value {
        let mut payment = self.payment.clone();
        payment.insert("at".to_owned(), at.into());
        payment.into()
    }

    /// Another payment to the same payee at another moment.
    pub(super) fn before(&self, at: &str, amount: &str, times: u64) -> Value {
        let mut payment = self.payment.clone();
        for name in ["context", "balance", "fee_wei", "mpp"] {
            payment.remove(name);
        }
        for (name, value) in
            [("at", at.into()), ("amount", amount.into()), ("times", Value::from(times))]
        {
            payment.insert(name.to_owned(), value);
        }
        payment.into()
    }

    pub(super) const fn registry(&self) -> Option<&Value> {
        self.registry.as_ref()
    }

    /// A Cedar expression that fixes who is paid.
    pub(super) fn same_payee(&self) -> String {
        let recipient = text_literal(&self.recipient);
        let service = self.service.as_ref().map_or_else(
            || "!(resource has service)".to_owned(),
            |service| {
                format!("resource has service && resource.service == {}", text_literal(service))
            },
        );
        format!("resource has recipient && resource.recipient == {recipient} && {service}")
    }
}

fn value(entity: &Entity, name: &str) -> Option<EvalResult> {
    entity.attr(name)?.ok()
}

fn text(entity: &Entity, name: &str) -> Option<String> {
    match value(entity, name)? {
        EvalResult::String(text) => Some(text),
        _ => None,
    }
}

fn long(entity: &Entity, name: &str) -> Option<i64> {
    match value(entity, name)? {
        EvalResult::Long(long) => Some(long),
        _ => None,
    }
}

/// What the agent declares, as intents write it.
fn declared(model: &Env, names: &[(String, ContextKind)]) -> Map<String, Value> {
    let context = model.request.context();
    let value = |name: &str| match context?.get(name)? {
        EvalResult::Bool(yes) => Some(yes.into()),
        EvalResult::Long(long) => Some(long.into()),
        EvalResult::String(text) => Some(text.into()),
        // As Cedar writes it: decimal("0.5").
        EvalResult::ExtensionValue(text) => {
            let inner = text.split('"').nth(1).unwrap_or(&text);
            Some(json!({ "decimal": inner }))
        }
        _ => None,
    };
    names.iter().filter_map(|(name, _)| Some((name.clone(), value(name)?))).collect()
}

/// A registry in which who is paid is what the payment says.
fn registry(entity: &Entity, service: Option<&str>, recipient: &str) -> Option<Value> {
    let (category, country) = (text(entity, "category"), text(entity, "country"));
    let trust = long(entity, "trust").filter(|trust| *trust > 0);
    if category.is_none() && country.is_none() && trust.is_none() {
        return None;
    }
    let mut who = Map::new();
    who.insert("name".to_owned(), "made-up".into());
    match service {
        Some(service) => who.insert("services".to_owned(), json!([service])),
        None => who.insert("recipients".to_owned(), json!([recipient])),
    };
    who.extend(category.map(|category| ("category".to_owned(), category.into())));
    who.extend(country.map(|country| ("country".to_owned(), country.into())));
    who.insert("trust".to_owned(), trust.unwrap_or_default().into());
    Some(json!({ "registry": "made-up", "epoch": 1, "counterparties": [who] }))
}
