//! What was promised, as a file: one line of JSON for everything that a node said is available.
//!
//! ```text
//! {"node":0,"chainId":901,"transaction":"0x…"}
//! {"node":3,"bundle":"0x…","maxTimestamp":1790000000000}
//! ```
//! Whoever checks the network later finds there what must not be lost.

use std::io::{BufRead, Write};

use cloverleaf_mempool::Name;
use cloverleaf_types::{B256, ChainId};
use serde_json::{Value, json};

use super::Told;
use crate::process::Error;

/// Something that a node said is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What.
    pub name: Name,
    /// Which node said so, by its place.
    pub node: usize,
    /// For a bundle: the last block time that may place it, in milliseconds since 1970.
    pub max_timestamp_ms: Option<u64>,
}

/// Adds promises to a file.
///
/// # Errors
/// It cannot be written.
pub fn write_promises(file: &mut impl Write, promises: &[Told]) -> std::io::Result<()> {
    for told in promises {
        let line = match told.name {
            Name::Transaction((chain_id, id)) => {
                json!({"node": told.node, "chainId": chain_id.0, "transaction": id})
            }
            Name::Bundle(hash) => {
                json!({"node": told.node, "bundle": hash, "maxTimestamp": told.max_timestamp_ms})
            }
        };
        writeln!(file, "{line}")?;
    }
    file.flush()
}

/// Reads a file of promises.
///
/// # Errors
/// A line is none: the message says which. A last line without its end was not written whole, and
/// counts for nothing.
pub fn read_promises(mut file: impl BufRead) -> Result<Vec<Promise>, Error> {
    let mut promises = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        let read = file.read_line(&mut line);
        read.map_err(Error::system("reading promises"))?;
        if !line.ends_with('\n') {
            return Ok(promises);
        }
        let promise = parse(&line).ok_or_else(|| Error::Shape {
            what: format!("line {} of the promises", promises.len() + 1),
            problem: line.trim_end().to_owned(),
        })?;
        promises.push(promise);
    }
}

fn parse(line: &str) -> Option<Promise> {
    let value: Value = serde_json::from_str(line).ok()?;
    let hash = |field: &str| value[field].as_str()?.parse::<B256>().ok();
    let name = match hash("transaction") {
        Some(id) => Name::Transaction((ChainId(value["chainId"].as_u64()?), id)),
        None => Name::Bundle(hash("bundle")?),
    };
    Some(Promise {
        name,
        node: usize::try_from(value["node"].as_u64()?).ok()?,
        max_timestamp_ms: value["maxTimestamp"].as_u64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: Name, max_timestamp_ms: Option<u64>) -> Told {
        Told {
            name,
            node: 2,
            life: 0,
            max_timestamp_ms,
        }
    }

    #[test]
    fn promises_are_read_as_they_were_written_and_a_torn_last_line_counts_for_nothing() {
        let transaction = Name::Transaction((ChainId(901), B256::repeat_byte(1)));
        let bundle = Name::Bundle(B256::repeat_byte(2));
        let written = [told(transaction, None), told(bundle, Some(7))];
        let mut file = Vec::new();
        write_promises(&mut file, &written).unwrap();
        file.extend_from_slice(b"{\"node\":");
        let read = read_promises(&file[..]).unwrap();
        let expected = written.map(|told| Promise {
            name: told.name,
            node: 2,
            max_timestamp_ms: told.max_timestamp_ms,
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn a_line_that_is_no_promise_is_named() {
        let error = read_promises(&b"{\"node\":1}\n"[..]).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
