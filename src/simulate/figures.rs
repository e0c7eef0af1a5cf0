//! The days of a window, and a row as the wire writes it.

use jiff::Span;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use crate::domain::metric::{ACTION_PREFIX, METRICS, Metric, Shape, Unit};

/// First and last day, both inclusive.
pub(super) type Days = (Date, Date);

/// The days of a preset; `last_Nd` leaves today out.
pub(super) fn preset(name: &str, today: Date) -> Option<Days> {
    let back = |days: i64| today.saturating_sub(Span::new().days(days));
    let monday = i64::from(today.weekday().to_monday_zero_offset());
    let sunday = i64::from(today.weekday().to_sunday_zero_offset());
    let first = today.first_of_month();
    let quarter = |day: Date| {
        let month = (day.month() - 1) / 3 * 3 + 1;
        Date::new(day.year(), month, 1).unwrap_or(day)
    };
    let before = |day: Date| day.yesterday().unwrap_or(day);
    let year = |offset: i16, month: i8, day: i8| Date::new(today.year() + offset, month, day).unwrap_or(today);
    Some(match name {
        "today" => (today, today),
        "yesterday" => (back(1), back(1)),
        "this_month" => (first, today),
        "last_month" => (before(first).first_of_month(), before(first)),
        "this_quarter" => (quarter(today), today),
        "last_quarter" => (quarter(before(quarter(today))), before(quarter(today))),
        "maximum" | "data_maximum" => (today.saturating_sub(Span::new().months(37)), today),
        "last_week_mon_sun" => (back(monday + 7), back(monday + 1)),
        "last_week_sun_sat" => (back(sunday + 7), back(sunday + 1)),
        "this_week_mon_today" => (back(monday), today),
        "this_week_sun_today" => (back(sunday), today),
        "this_year" => (year(0, 1, 1), today),
        "last_year" => (year(-1, 1, 1), year(-1, 12, 31)),
        _ => {
            let days: i64 = name.strip_prefix("last_")?.strip_suffix('d')?.parse().ok()?;
            (back(days), back(1))
        }
    })
}

/// Everything that a row is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) delivered: f64,
    pub(super) clicks: f64,
    pub(super) spend: f64,
    pub(super) read: f64,
    /// Messages that were sent and never arrived: in a restless world alone.
    pub(super) lost: f64,
}

