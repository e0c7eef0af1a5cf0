//! Sample lines. The only place where text from outside enters the exposition.

use std::fmt::{Display, Write as _};

/// Below this a whole number is exact.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

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

/// Appends the shortest text that reads as this finite number, without an exponent.
pub(super) fn number(value: f64, out: &mut Vec<u8>) {
    let mut digits = zmij::Buffer::new();
    if value.fract() == 0.0 && value.abs() < EXACT_BELOW && value.to_bits() != (-0.0_f64).to_bits() {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and exact")]
        whole(value as i64, out);
    } else if let Some(text) =
        Some(digits.format_finite(value)).filter(|text| !text.contains('e') && !text.ends_with(".0"))
    {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(value.to_string().as_bytes());
    }
}

/// Appends a whole number.
pub(super) fn whole(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        number(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let texts = ["0", "-0", "38.87", "0.79419238", "100", "0.0000001", "9007199254740993000", "1767225600"];
        for expected in texts {
            assert_eq!(text(expected.parse().unwrap()), expected);
        }
    }

    proptest! {
        #[test]
        fn numbers_read_as_what_they_were(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            let text = text(value);
            prop_assert_eq!(text.parse(), Ok(value));
            prop_assert_eq!(text.len(), value.to_string().len());
        }
    }
}
