use super::*;
use crate::fixture::{authority, parsed, signed, yaml};

const WIDE: &str = "  - allow: { services: vendors }\n  - max_amount: 2 USDC";
const NARROW: &str = "  - allow: { services: vendors }\n  - max_amount: 1 USDC";

#[test]
fn one_key_tightens_and_only_the_quorum_loosens() {
    let two = authority(2, 2);
    let after = |epoch, rules, held: Option<&Policy>| {
        signed(yaml(epoch, rules)).open_policy_after(&two, held)
    };
    assert!(after(8, NARROW, Some(&parsed(WIDE))).is_ok());
    assert!(after(8, WIDE, Some(&parsed(NARROW))).is_err());
    assert!(after(8, NARROW, None).is_err(), "nothing is held that it could tighten");
    let last = POLICY_EPOCH_BY_ONE_MAX;
    assert!(after(last, NARROW, Some(&parsed(WIDE))).is_ok());
    assert!(after(last + 1, NARROW, Some(&parsed(WIDE))).is_err());
    let stranger = Signed::by(PolicyDocument { yaml: yaml(8, NARROW) }, &crate::fixture::key(9));
    assert!(stranger.unwrap().open_policy_after(&two, Some(&parsed(WIDE))).is_err());
}
