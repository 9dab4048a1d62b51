//! Programs that must not compile: the ways round [`tercet_policy::admission::admit`].
//!
//! Slow at first, because trybuild builds the crate once more for itself.

#[test]
fn there_is_no_way_round_admission() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
