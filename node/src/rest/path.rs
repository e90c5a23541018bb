//! What paths and queries name: numbers as people write them, or as JSON does.

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{At, quantity};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::{B256, ChainId};

/// A number: `901` or `0x385`.
pub(super) fn number(name: &str, text: &str) -> Result<u64, RpcError> {
    let is_decimal = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let decimal = is_decimal.then(|| text.parse().ok()).flatten();
    let number = decimal.or_else(|| quantity::parse(text));
    number.ok_or_else(|| {
        let detail = format_args!("`{name}` is a number such as 901 or 0x385, not `{text}`");
        RpcError::because(Reason::MalformedJson, detail).with("field", name)
    })
}

/// A rollup.
pub(super) fn chain_id(text: &str) -> Result<ChainId, RpcError> {
    number("chainId", text).map(ChainId)
}

/// A height or a batch's number, or `latest`.
pub(super) fn at(name: &str, text: &str) -> Result<At, RpcError> {
    match text {
        "latest" => Ok(At::Latest),
        text => number(name, text).map(At::Number),
    }
}

/// A hash.
pub(super) fn hash(text: &str) -> Result<B256, RpcError> {
    text.parse().map_err(|error| {
        RpcError::because(Reason::BadHex, format_args!("`hash`: {error}")).with("field", "hash")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_quantities() {
        for text in ["901", "0x385", "0901"] {
            assert_eq!(number("chainId", text), Ok(901), "{text}");
        }
        for text in [
            "",
            "-1",
            "+1",
            "0x",
            "1e3",
            "18446744073709551616",
            "latest",
        ] {
            let error = number("seq", text).unwrap_err();
            assert_eq!(error.evidence["field"], "seq", "{text}");
        }
        assert_eq!(at("seq", "latest"), Ok(At::Latest));
        assert_eq!(at("seq", "0x10"), Ok(At::Number(16)));
    }

    #[test]
    fn hash_is_32_bytes_of_hex() {
        let text = B256::repeat_byte(7).to_string();
        assert_eq!(hash(&text), Ok(B256::repeat_byte(7)));
        assert_eq!(hash("0x07").unwrap_err().reason, Reason::BadHex);
    }
}
