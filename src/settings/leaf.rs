//! What a single value may be: each with its name, its parser and what to write instead.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::entry::Leaf;
use super::nearest::nearest;
use crate::domain::budget::Tier;
use crate::domain::metric::{MetricSet, extra_words};
use crate::domain::target::{AccountId, CampaignId, Currency, Level, PageId};

/// Implements [`Leaf`] for a type: its noun, its parser, and what to write instead.
macro_rules! leaf {
    ($type:ty, $noun:literal, $parse:expr, $remedy:literal, $shape:tt) => {
        impl Leaf for $type {
            const NOUN: &'static str = $noun;

            fn parse(text: &str) -> Option<Self> {
                let parse: fn(&str) -> Option<Self> = $parse;
                parse(text)
            }

            fn remedy(_: &str) -> String {
                $remedy.to_owned()
            }

            fn shape() -> serde_json::Value {
                serde_json::json!($shape)
            }
        }
    };
}
pub(super) use leaf;

/// A length of time: never zero, and short enough to be multiplied.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

const LONGEST: Duration = Duration::from_hours(366 * 24);

leaf!(
    Span,
    "a length of time",
    |text| humantime::parse_duration(text).ok().filter(|span| !span.is_zero() && *span <= LONGEST).map(Span),
    "a number with its unit, such as 90s, 15m or 1h 30m, above zero and up to a year",
    {"type": "string", "pattern": r"^\s*([0-9]+\s*[a-zA-Z]+\s*)+$"}
);

/// A whole number between two bounds, both inclusive.
pub(super) struct Whole<const MIN: usize, const MAX: usize>(pub(super) usize);

impl<const MIN: usize, const MAX: usize> Leaf for Whole<MIN, MAX> {
    const NOUN: &'static str = "a number that fits here";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| (MIN..=MAX).contains(number)).map(Self)
    }

    fn remedy(_: &str) -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn shape() -> Json {
        json!({"type": ["integer", "string"], "minimum": MIN, "maximum": MAX, "pattern": "^[0-9]+$"})
    }
}

/// A number of bytes that a body may have.
pub(super) struct Size(pub(super) usize);

const SIZE_UNITS: [(&str, usize); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

leaf!(
    Size,
    "a size that fits here",
    |text| {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.strip_prefix(number)?;
        let (_, bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
        let size = number.trim_end().parse::<usize>().ok()?.checked_mul(*bytes)?;
        (1 << 10..=1 << 30).contains(&size).then_some(Size(size))
    },
    "a number with its unit B, KB, MB, GB, KiB, MiB or GiB, such as 32MiB, from 1KiB to 1GiB",
    {"type": ["string", "integer"], "minimum": 1 << 10, "maximum": 1 << 30, "pattern": "^[0-9]+ *([KMG]i?)?B?$"}
);

/// A number that stands in quotes.
const NUMBER: &str = "^[0-9.eE+-]+$";

/// A share above nothing, up to the whole.
pub(super) struct Share(pub(super) f64);

leaf!(
    Share,
    "a share",
    |text| text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0).map(Share),
    "a number above 0 and up to 1, such as 0.75",
    {"type": ["number", "string"], "exclusiveMinimum": 0, "maximum": 1, "pattern": NUMBER}
);

/// Requests in a second.
pub(super) struct Rate(pub(super) f64);

leaf!(
    Rate,
    "a rate",
    |text| text.parse().ok().filter(|rate| *rate > 0.0 && *rate <= 1000.0).map(Rate),
    "a number above 0 and up to 1000, such as 5",
    {"type": ["number", "string"], "exclusiveMinimum": 0, "maximum": 1000, "pattern": NUMBER}
);

leaf!(bool, "a truth value", |text| text.parse().ok(), "true or false", {"enum": [true, false, "true", "false"]});

leaf!(PathBuf, "a path", |text| (!text.is_empty() && !text.contains('\0')).then(|| text.into()), "the path of a file", {"type": "string", "minLength": 1});

/// The name of an environment variable.
pub(super) struct Variable(pub(super) String);

leaf!(
    Variable,
    "the name of an environment variable",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        (plain && !text.is_empty()).then(|| Variable(text.to_owned()))
    },
    "its name, of letters, digits and _, without $",
    {"type": "string", "pattern": "^[A-Za-z0-9_]+$"}
);

/// The id of an app.
pub(super) struct Digits(pub(super) String);

leaf!(
    Digits,
    "an app id",
    |text| CampaignId::parse(text).ok().map(|id| Digits(id.to_string())),
    "its digits, in quotes if there are more than 18",
    {"type": ["string", "integer"], "minimum": 1, "pattern": "^[0-9]+$"}
);

