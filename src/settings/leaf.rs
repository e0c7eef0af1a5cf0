//! What a single value may be: each with its name, its parser and what to write instead.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::entry::{Bare, Leaf};
use super::nearest::nearest;
use super::number;
use crate::domain::budget::Tier;
use crate::domain::metric::{MetricSet, extra_words};
use crate::domain::target::{AccountId, CampaignId, Currency, Level, PageId};

/// Implements [`Leaf`] for a type: what a value without quotes is, its noun, its parser, what to
/// write instead, and its schema.
macro_rules! leaf {
    ($type:ty, $bare:ident, $noun:literal, $parse:expr, $remedy:literal, $shape:tt) => {
        impl Leaf for $type {
            const NOUN: &'static str = $noun;
            const BARE: $crate::settings::entry::Bare = $crate::settings::entry::Bare::$bare;

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

/// A whole number between two bounds, both inclusive.
pub(super) struct Whole<const MIN: usize, const MAX: usize>(pub(super) usize);

impl<const MIN: usize, const MAX: usize> Leaf for Whole<MIN, MAX> {
    const NOUN: &'static str = "a valid number";
    const BARE: Bare = Bare::Number;

    fn parse(text: &str) -> Option<Self> {
        let number = usize::try_from(number::whole(text)?).ok()?;
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    fn remedy(_: &str) -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn shape() -> Json {
        let pattern = format!("^({})$", number::range(MIN as u64, MAX as u64));
        json!({"type": ["integer", "string"], "minimum": MIN, "maximum": MAX, "pattern": pattern})
    }
}

/// A number of bytes that a body may have.
pub(super) struct Size(pub(super) usize);

const MIN_BODY_BYTES: usize = 1 << 10;
const MAX_BODY_BYTES: usize = 1 << 30;
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
    Number,
    "a valid size",
    |text| {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.strip_prefix(digits)?;
        let (_, bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
        let digits = if unit.is_empty() { digits } else { digits.trim_end_matches(' ') };
        let size = usize::try_from(number::whole(digits)?).ok()?.checked_mul(*bytes)?;
        (MIN_BODY_BYTES..=MAX_BODY_BYTES).contains(&size).then_some(Size(size))
    },
    "a number with its unit B, KB, MB, GB, KiB, MiB or GiB, such as 32MiB, from 1KiB to 1GiB",
    {"type": ["string", "integer"], "minimum": MIN_BODY_BYTES, "maximum": MAX_BODY_BYTES, "pattern": size_pattern()}
);

fn size_pattern() -> String {
    let sizes = SIZE_UNITS.map(|(unit, bytes)| {
        let space = if unit.is_empty() { "" } else { " *" };
        format!(
            "({}){space}{unit}",
            number::range(MIN_BODY_BYTES.div_ceil(bytes) as u64, (MAX_BODY_BYTES / bytes) as u64)
        )
    });
    format!("^({})$", sizes.join("|"))
}

/// The least share and rate: less is no polling, and its waits would be longer than clocks count.
const MIN_SHARE_AND_RATE: f64 = 0.001;

/// A share above nothing, up to the whole.
pub(super) struct Share(pub(super) f64);

leaf!(
    Share,
    Number,
    "a share",
    |text| number::decimal(text, 1).map(Share),
    "a number from 0.001 to 1, such as 0.75",
    {"type": ["number", "string"], "minimum": MIN_SHARE_AND_RATE, "maximum": 1, "pattern": format!("^({})$", number::decimals(1))}
);

/// Requests in a second.
pub(super) struct RequestsPerSecond(pub(super) f64);

const MAX_REQUESTS_PER_SECOND: u32 = 1000;

leaf!(
    RequestsPerSecond,
    Number,
    "a rate",
    |text| number::decimal(text, MAX_REQUESTS_PER_SECOND).map(RequestsPerSecond),
    "a number from 0.001 to 1000, such as 5",
    {"type": ["number", "string"], "minimum": MIN_SHARE_AND_RATE, "maximum": MAX_REQUESTS_PER_SECOND, "pattern": format!("^({})$", number::decimals(MAX_REQUESTS_PER_SECOND))}
);

leaf!(
    bool,
    Typed,
    "a boolean",
    |text| match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    },
    "true or false",
    {
        "type": ["boolean", "integer", "string"], "minimum": 0, "maximum": 1,
        "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|0|1)$"
    }
);

leaf!(
    PathBuf,
    Refused,
    "a path",
    |text| (!text.is_empty() && !text.contains('\0')).then(|| text.into()),
    "the path of a file",
    {"type": "string", "pattern": r"^[^\x00]+$"}
);

/// The name of an environment variable.
pub(super) struct Variable(pub(super) String);

leaf!(
    Variable,
    Refused,
    "the name of an environment variable",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        (plain && !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit())).then(|| Variable(text.to_owned()))
    },
    "its name without $: letters, digits and _, not starting with a digit",
    {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
);

/// The largest id: 19 digits.
const LONGEST_ID: u64 = 9_999_999_999_999_999_999;

/// The id of an app.
pub(super) struct Digits(pub(super) String);

leaf!(
    Digits,
    Typed,
    "an app id",
    |text| CampaignId::parse(text).ok().map(|id| Digits(id.to_string())),
    "its digits, at most 19 and the first not 0",
    {"type": ["string", "integer"], "minimum": 1, "maximum": LONGEST_ID, "pattern": "^[1-9][0-9]{0,18}$"}
);

leaf!(
    AccountId,
    Typed,
    "an ad account id",
    |text| Self::parse(text).ok(),
    "its digits, at most 19 and the first not 0, with or without act_",
    {"type": ["string", "integer"], "minimum": 1, "maximum": LONGEST_ID, "pattern": "^(act_)?[1-9][0-9]{0,18}$"}
);
leaf!(CampaignId, Typed, "a campaign id", |text| Self::parse(text).ok(),
    "its digits, at most 19 and the first not 0",
    {"type": ["string", "integer"], "minimum": 1, "maximum": LONGEST_ID, "pattern": "^[1-9][0-9]{0,18}$"}
);
leaf!(PageId, Typed, "a page id", |text| Self::parse(text).ok(),
    "its digits, at most 19 and the first not 0",
    {"type": ["string", "integer"], "minimum": 1, "maximum": LONGEST_ID, "pattern": "^[1-9][0-9]{0,18}$"}
);
leaf!(Currency, Refused, "a currency", |text| Self::parse(text),
    "its three capital letters, such as EUR",
    {"type": "string", "pattern": "^[A-Z]{3}$"}
);
leaf!(
    Tier,
    Refused,
    "a tier",
    |text| [Self::Limited, Self::Full].into_iter().find(|tier| tier.label() == text),
    "limited or full, as the App Dashboard shows it",
    {"enum": [Tier::Limited.label(), Tier::Full.label()]}
);
leaf!(
    Level,
    Refused,
    "a level",
    |text| [Self::Ad, Self::Campaign].into_iter().find(|level| level.label() == text),
    "ad or campaign",
    {"enum": [Level::Ad.label(), Level::Campaign.label()]}
);
/// Every day of the years 0 to 9999, the 29th of February in leap years only.
const DAY: &str = concat!(
    "^([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))",
    "|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)$"
);

leaf!(
    Date,
    Refused,
    "a day",
    |text| text.parse().ok().filter(|date: &Date| date.to_string() == text),
    "year, month and day, such as 2026-03-31",
    {"type": "string", "pattern": DAY}
);

/// The id of a CAMS space or instance.
pub(super) struct Space(pub(super) Arc<str>);

leaf!(
    Space,
    Typed,
    "a space id",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        (plain && (1..=64).contains(&text.len())).then(|| Space(text.into()))
    },
    "1 to 64 letters, digits, dots, hyphens and underscores, such as cams-xk3v7q",
    {"type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9._-]{1,64}$"}
);

/// The one word that `credentials` knows.
pub(super) struct DefaultChain;

leaf!(DefaultChain, Refused, "a source of access keys", |text| (text == "default").then_some(DefaultChain), "default", {"const": "default"});

/// A version of the Graph API.
pub(super) struct ApiVersion(pub(super) String);

leaf!(
    ApiVersion,
    Refused,
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
    const BARE: Bare = Bare::Refused;

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
        for text in
            ["0", "-0.1", "1.01", "NaN", "inf", "", "many", "1e-20", "1e-300", "1.00000000000000000001", "0.0009"]
        {
            assert!(Share::parse(text).is_none(), "{text:?}");
        }
        assert!(
            Share::parse("1").is_some()
                && RequestsPerSecond::parse("0.2").is_some()
                && RequestsPerSecond::parse("1001").is_none()
        );
        assert!(
            RequestsPerSecond::parse("1e300").is_none()
                && RequestsPerSecond::parse("1000.0").is_some()
                && RequestsPerSecond::parse(".001").is_some()
        );
        assert!(Whole::<1, 256>::parse("256").is_some() && Whole::<1, 256>::parse("257").is_none());
        assert!(Date::parse("2026-02-28").is_some());
        assert!(Date::parse("2026-02-30").is_none() && Date::parse("2026-02-28T00:00").is_none());
    }
}
