//! `METRICS`, the one table: what each figure is called on the wire and in the exposition, its
//! unit, and how its text becomes a number.
//!
//! The request's field list, the parsing of both APIs, HELP, `docs/metrics.md`, the names that
//! `extra_metrics` accepts and the simulated APIs' rows are all derived from it.

use std::fmt;

/// Prefix of every family, and of every scalar field on Meta's wire.
pub const PREFIX: &str = "marketing_messages_";

/// One figure of a campaign: a row of [`METRICS`].
#[derive(Debug)]
pub struct Metric {
    /// Family name behind [`PREFIX`]; account totals put `account_` between the two.
    pub name: &'static str,
    /// Meta's field name; scalars carry [`PREFIX`], which is left out here.
    pub field: &'static str,
    /// What the number on the wire measures.
    pub unit: Unit,
    /// Where in a row the number stands.
    pub shape: Shape,
    /// The word in `extra_metrics` that turns the family on; `None` for families that are always on.
    pub extra: Option<&'static str>,
    /// Whether CAMS passes the figure on.
    pub cams: bool,
    /// One sentence for HELP, without the full stop.
    pub help: &'static str,
    /// Whose messages the figure leaves out.
    pub excludes: Excludes,
}

/// Unit of a figure on the wire, and with it the conversion to the base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole number of messages or clicks.
    Count,
    /// Percent on the wire, a ratio in the exposition.
    Percent,
    /// A ratio on the wire already.
    Ratio,
    /// Major units of the account's currency.
    Money,
}

/// Where a figure stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A field of its own.
    Scalar,
    /// A list of `{action_type, value}`: one sample for each of [`ACTIONS`].
    ByAction,
    /// A list of `{action_type, value}` of which the purchase is the figure.
    Purchase,
}

/// Regions that the API leaves out of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excludes {
    /// None is documented.
    Nothing,
    /// Europe and Japan.
    Deliveries,
    /// Europe, Argentina, Turkey, South Korea and Japan.
    Clicks,
}

impl fmt::Display for Excludes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "",
            Self::Deliveries => "Excludes Europe and Japan. ",
            Self::Clicks => "Excludes Europe, Argentina, Turkey, South Korea and Japan. ",
        })
    }
}

const ON: Metric = Metric {
    name: "",
    field: "",
    unit: Unit::Count,
    shape: Shape::Scalar,
    extra: None,
    cams: true,
    help: "",
    excludes: Excludes::Nothing,
};
const EXTRA: Metric = Metric { cams: false, ..ON };

/// Every figure, in the order of the exposition.
pub const METRICS: [Metric; 17] = [
    Metric {
        name: "delivered",
        field: "delivered",
        help: "Estimated messages delivered; may differ from the invoice",
        excludes: Excludes::Deliveries,
        ..ON
    },
    Metric {
        name: "link_clicks",
        field: "link_btn_click",
        help: "Clicks on links in messages",
        excludes: Excludes::Clicks,
        ..ON
    },
    Metric {
        name: "link_click_ratio",
        field: "link_btn_click_rate",
        unit: Unit::Percent,
        help: "Link clicks per delivered message, as calculated by the API",
        excludes: Excludes::Clicks,
        ..ON
    },
    Metric {
        name: "read_ratio",
        field: "read_rate",
        unit: Unit::Percent,
        help: "Messages read per delivered message, where read receipts are enabled",
        excludes: Excludes::Deliveries,
        ..ON
    },
    Metric {
        name: "delivery_ratio",
        field: "delivery_rate",
        unit: Unit::Percent,
        help: "Message delivery rate as the API reports it; often 0 on Messenger, where it is undocumented",
        ..ON
    },
    Metric {
        name: "spend",
        field: "spend",
        unit: Unit::Money,
        help: "Amount spent in the window, in the currency of the label",
        ..ON
    },
    Metric {
        name: "cost_per_delivered",
        field: "cost_per_delivered",
        unit: Unit::Money,
        help: "Average cost of a delivered message, in the currency of the label",
        ..ON
    },
    Metric {
        name: "cost_per_link_click",
        field: "cost_per_link_btn_click",
        unit: Unit::Money,
        help: "Average cost of a link click, in the currency of the label",
        excludes: Excludes::Clicks,
        ..ON
    },
    Metric { name: "sent", field: "sent", extra: Some("sent"), help: "Messages sent", ..EXTRA },
    Metric { name: "read", field: "read", extra: Some("read"), help: "Messages read", ..EXTRA },
    Metric {
        name: "quick_reply_clicks",
        field: "quick_reply_btn_click",
        extra: Some("quick_reply_clicks"),
        help: "Clicks on quick reply buttons",
        ..EXTRA
    },
    Metric {
        name: "quick_reply_click_ratio",
        field: "quick_reply_btn_click_rate",
        unit: Unit::Percent,
        extra: Some("quick_reply_click_ratio"),
        help: "Quick reply clicks per delivered message",
        ..EXTRA
    },
    Metric {
        name: "read_ratio_benchmark",
        field: "read_rate_benchmark",
        unit: Unit::Percent,
        extra: Some("read_ratio_benchmark"),
        help: "75th percentile of the read ratios of similar businesses over 30 days",
        ..EXTRA
    },
    Metric {
        name: "click_ratio_benchmark",
        field: "click_rate_benchmark",
        unit: Unit::Percent,
        extra: Some("click_ratio_benchmark"),
        help: "75th percentile of the click ratios of similar businesses over 30 days",
        ..EXTRA
    },
    Metric {
        name: "website_conversions",
        field: "actions",
        shape: Shape::ByAction,
        extra: Some("website_conversions"),
        help: "Estimated website conversions tracked by the pixel, by action",
        ..EXTRA
    },
    Metric {
        name: "website_conversion_value",
        field: "action_values",
        unit: Unit::Money,
        shape: Shape::ByAction,
        extra: Some("website_conversions"),
        help: "Estimated value of website conversions tracked by the pixel, by action, in the currency of the label",
        ..EXTRA
    },
    Metric {
        name: "website_purchase_roas",
        field: "website_purchase_roas",
        unit: Unit::Ratio,
        shape: Shape::Purchase,
        extra: Some("website_conversions"),
        help: "Estimated return on ad spend of website purchases: their value divided by the amount spent",
        ..EXTRA
    },
];