leaf!(
    AccountId,
    "an ad account id",
    |text| Self::parse(text).ok(),
    "its digits, with or without act_, in quotes if there are more than 18",
    {"type": ["string", "integer"], "minimum": 1, "pattern": "^(act_)?[0-9]+$"}
);
leaf!(CampaignId, "a campaign id", |text| Self::parse(text).ok(),
    "its digits, in quotes if there are more than 18",
    {"type": ["string", "integer"], "minimum": 1, "pattern": "^[0-9]+$"}
);
leaf!(PageId, "a page id", |text| Self::parse(text).ok(),
    "its digits, in quotes if there are more than 18",
    {"type": ["string", "integer"], "minimum": 1, "pattern": "^[0-9]+$"}
);
leaf!(Currency, "a currency", |text| Self::parse(text),
    "its three capital letters, such as EUR",
    {"type": "string", "pattern": "^[A-Z]{3}$"}
);
leaf!(
    Tier,
    "a tier",
    |text| [Self::Limited, Self::Full].into_iter().find(|tier| tier.label() == text),
    "limited or full, as the App Dashboard shows it",
    {"enum": [Tier::Limited.label(), Tier::Full.label()]}
);
leaf!(
    Level,
    "a level",
    |text| [Self::Ad, Self::Campaign].into_iter().find(|level| level.label() == text),
    "ad or campaign",
    {"enum": [Level::Ad.label(), Level::Campaign.label()]}
);
leaf!(
    Date,
    "a day",
    |text| text.parse().ok().filter(|date: &Date| date.to_string() == text),
    "year, month and day, such as 2026-03-31",
    {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
);

/// The id of a CAMS space or instance.
pub(super) struct Space(pub(super) Arc<str>);

leaf!(
    Space,
    "a space id",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        (plain && (1..=64).contains(&text.len())).then(|| Space(text.into()))
    },
    "1 to 64 letters, digits, dots, hyphens and underscores, such as cams-xk3v7q",
    {"type": ["string", "integer"], "pattern": "^[A-Za-z0-9._-]{1,64}$"}
);

/// The one word that `credentials` knows.
pub(super) struct DefaultChain;

leaf!(DefaultChain, "a way to find access keys", |text| (text == "default").then_some(DefaultChain), "default", {"const": "default"});

/// The value of a static label.
pub(super) struct LabelValue(pub(super) String);

leaf!(
    LabelValue,
    "a label's value",
    |text| (text.chars().count() <= 256).then(|| LabelValue(text.to_owned())),
    "a text of at most 256 characters",
    {"type": ["string", "number", "boolean"], "maxLength": 256}
);

/// A version of the Graph API.
pub(super) struct ApiVersion(pub(super) String);

leaf!(
    ApiVersion,
    "a version of the Graph API",
    |text| {
        let (major, minor) = text.strip_prefix('v')?.split_once('.')?;
        let number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        (number(major) && number(minor)).then(|| ApiVersion(text.to_owned()))
    },
    "v and two numbers, such as v26.0",
    {"type": "string", "pattern": r"^v[0-9]{1,4}\.[0-9]{1,4}$"}
);

/// A word of `extra_metrics`.
pub(super) struct Extra(pub(super) String);

impl Leaf for Extra {
    const NOUN: &'static str = "an extra metric";

    fn parse(text: &str) -> Option<Self> {
        MetricSet::default_on().with_extra(text).map(|_| Self(text.to_owned()))
    }

    fn remedy(text: &str) -> String {
        let words = extra_words();
        match nearest(text, words.iter().copied()) {
            Some(word) => format!("`{word}`"),
            None => format!("one of {}", words.join(", ")),
        }
    }

    fn shape() -> Json {
        json!({"enum": extra_words()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_above_zero_and_up_to_a_year() {
        for (text, seconds) in
            [("90s", Some(90)), ("15m", Some(900)), ("1h 30m", Some(5400)), ("366d", Some(31_622_400))]
        {
            assert_eq!(Span::parse(text).map(|span| span.0.as_secs()), seconds, "{text:?}");
        }
        for text in ["", "0", "0s", "15", "-1s", "soon", "367d", "99999999999999999999s", "9999999999y"] {
            assert!(Span::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_units() {
        for (text, bytes) in [
            ("1024", 1024),
            ("2048B", 2048),
            ("32MiB", 32 << 20),
            ("32 MiB", 32 << 20),
            ("64KB", 64_000),
            ("1GiB", 1 << 30),
            ("1GB", 1_000_000_000),
        ] {
            assert_eq!(Size::parse(text).map(|size| size.0), Some(bytes), "{text:?}");
        }
        for text in
            ["", "B", "MiB", "1023", "2GiB", "32mib", "1.5MiB", "-1MiB", "99999999999999999999", "9999999999999GiB"]
        {
            assert!(Size::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        for text in ["0", "-0.1", "1.01", "NaN", "inf", "", "many"] {
            assert!(Share::parse(text).is_none(), "{text:?}");
        }
        assert!(Share::parse("1").is_some() && Rate::parse("0.2").is_some() && Rate::parse("1001").is_none());
        assert!(Whole::<1, 256>::parse("256").is_some() && Whole::<1, 256>::parse("257").is_none());
        assert!(Date::parse("2026-02-28").is_some());
        assert!(Date::parse("2026-02-30").is_none() && Date::parse("2026-02-28T00:00").is_none());
    }
}
