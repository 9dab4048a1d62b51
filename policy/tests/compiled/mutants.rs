//! Wrong translations: what the differential test has to catch.

use cedar_policy::PolicySet;
use tercet_policy::compile::{Compiled, CompiledAsk, Question};

/// The rule whose translation is spoilt (`grants` for what the one permit says), and how.
pub(crate) type Mutant = (&'static str, &'static str, &'static str);

pub(crate) const MUTANTS: [Mutant; 44] = [
    ("applies_to", "principal !=", "principal =="),
    ("applies_to", "resource.wallet !=", "resource.wallet =="),
    ("max_amount", "<=", "<"),
    ("price_ceiling.x402", "<=", "<"),
    ("price_ceiling.x402", "!= \"x402\"", "!= \"transfer\""),
    ("price_ceiling.mpp", ".flags.", ".flags has no || !resource.flags."),
    ("limit", "<=", "<"),
    ("limit", " + resource.amount", ""),
    ("rate", "+ 1", "+ 0"),
    ("rate", "<=", "<"),
    ("grants", "\"data\"", "\"nobody\""),
    ("grants", "resource has category", "!(resource has category) || true"),
    ("grants", "!(resource has service)", "true"),
    ("grants", "like \"*", "like \"*x"),
    ("grants", "resource.service == ", "resource.service != "),
    ("grants", "resource.recipient", "resource.wallet"),
    ("grants", " && (", " || ("),
    ("allow", "resource.chain == ", "resource.chain != "),
    ("allow", ".contains(resource.chain)", ".contains(resource.asset)"),
    ("block", "resource.recipient", "resource.wallet"),
    ("block", ":*\"", ":\""),
    ("block", ".\"", "\""),
    ("block", "else true)", "else false)"),
    ("block", "resource.chain == ", "resource.chain != "),
    ("block", " || ", " && "),
    ("trust", ">=", ">"),
    ("country", "resource has country && ", "!(resource has country) || "),
    ("country", "!(", "("),
    ("country", ".contains(resource.country)", ".contains(resource.chain)"),
    ("hours", ">=", ">"),
    ("hours", "m < ", "m <= "),
    ("hours", "d == 1 ", "d == 2 "),
    ("dates", ">=", ">"),
    ("dates", "now < ", "now <= "),
    ("blackout", ">=", ">"),
    ("blackout", "now < ", "now <= "),
    ("ask", "<=", "<"),
    ("ask", "trust >= ", "trust > "),
    ("ask", "principal !=", "principal =="),
    ("ask", "resource has category && !", "!(resource has category) || !"),
    ("ask", ".flags.", ".flags has no || !resource.flags."),
    ("grants", " || true", ""),
    ("grants", "context.attempts", "1 + context.attempts"),
    ("payee_pinning", ".flags.", ".flags has no || !resource.flags."),
];

/// A compiled policy of which one rule's translation is spoilt.
pub(crate) struct Spoilt {
    pub(crate) mutant: usize,
    sets: [PolicySet; 2],
}

impl Spoilt {
    /// All that can be spoilt here, of the mutants that are wanted.
    pub(crate) fn all(compiled: &Compiled, wanted: &[usize]) -> Vec<Self> {
        let texts = QUESTIONS.map(|question| compiled.policies_text(question));
        let spoilt = |&mutant: &usize| {
            let sets = texts.each_ref().map(|text| spoil(text, &MUTANTS[mutant]));
            (sets != texts).then(|| Self { mutant, sets: sets.map(|set| set.parse().unwrap()) })
        };
        wanted.iter().filter_map(spoilt).collect()
    }

    pub(crate) fn answers(&self, asked: &CompiledAsk) -> [bool; 2] {
        self.sets.each_ref().map(|set| asked.is_allowed_by(set))
    }
}

pub(crate) const QUESTIONS: [Question; 2] = [Question::Approves, Question::Admits];

/// The policies, with every translation of that rule spoilt.
fn spoil(text: &str, (rule, right, wrong): &Mutant) -> String {
    let policies = text.split_inclusive("};\n").map(|policy| {
        let (id, rest) = policy.split_once('\n').unwrap();
        // What grants is said twice: for all policies together, and for each by itself.
        let words = if *rule == "grants" { &["grants", "allow"][..] } else { &[*rule] };
        let is_of = |word: &&str| id.ends_with(&format!("{word}\")"));
        let is_it = words.iter().any(is_of);
        if is_it { format!("{id}\n{}", rest.replace(right, wrong)) } else { policy.to_owned() }
    });
    policies.collect()
}
