//! Keeps `docs/spec/errors.md` equal to the table of reasons.

use std::fmt::Write as _;
use std::path::Path;

use cloverleaf_api::Reason;

const REWRITE: &str = "CLOVERLEAF_REWRITE=1 cargo test -p cloverleaf-api --test errors_md";

#[test]
fn errors_md_is_the_table_of_reasons() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec/errors.md");
    let expected = errors_md();
    if std::env::var_os("CLOVERLEAF_REWRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/spec/errors.md is out of date; rewrite it with\n  {REWRITE}"
    );
}

fn errors_md() -> String {
    let mut text = format!(
        "# Errors\n\n\
         Generated from `api/src/reason.rs` by `{REWRITE}`.\n\n\
         A JSON-RPC error is `{{code, message, data: {{reason, …evidence, docs}}}}`. Its message \
         begins with the words below and goes on with the figures; the same figures are in `data` \
         by name. With code -32000 the words are geth's own, because wallets match on them. In \
         gRPC the status carries a `google.rpc.ErrorInfo` with `domain = \"cloverleaf\"`, the same \
         reason, and the evidence as metadata. The HTTP status holds for a single call; in a \
         JSON-RPC batch it is 200. Limits also send `Retry-After`. With codes 4 and 5 (EIP-7966) \
         `data` is the transaction's hash alone.\n\n\
         | reason | code | HTTP | gRPC | retry | words | meaning |\n\
         |---|---|---|---|---|---|---|\n"
    );
    for reason in Reason::ALL {
        let (name, code, http) = (reason.text(), reason.code(), reason.http_status());
        let grpc = reason.grpc_code().text();
        let retry = if reason.is_retryable() { "yes" } else { "no" };
        let (words, doc) = (reason.words(), reason.doc());
        writeln!(
            text,
            "| <a id=\"{name}\"></a>`{name}` | {code} | {http} | {grpc} | {retry} | {words} | {doc} |"
        )
        .expect("a string takes all text");
    }
    text
}
