//! Sample lines. The only place where text from outside enters the exposition.

use std::fmt::{Display, Write as _};

/// Appends a label's value with backslash, quote and line feed escaped.
pub fn escape(value: &str, out: &mut String) {
    if !value.contains(['\\', '"', '\n']) {
        out.push_str(value);
        return;
    }
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// Appends `,name="value"`, without the comma after an opening brace.
pub(super) fn label(name: &str, value: &str, out: &mut String) {
    if !out.is_empty() && !out.ends_with('{') {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    escape(value, out);
    out.push('"');
}

/// Appends a label whose value needs no escaping: an id, a number.
pub(super) fn plain_label(name: &str, value: impl Display, out: &mut String) {
    if !out.is_empty() && !out.ends_with('{') {
        out.push(',');
    }
    let _ = write!(out, "{name}=\"{value}\"");
}

/// Appends one sample.
pub(super) fn sample(family: &str, labels: &str, value: f64, out: &mut String) {
    let _ = writeln!(out, "{family}{{{labels}}} {value}");
}
