//! Instants and spans, for people and for programs.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::domain::time::UnixSeconds;

/// An instant. Programs get RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct InstantView(pub(super) UnixSeconds);

impl InstantView {
    #[expect(clippy::cast_possible_truncation, reason = "a number beyond the range is no instant, and refused")]
    fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_millisecond((self.0.as_f64() * 1000.0) as i64).ok()
    }

    /// For programs.
    pub(super) fn rfc3339(self) -> String {
        self.timestamp().map(|at| at.to_string()).unwrap_or_default()
    }

    /// To the second, in UTC.
    pub(super) fn exact(self) -> String {
        self.timestamp().map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
    }

    /// As it is seen from an instant: `3 min ago`, `in 12 s`.
    pub(super) fn seen_from(self, now: Self) -> String {
        let ahead = self.0 - now.0;
        match ahead {
            _ if ahead.abs() < 1.0 => "now".to_owned(),
            _ if ahead > 0.0 => format!("in {}", span(ahead)),
            _ => format!("{} ago", span(-ahead)),
        }
    }
}

impl Serialize for InstantView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// A span of seconds in its two largest units.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, which is good enough")]
pub(super) fn span(seconds: f64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let seconds = seconds.max(0.0).round() as u64;
    let Some(first) = UNITS.iter().position(|(_, size)| seconds >= *size) else { return "0 s".to_owned() };
    let (unit, size) = UNITS[first];
    let whole = format!("{} {unit}", seconds / size);
    // Ten hours and seven minutes are ten hours; one hour and seven minutes are not one.
    match UNITS.get(first + 1).filter(|_| seconds / size < 10) {
        Some((smaller, part)) if (seconds % size) / part > 0 => {
            format!("{whole} {} {smaller}", (seconds % size) / part)
        }
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_at_most_two_units() {
        for (seconds, text) in [
            (0.2, "0 s"),
            (59.6, "1 min"),
            (65.0, "1 min 5 s"),
            (900.0, "15 min"),
            (4020.0, "1 h 7 min"),
            (36_420.0, "10 h"),
            (200_000.0, "2 d 7 h"),
            (-5.0, "0 s"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn instants_are_told_as_they_are_seen() {
        let at = |seconds| InstantView(UnixSeconds::new(seconds));
        let now = at(1_790_000_000.0);
        assert_eq!(at(1_789_999_875.0).seen_from(now), "2 min 5 s ago");
        assert_eq!(at(1_790_000_012.0).seen_from(now), "in 12 s");
        assert_eq!(at(1_790_000_000.4).seen_from(now), "now");
        assert_eq!(
            (now.exact(), now.rfc3339()),
            ("2026-09-21 14:13:20 UTC".to_owned(), "2026-09-21T14:13:20Z".to_owned())
        );
        assert_eq!(at(f64::NAN).exact(), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(1e300).exact(), "");
    }
}
