//! What a node says on its operator's port: health and metrics.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::Error;

/// How long a node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Asks for a path of `http://host:port`; the status and the body.
///
/// # Errors
/// Nobody answers, or not in HTTP.
pub fn get(url: &str, path: &str) -> Result<(u16, String), Error> {
    let what = format!("asking {url}{path}");
    let authority = url.trim_start_matches("http://");
    let mut text = String::new();
    let answer = TcpStream::connect(authority).and_then(|mut stream| {
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text)
    });
    answer.map_err(Error::system(&what))?;
    parse(&text).ok_or(Error::Shape {
        what,
        problem: text.lines().next().unwrap_or_default().to_owned(),
    })
}

fn parse(text: &str) -> Option<(u16, String)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// The value of a metric without labels; nothing if there is none of this name.
pub(super) fn value(body: &str, name: &str) -> Option<f64> {
    let mut lines = body.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = lines.find(|(found, _)| *found == name)?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_read_and_a_metric_found_by_its_whole_name() {
        let text = "HTTP/1.0 503 Service Unavailable\r\nx: y\r\n\r\n# HELP a_b c\na_bc 2\na_b 1\n";
        let (status, body) = parse(text).unwrap();
        assert_eq!((status, value(&body, "a_b")), (503, Some(1.0)));
        assert_eq!(value(&body, "a"), None);
    }
}
