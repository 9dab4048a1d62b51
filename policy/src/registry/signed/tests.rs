use super::*;
use crate::fixture::{authority, key};

fn signed(epoch: u64, name: &str) -> SignedRegistry {
    Signed::by(RegistryDocument { yaml: format!("registry: {name}\nepoch: {epoch}\n") }, &key(1))
        .unwrap()
}

#[test]
fn a_registry_takes_the_quorum_and_a_rising_epoch() {
    let two = authority(2, 2);
    assert!(signed(1, "a").open_registry(&two).is_err());
    let mut both = signed(5, "a");
    both.add_signature(&key(2)).unwrap();
    let held = both.open_registry(&two).unwrap().pin();
    let open = |epoch, name| signed(epoch, name).open_registry(&authority(1, 1)).unwrap();
    assert_eq!(open(6, "a").may_follow(Some(&held)), Ok(()));
    assert_eq!(open(5, "a").may_follow(Some(&held)), Ok(()), "the very same");
    assert_eq!(
        open(5, "b").may_follow(Some(&held)),
        Err(RegistryError::OtherContent { epoch: 5 })
    );
    assert_eq!(
        open(4, "a").may_follow(Some(&held)),
        Err(RegistryError::OlderEpoch { offered: 4, held: 5 })
    );
}
