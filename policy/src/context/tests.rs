use super::*;

fn read(json: &str) -> Result<Context, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn each_type_is_written_as_it_was_read() {
    let json = r#"{"attempts":2,"confidence":{"decimal":"0.930"},"task":"index","urgent":true}"#;
    let context = read(json).unwrap();
    assert_eq!(context.value("attempts"), Some(&ContextValue::Long(2)));
    assert_eq!(context.value("urgent"), Some(&ContextValue::Bool(true)));
    assert_eq!(context.value("task"), Some(&ContextValue::Text("index".to_owned())));
    assert_eq!(context.value("confidence").unwrap().kind(), ContextKind::Decimal);
    assert_eq!(serde_json::to_string(&context).unwrap(), json);
    assert_eq!(read("{}").unwrap(), Context::default());
}

#[test]
fn what_is_not_exact_or_not_understood_is_refused() {
    for (json, reason) in [
        (r#"{"confidence":0.93}"#, "invalid type: floating point"),
        (r#"{"confidence":{"decimal":0.93}}"#, "invalid type"),
        (r#"{"confidence":{"decimal":"0.93","more":1}}"#, "unknown field `more`"),
        (r#"{"confidence":{"float":"0.93"}}"#, "unknown field `float`"),
        (r#"{"confidence":{}}"#, "missing field `decimal`"),
        (r#"{"confidence":{"decimal":"0.93456"}}"#, "is not a decimal"),
        (r#"{"confidence":null}"#, "invalid type: null"),
        (r#"{"confidence":[1]}"#, "invalid type: sequence"),
        (r#"{"attempts":9007199254740992}"#, "beyond 2^53 - 1"),
        (r#"{"attempts":-9007199254740992}"#, "beyond 2^53 - 1"),
        (r#"{"attempts":18446744073709551615}"#, "at most 2^53 - 1"),
        (r#"{"a":1,"a":2}"#, "given twice"),
        (r#"{"A":1}"#, "is not a name"),
        (r#"{"1a":1}"#, "is not a name"),
        (r#"{"":1}"#, "is not a name"),
        (r#"{"if":1}"#, "is not a name"),
        (r#"{"a-b":1}"#, "is not a name"),
    ] {
        let error = read(json).unwrap_err();
        assert!(error.contains(reason), "{json}: {error}");
    }
}

#[test]
fn limits_hold_at_their_edge() {
    let text = |bytes| ContextValue::Text("x".repeat(bytes));
    assert!(Context::default().with("a", text(TEXT_BYTES_MAX)).is_ok());
    let long = Context::default().with("a", text(TEXT_BYTES_MAX + 1));
    assert_eq!(long, Err(BadContext::TextTooLong { name: "a".to_owned(), bytes: 257 }));
    assert!(Context::default().with(&"a".repeat(32), text(1)).is_ok());
    assert!(Context::default().with(&"a".repeat(33), text(1)).is_err());
    let mut context = Context::default();
    for n in 0..CONTEXT_ENTRIES_MAX {
        context = context.with(&format!("v{n}"), ContextValue::Bool(true)).unwrap();
    }
    assert_eq!(context.with("w", ContextValue::Bool(true)), Err(BadContext::TooMany));
}

#[test]
fn declarations_name_a_type() {
    let declared: DeclaredContext =
        serde_json::from_str(r#"{"confidence":"decimal","task":"string"}"#).unwrap();
    assert_eq!(declared.kind("confidence"), Some(ContextKind::Decimal));
    assert_eq!(declared.kind("task"), Some(ContextKind::String));
    for bad in [r#"{"a":"float"}"#, r#"{"a":"Bool"}"#, r#"{"a":"bool","a":"bool"}"#] {
        assert!(serde_json::from_str::<DeclaredContext>(bad).is_err(), "{bad}");
    }
}

#[test]
fn decimals_are_plain_and_fit() {
    for good in ["0", "0.9", "0.90", "-1.25", "12", "922337203685476.9999", "-0.0001"] {
        assert_eq!(Decimal::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        ".",
        "1.",
        ".5",
        "+1",
        "1e3",
        "00.5",
        "-",
        "--1",
        "1.2.3",
        "0.12345",
        "１",
        "922337203685477",
        " 1",
        "1 ",
        "0x1",
    ] {
        assert!(Decimal::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(Decimal::parse("12").unwrap().with_point(), "12.0");
}
