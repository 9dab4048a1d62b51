//! `when`: a condition that the payment and what the agent says of it have to keep.

use crate::condition::{Condition, ConditionError, ConditionFacts};
use crate::registry::Country;
use crate::rules::{Judgement, View};

/// Holds, or the rule is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When(pub Condition);

impl When {
    /// A condition that cannot be decided is not kept, and nobody is asked about it.
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let answer = self.0.holds(&facts(view));
        let (kept, errs) = (answer == Ok(true), answer.is_err());
        let limit = self.0.expression().to_owned();
        Judgement { kept, errs, limit, asked: said(answer), ..Judgement::default() }
    }
}

fn said(answer: Result<bool, ConditionError>) -> String {
    match answer {
        Ok(true) => "it holds".to_owned(),
        Ok(false) => "it does not hold".to_owned(),
        Err(error) => error.to_string(),
    }
}

impl<'a> View<'a> {
    /// What conditions may know of the payment.
    pub(crate) fn condition_facts(&self) -> ConditionFacts<'a> {
        facts(self)
    }
}

fn facts<'a>(view: &View<'a>) -> ConditionFacts<'a> {
    let (ask, counterparty) = (view.ask, view.counterparty);
    let method = ask.endpoint.as_ref().and_then(|endpoint| endpoint.method);
    ConditionFacts {
        agent: ask.agent.as_str(),
        wallet: ask.wallet,
        protocol: ask.protocol().word(),
        chain: ask.asset.chain.caip2(),
        asset: ask.asset.symbol,
        amount: ask.amount,
        recipient: ask.recipient,
        service: ask.service.map(crate::intent::Service::as_str),
        endpoint: ask.endpoint.as_ref().map(|endpoint| endpoint.path.as_str()),
        http_method: method.map(crate::declared::HttpMethod::word),
        category: counterparty.and_then(|who| who.category.as_ref()).map(|name| name.as_str()),
        country: counterparty.and_then(|who| who.country.as_ref()).map(Country::as_str),
        trust: view.trust().score,
        now: view.facts.now,
        context: ask.context,
    }
}

#[cfg(test)]
mod tests;
