//! What a node counts, as its metrics port says it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

/// The value of a metric without labels; nothing when nobody answers, or there is none of that name.
pub(super) fn metric(port: u16, name: &str) -> Option<u64> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    value_in(&answer, name)
}

fn value_in(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_that_of_the_whole_name() {
        let text = "# HELP a_b_c x.\r\na_b_c 7\r\na_b 3\n";
        assert_eq!(value_in(text, "a_b"), Some(3));
        assert_eq!(value_in(text, "a"), None);
    }
}
