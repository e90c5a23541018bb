//! Tests of `seq_sendBundle`'s parameter.

use serde_json::json;

use super::*;

fn two_legs() -> Value {
    json!({
        "legs": [
            {"chainId": "0x385", "txs": ["0x02aa", "0x02bb"]},
            {"chainId": 902, "txs": ["0x02cc"]},
        ],
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut bundle = two_legs();
    bundle[field] = value;
    bundle
}

/// The reason and the field of a refusal.
fn refusal(value: &Value) -> (&'static str, String) {
    let error = SendBundle::from_json(value).unwrap_err();
    assert_eq!(error.code(), -32602, "{error:?}");
    let field = error.evidence["field"].as_str().unwrap().to_owned();
    assert!(error.message.contains(&field), "{}", error.message);
    (error.reason.text(), field)
}

#[test]
fn legs_alone_make_a_bundle_that_lives_ten_seconds() {
    let bundle = SendBundle::from_json(&two_legs())
        .unwrap()
        .bundle(1_000)
        .unwrap();
    assert_eq!(bundle.terms, Terms::until(11_000));
    assert_eq!(bundle.legs[0].chain_id, ChainId(901));
    assert_eq!(&bundle.legs[0].transactions[1].raw[..], [0x02, 0xbb]);
    assert_eq!(bundle.legs[1].chain_id, ChainId(902));
}

#[test]
fn every_field_is_read() {
    let bundle = json!({
        "version": "0x1", "legs": [{"chainId": "0x1", "txs": ["0x00"]}],
        "atomicity": "inclusion", "revertMode": "fail",
        "minHeight": "0x2", "maxHeight": 3, "minTimestamp": "0x4", "maxTimestamp": 5_000,
    });
    let terms = SendBundle::from_json(&bundle)
        .unwrap()
        .terms(1_000)
        .unwrap();
    assert_eq!((terms.min_height, terms.max_height), (Height(2), Height(3)));
    assert_eq!((terms.min_timestamp_ms, terms.max_timestamp_ms), (4, 5_000));
}

#[test]
fn what_is_written_is_read_again() {
    let bundle = SendBundle {
        min_height: Some(Height(7)),
        max_timestamp: Some(9_000),
        ..SendBundle::from_json(&two_legs()).unwrap()
    };
    let written = serde_json::to_value(&bundle).unwrap();
    assert_eq!(written["minHeight"], "0x7");
    assert_eq!(SendBundle::from_json(&written), Ok(bundle));
}

#[test]
fn known_fields_that_nobody_enforces_are_refused_by_name() {
    for field in REFUSED_FIELDS {
        assert_eq!(
            refusal(&with(field, json!("0x0"))),
            ("notSupported", field.into())
        );
    }
    for field in REFUSED_LEG_FIELDS {
        let mut bundle = two_legs();
        bundle["legs"][1][field] = json!([]);
        assert_eq!(refusal(&bundle), ("notSupported", field.into()));
    }
    for (field, value) in [
        ("atomicity", "simulated"),
        ("atomicity", "committed"),
        ("revertMode", "allow"),
    ] {
        assert_eq!(
            refusal(&with(field, json!(value))),
            ("notSupported", field.into())
        );
    }
    assert_eq!(
        refusal(&with("version", json!(2))),
        ("notSupported", "version".into())
    );
}

#[test]
fn unknown_fields_are_refused_by_name() {
    assert_eq!(
        refusal(&with("maxTimestmap", json!(1))),
        ("unknownField", "maxTimestmap".into())
    );
    let mut bundle = two_legs();
    bundle["legs"][0]["tx"] = json!([]);
    assert_eq!(refusal(&bundle), ("unknownField", "tx".into()));
}

#[test]
fn wrong_shapes_name_the_field() {
    assert_eq!(refusal(&json!([])), ("malformedJson", "bundle".into()));
    assert_eq!(refusal(&json!({})), ("malformedJson", "legs".into()));
    assert_eq!(
        refusal(&json!({"legs": {}})),
        ("malformedJson", "legs".into())
    );
    assert_eq!(
        refusal(&json!({"legs": [1]})),
        ("malformedJson", "leg".into())
    );
    let no_chain = json!({"legs": [{"txs": []}]});
    assert_eq!(refusal(&no_chain), ("malformedJson", "chainId".into()));
    let no_txs = json!({"legs": [{"chainId": 1}]});
    assert_eq!(refusal(&no_txs), ("malformedJson", "txs".into()));
    let number = json!({"legs": [{"chainId": 1, "txs": [1]}]});
    assert_eq!(refusal(&number), ("malformedJson", "txs".into()));
    assert_eq!(
        refusal(&with("minHeight", json!(-1))),
        ("malformedJson", "minHeight".into())
    );
    assert_eq!(
        refusal(&with("atomicity", json!("all"))),
        ("malformedJson", "atomicity".into())
    );
}

#[test]
fn bad_hex_names_its_place() {
    assert_eq!(
        refusal(&with("maxHeight", json!("12"))),
        ("badHex", "maxHeight".into())
    );
    for text in ["02aa", "0x2aa", "0xzz"] {
        let bundle = json!({"legs": [{"chainId": 1, "txs": ["0x00", text]}]});
        assert_eq!(refusal(&bundle), ("badHex", "txs".into()));
        let error = SendBundle::from_json(&bundle).unwrap_err();
        assert_eq!(
            (&error.evidence["leg"], &error.evidence["tx"]),
            (&json!(0), &json!(1))
        );
    }
}

#[test]
fn window_ends_at_most_two_minutes_ahead() {
    let until = |max: u64| {
        SendBundle::from_json(&with("maxTimestamp", json!(max)))
            .unwrap()
            .bundle(1_000)
    };
    assert!(until(121_000).is_ok());
    let error = until(121_001).unwrap_err();
    assert_eq!(error.reason, Reason::WindowTooFar);
    assert_eq!(error.evidence["latest"], "0x1d8a8");
}

#[test]
fn bundles_that_break_b1_are_refused_with_its_reason() {
    let legs = |count: u64| {
        let leg = |chain_id: u64| json!({"chainId": chain_id, "txs": [format!("{chain_id:#06x}")]});
        json!({"legs": (1..=count).map(leg).collect::<Vec<_>>()})
    };
    let reason = |value: &Value| {
        SendBundle::from_json(value)
            .unwrap()
            .bundle(0)
            .map(|_| ())
            .map_err(|error| error.reason)
    };
    assert_eq!(reason(&legs(0)), Err(Reason::ZeroLegs));
    assert_eq!(reason(&legs(16)), Ok(()));
    assert_eq!(reason(&legs(17)), Err(Reason::TooManyLegs));
    let twice = json!({"legs": [{"chainId": 1, "txs": ["0x00"]}, {"chainId": 1, "txs": ["0x01"]}]});
    assert_eq!(reason(&twice), Err(Reason::DuplicateRollup));
    let control = json!({"legs": [{"chainId": 0, "txs": ["0x00"]}]});
    assert_eq!(reason(&control), Err(Reason::ControlLeg));
    let empty = with("minHeight", json!(9));
    let empty = json!({"legs": empty["legs"], "minHeight": 9, "maxHeight": 8});
    assert_eq!(reason(&empty), Err(Reason::WindowEmpty));
}

#[test]
fn grpc_says_the_same_bundle() {
    let request = proto::SubmitBundleRequest {
        legs: vec![proto::Leg {
            chain_id: 901,
            transactions: vec![vec![0x02, 0xaa].into(), vec![0x02, 0xbb].into()],
        }],
        max_timestamp_ms: Some(5_000),
        ..Default::default()
    };
    let json = json!({
        "legs": [{"chainId": "0x385", "txs": ["0x02aa", "0x02bb"]}], "maxTimestamp": 5_000,
    });
    assert_eq!(SendBundle::try_from(request), SendBundle::from_json(&json));
}