impl Totals {
    /// Moves every figure, those that are quotients too.
    pub(super) fn stir(&mut self, seconds: f64) {
        self.delivered += 2.0 * seconds;
        self.clicks += seconds;
        self.read += seconds;
        self.spend += 0.5 * seconds;
        self.lost += seconds;
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            clicks: self.clicks + other.clicks,
            spend: self.spend + other.spend,
            read: self.read + other.read,
            lost: self.lost + other.lost,
        }
    }

    /// What is left of it without another.
    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            delivered: self.delivered - other.delivered,
            clicks: self.clicks - other.clicks,
            spend: self.spend - other.spend,
            read: self.read - other.read,
            lost: self.lost - other.lost,
        }
    }

    /// Whether there is a row at all.
    pub(super) fn is_delivered(&self) -> bool {
        self.delivered > 0.0
    }

    /// The value of a field as the wire writes it; `None` where it cannot be computed.
    pub(super) fn field(&self, metric: &Metric) -> Option<Value> {
        let per = |a: f64, b: f64| (b > 0.0).then(|| a / b);
        let purchases = (self.clicks / 20.0).floor();
        let value = match metric.field {
            "delivered" => self.delivered,
            "sent" => self.delivered + 3.0 + self.lost,
            "delivery_rate" if self.lost > 0.0 => 100.0 * per(self.delivered, self.delivered + 3.0 + self.lost)?,
            // Meta's own sample has a bare zero for the delivery rate beside thousands of deliveries.
            "delivery_rate" => 0.0,
            "read" => self.read,
            "link_btn_click" => self.clicks,
            "quick_reply_btn_click" => (self.clicks / 4.0).floor(),
            "link_btn_click_rate" => 100.0 * per(self.clicks, self.delivered)?,
            "quick_reply_btn_click_rate" => 25.0 * per(self.clicks, self.delivered)?,
            "read_rate" => 100.0 * per(self.read, self.delivered)?,
            "read_rate_benchmark" => 70.27,
            "click_rate_benchmark" => 18.74,
            "spend" => self.spend,
            "cost_per_delivered" => per(self.spend, self.delivered)?,
            "cost_per_link_btn_click" => per(self.spend, self.clicks)?,
            "actions" => purchases,
            "action_values" => purchases * 41.665,
            "website_purchase_roas" => per(purchases * 41.665, self.spend)?,
            _ => return None,
        };
        let decimals = match (metric.unit, metric.field) {
            (Unit::Count, _) => 0,
            (_, "delivery_rate") if self.lost == 0.0 => 0,
            (
                _,
                "spend" | "action_values" | "website_purchase_roas" | "read_rate_benchmark" | "click_rate_benchmark",
            ) => 2,
            _ => 6,
        };
        let text = decimal(value, decimals);
        match metric.shape {
            Shape::Scalar => Some(json!(text)),
            _ if purchases == 0.0 => None,
            _ => {
                let mut list = vec![json!({"action_type": format!("{ACTION_PREFIX}purchase"), "value": text})];
                if metric.field == "actions" {
                    list.push(json!({"action_type": "link_click", "value": format!("{:.0}", self.clicks)}));
                }
                Some(Value::Array(list))
            }
        }
    }

    /// The fields asked for, and all of them for CAMS.
    pub(super) fn fields(&self, wanted: impl Fn(&Metric) -> Option<String>) -> Map<String, Value> {
        METRICS.iter().filter_map(|metric| Some((wanted(metric)?, self.field(metric)?))).collect()
    }
}

/// A number that is not negative, rounded to so many decimals. Several times faster than exact
/// formatting, which a page of 500 rows would spend most of its time with.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures are far below 2^53")]
fn decimal(value: f64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals);
    let rounded = (value * scale as f64).round() as u64;
    if decimals == 0 {
        return rounded.to_string();
    }
    format!("{}.{:0width$}", rounded / scale, rounded % scale, width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_as_the_api_means_them() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let wednesday = day("2026-11-18");
        for (name, since, until) in [
            ("today", "2026-11-18", "2026-11-18"),
            ("last_3d", "2026-11-15", "2026-11-17"),
            ("last_week_mon_sun", "2026-11-09", "2026-11-15"),
            ("last_week_sun_sat", "2026-11-08", "2026-11-14"),
            ("this_week_sun_today", "2026-11-15", "2026-11-18"),
            ("last_month", "2026-10-01", "2026-10-31"),
            ("last_quarter", "2026-07-01", "2026-09-30"),
            ("last_year", "2025-01-01", "2025-12-31"),
        ] {
            assert_eq!(preset(name, wednesday), Some((day(since), day(until))), "{name}");
        }
        assert_eq!(preset("lifetime", wednesday), None);
    }

    #[test]
    fn numbers_are_rounded_to_their_decimals() {
        let texts = [(0.0, 0), (2754.6, 0), (38.867, 2), (0.000_049, 6), (1.05, 6)].map(|(v, d)| decimal(v, d));
        assert_eq!(texts, ["0", "2755", "38.87", "0.000049", "1.050000"]);
    }

    #[test]
    fn every_metric_of_the_table_has_a_figure() {
        let totals = Totals { delivered: 1000.0, clicks: 100.0, spend: 12.5, read: 700.0, lost: 0.0 };
        let without: Vec<_> = METRICS.iter().filter(|metric| totals.field(metric).is_none()).map(|m| m.field).collect();
        assert!(without.is_empty(), "{without:?} need a line in Totals::field");
        let empty = Totals::default();
        let present: Vec<_> = METRICS.iter().filter(|metric| empty.field(metric).is_some()).map(|m| m.field).collect();
        assert!(present.contains(&"delivered") && !present.contains(&"cost_per_link_btn_click"), "{present:?}");
    }
}
