use super::*;

#[test]
fn numbers_are_given_up_to_the_last_but_one() {
    for (first, next) in [
        (0, Some(0)),
        (Seq::MAX - 2, Some(Seq::MAX - 2)),
        (Seq::MAX - 1, Some(Seq::MAX - 1)),
        (Seq::MAX, None),
    ] {
        assert_eq!(Entries { first, ..Entries::default() }.next(), next);
    }
}
