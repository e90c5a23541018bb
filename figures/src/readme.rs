//! Figures stand in `bench/README.md` between markers; what people write stands around them.

use std::fs;
use std::path::PathBuf;

use eyre::{Result, WrapErr as _, eyre};

/// Replaces what stands between the markers of a section.
pub(crate) fn replace(section: &str, figures: &str) -> Result<()> {
    let path = beside("README.md");
    let text = fs::read_to_string(&path).wrap_err("bench/README.md")?;
    let text = replaced(&text, section, figures)
        .ok_or_else(|| eyre!("bench/README.md has no markers for {section}"))?;
    Ok(fs::write(&path, text)?)
}

/// A file beside it.
pub(crate) fn beside(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../bench")
        .join(name)
}

fn replaced(text: &str, section: &str, figures: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- {section} -->\n"),
        format!("<!-- /{section} -->"),
    );
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{figures}{end}{after}"))
}

/// A table in Markdown; the first row is its head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let mut lines = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        lines.push(format!("| {} |\n", row.join(" | ")));
        if position == 0 {
            lines.push(format!("|{}\n", "---|".repeat(row.len())));
        }
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let expected = "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n";
        assert_eq!(replaced(text, "x", "new\n").as_deref(), Some(expected));
        assert_eq!(replaced(text, "y", "new\n"), None);
    }
}
