//! What must not compile does not: PHI in a log, a forged permission, a forged receipt, an
//! operation without an audit action.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("misuse/*.rs");
}
