//! Programs that must not compile.
//!
//! Slow at first, because trybuild builds the crate once more for itself.

#[test]
fn secrets_cannot_be_copied_and_raw_bytes_cannot_be_signed() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