/// Website actions that become a value of the label `action`; the set is closed, so that custom
/// conversions cannot grow the number of series without a bound.
pub const ACTIONS: [&str; 10] = [
    "purchase",
    "initiate_checkout",
    "add_to_cart",
    "custom",
    "complete_registration",
    "search",
    "view_content",
    "add_payment_info",
    "add_to_wishlist",
    "lead",
];

/// What stands before an action's name in `action_type`.
pub const ACTION_PREFIX: &str = "offsite_conversion.fb_pixel_";

impl Metric {
    /// Name of the campaign family: `marketing_messages_delivered`.
    pub fn family(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// Name of the account's own family: `marketing_messages_account_delivered`.
    pub fn account_family(&self) -> String {
        format!("{PREFIX}account_{}", self.name)
    }

    /// Meta's field name: `marketing_messages_link_btn_click`.
    pub fn snake(&self) -> String {
        match self.shape {
            Shape::Scalar => format!("{PREFIX}{}", self.field),
            Shape::ByAction | Shape::Purchase => self.field.to_owned(),
        }
    }

    /// CAMS' field name: `MarketingMessagesLinkBtnClick`.
    pub fn pascal(&self) -> String {
        let mut name = String::new();
        for word in self.snake().split('_') {
            let mut letters = word.chars();
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        name
    }

    /// The HELP text: sentence, wire field, exclusions, and that the figure is not live.
    pub fn help_text(&self) -> String {
        format!("{} ({}). {}Polled and cached.", self.help, self.snake(), self.excludes)
    }

    /// The number behind a wire text, in base units; `None` for anything but a finite decimal number.
    ///
    /// Percent is divided in the text, by its exponent, so that the ratio is rounded once:
    /// `79.419238` is `0.79419238` and not `0.7941923800000001`.
    pub fn read(&self, text: &str) -> Option<f64> {
        // `parse` also takes `inf`, `nan`, `infinity` and a leading plus; the wire never means them.
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            || text.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'))
        {
            return None;
        }
        let value: f64 = match self.unit {
            Unit::Count | Unit::Ratio | Unit::Money => text.parse().ok()?,
            Unit::Percent => {
                // An exponent of its own is rare, but JSON numbers may be written so.
                let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
                let exponent: i32 = exponent.parse().ok()?;
                format!("{digits}e{}", exponent.checked_sub(2)?).parse().ok()?
            }
        };
        value.is_finite().then_some(value)
    }
}

/// A set of rows of [`METRICS`], by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MetricSet(u32);

impl MetricSet {
    /// No family.
    pub const NONE: Self = Self(0);

    /// The families that are on by default.
    pub fn default_on() -> Self {
        Self::filtered(|metric| metric.extra.is_none())
    }

    /// The set as a number: a bit for each row of [`METRICS`], the first one lowest.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Every family that CAMS passes on.
    pub fn cams() -> Self {
        Self::filtered(|metric| metric.cams)
    }

    fn filtered(keep: impl Fn(&Metric) -> bool) -> Self {
        let bits = METRICS.iter().enumerate().filter(|(_, metric)| keep(metric)).fold(0, |bits, (i, _)| bits | 1 << i);
        Self(bits)
    }

    /// The set and the families that a word of `extra_metrics` turns on; `None` for an unknown word.
    pub fn with_extra(self, word: &str) -> Option<Self> {
        let word = word.strip_prefix(PREFIX).unwrap_or(word);
        let added = Self::filtered(|metric| metric.extra == Some(word));
        (added.0 != 0).then_some(Self(self.0 | added.0))
    }

    /// The set and one metric more.
    pub fn with(self, index: usize) -> Self {
        Self(self.0 | 1 << index)
    }

    /// The set less another.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the metric of this index is in the set.
    pub fn contains(self, index: usize) -> bool {
        self.0 & 1 << index != 0
    }

    /// Index and metric of each member, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = (usize, &'static Metric)> {
        METRICS.iter().enumerate().filter(move |(index, _)| self.contains(*index))
    }
}

/// The words that `extra_metrics` accepts, each once, in the table's order.
pub fn extra_words() -> Vec<&'static str> {
    let mut words: Vec<_> = METRICS.iter().filter_map(|metric| metric.extra).collect();
    // One word may turn several families on; they are neighbours in the table.
    words.dedup();
    words
}

#[cfg(test)]
mod tests;
