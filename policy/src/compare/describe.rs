//! Changes in words.

use crate::compare::cover::covers;
use crate::compare::{Change, Direction, is_about_keys, is_granting, is_version_of, named};
use crate::rules::{Policy, Rule, RuleKind, Then};

/// Changes above the rules.
pub(super) fn heads(old: &Policy, new: &Policy) -> Vec<Change> {
    let change = |what: &str, reason: String| Change {
        direction: Direction::Changed,
        what: what.to_owned(),
        old_line: None,
        new_line: None,
        reason,
    };
    let mut changes = Vec::new();
    if (old.subject(), old.agent()) != (new.subject(), new.agent()) {
        let reason = format!("{} became {}: other payments", old.subject(), new.subject());
        changes.push(change("applies_to", reason));
    }
    if old.mode() != new.mode() {
        let reason = "a policy that only warns neither refuses nor grants".to_owned();
        changes.push(change("mode", reason));
    }
    changes
}

/// Changes of rules: new and changed ones in the order of the new file, then those that are gone.
pub(super) fn rules(old: &Policy, new: &Policy) -> Vec<Change> {
    let pairs = pair(old.rules(), new.rules());
    let mut changes = Vec::new();
    for (place, rule) in new.rules().iter().enumerate() {
        let before = pairs.iter().find(|(_, now)| *now == place).map(|(before, _)| *before);
        match before.and_then(|before| old.rules().get(before)) {
            None => changes.push(added(rule)),
            Some(before) if before.is_as(rule) => {}
            Some(before) => changes.push(changed(before, rule)),
        }
    }
    let gone = |(place, _): &(usize, &Rule)| pairs.iter().all(|(before, _)| before != place);
    changes.extend(old.rules().iter().enumerate().filter(gone).map(|(_, rule)| removed(rule)));
    changes
}

/// Which old rule became which new one: the very same first, then those that look at the same,
/// then those of one kind, each in the order of the files.
fn pair(old: &[Rule], new: &[Rule]) -> Vec<(usize, usize)> {
    let alike: [fn(&Rule, &Rule) -> bool; 3] = [
        Rule::is_as,
        |old, new| is_version_of(old.kind(), new.kind()),
        |old, new| old.kind().word() == new.kind().word() && is_granting(old) == is_granting(new),
    ];
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for alike in alike {
        for (place, rule) in new.iter().enumerate() {
            if pairs.iter().any(|(_, now)| *now == place) {
                continue;
            }
            let free = |before: usize| pairs.iter().all(|(taken, _)| *taken != before);
            let found =
                old.iter().enumerate().find(|(before, old)| free(*before) && alike(old, rule));
            pairs.extend(found.map(|(before, _)| (before, place)));
        }
    }
    pairs
}

fn added(rule: &Rule) -> Change {
    let grants = match rule.as_v1_channels() {
        Some(named) => !named.channels.is_empty(),
        None => is_granting(rule) || is_about_keys(rule),
    };
    let (direction, reason) = match (grants, rule.then()) {
        (true, _) => (Direction::Loosened, "a new rule grants"),
        (false, Then::Warn) => (Direction::Tightened, "a new rule warns, and stops nothing"),
        (false, Then::Ask) => (Direction::Tightened, "a new rule asks"),
        (false, Then::Refuse) => (Direction::Tightened, "a new rule refuses"),
    };
    change(direction, None, Some(rule), reason.to_owned())
}

fn removed(rule: &Rule) -> Change {
    let (direction, reason) = match (grants(rule), rule.then()) {
        // What refused where it did not match refuses no more, if it was the last of its kind.
        (true, _) => (Direction::Changed, "a rule that grants is gone"),
        (false, Then::Warn) => (Direction::Tightened, "a rule that only warns is gone"),
        (false, Then::Ask) => (Direction::Loosened, "a rule that asks is gone"),
        (false, Then::Refuse) => (Direction::Loosened, "a rule that refuses is gone"),
    };
    change(direction, Some(rule), None, reason.to_owned())
}

fn grants(rule: &Rule) -> bool {
    is_granting(rule) || is_about_keys(rule)
}

fn changed(old: &Rule, new: &Rule) -> Change {
    let mut reasons = Vec::new();
    let kind = if is_granting(old) { grant_direction } else { kind_direction };
    let mut directions = vec![kind(old.kind(), new.kind())];
    if old.then() != new.then() {
        let up = new.then() > old.then();
        directions.push(Some(if up { Direction::Tightened } else { Direction::Loosened }));
        reasons.push(format!("then {} became {}", old.then().word(), new.then().word()));
    } else if old.approvers() != new.approvers() {
        directions.push(Some(Direction::Changed));
        reasons.push("other people are asked, or in another way".to_owned());
    }
    if old.kind() != new.kind() {
        reasons.insert(0, words(old.kind(), new.kind()));
    }
    let mut ways = directions.into_iter().flatten();
    let first = ways.next().unwrap_or(Direction::Changed);
    let direction = if ways.all(|way| way == first) { first } else { Direction::Changed };
    change(direction, Some(old), Some(new), reasons.join("; "))
}

/// Which way a rule that refuses or asks went; nothing where it is the same.
fn kind_direction(old: &RuleKind, new: &RuleKind) -> Option<Direction> {
    (old != new).then(|| match (covers(new, old), covers(old, new)) {
        (true, _) => Direction::Tightened,
        (false, true) => Direction::Loosened,
        (false, false) => Direction::Changed,
    })
}

/// Which way a rule that grants went.
fn grant_direction(old: &RuleKind, new: &RuleKind) -> Option<Direction> {
    let (RuleKind::Allow(old), RuleKind::Allow(new)) = (old, new) else {
        return Some(Direction::Changed);
    };
    (old != new).then(|| match (named::allows_at_most(new, old), named::allows_at_most(old, new)) {
        (true, _) => Direction::Tightened,
        (false, true) => Direction::Loosened,
        (false, false) => Direction::Changed,
    })
}

/// What happened to a rule, as numbers or as entries.
fn words(old: &RuleKind, new: &RuleKind) -> String {
    match (old, new) {
        (RuleKind::MaxAmount(old), RuleKind::MaxAmount(new)) => {
            format!("{} became {}", old.0, new.0)
        }
        (RuleKind::Limit(old), RuleKind::Limit(new)) if old.amount != new.amount => {
            format!("{} became {}", old.amount, new.amount)
        }
        (RuleKind::Rate(old), RuleKind::Rate(new)) if old.count != new.count => {
            format!("{} became {}", old.count, new.count)
        }
        (RuleKind::Allow(old), RuleKind::Allow(new)) => named::words(&old.0, &new.0),
        (RuleKind::Block(old), RuleKind::Block(new)) => named::words(&old.0, &new.0),
        (RuleKind::V1Channels(old), RuleKind::V1Channels(new)) => {
            named::said(&old.entries(), &new.entries())
        }
        _ => "it is written otherwise".to_owned(),
    }
}

fn change(direction: Direction, old: Option<&Rule>, new: Option<&Rule>, reason: String) -> Change {
    let what = new.or(old).map_or("", |rule| rule.kind().word()).to_owned();
    let (old_line, new_line) = (old.map(Rule::line), new.map(Rule::line));
    Change { direction, what, old_line, new_line, reason }
}
