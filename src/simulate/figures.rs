//! What a campaign did in a window: a function of seed, campaign and time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Map, Value, json};

use super::Moment;
use super::spec::{Account, Campaign, Spec, Story};
use crate::domain::metric::{ACTION_PREFIX, METRICS, Metric, Shape, Unit};

/// The day from which days are counted.
const EPOCH: Date = jiff::civil::date(2020, 1, 1);

/// First and last day, both inclusive.
pub(super) type Days = (Date, Date);

/// A mixed number of 0..1 from two seeds.
fn chance(seed: u64, salt: u64) -> f64 {
    let mut mixed = seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The account's today.
pub(super) fn today(account: &Account, wall: Timestamp) -> Date {
    let zone = TimeZone::get(&account.timezone).unwrap_or(TimeZone::UTC);
    wall.to_zoned(zone).date()
}

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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    delivered: f64,
    clicks: f64,
    spend: f64,
    read: f64,
    /// Messages that were sent and never arrived: in a restless world alone.
    lost: f64,
}

impl Totals {
    /// What a campaign did between two days. Past days come from a closed formula, so that a window
    /// of three years costs as much as one of a day.
    pub(super) fn of(spec: &Spec, campaign: &Campaign, days: Days, today: Date, moment: Moment) -> Self {
        if campaign.story == Story::Silent {
            return Self::default();
        }
        let number = |day: Date| day.duration_since(EPOCH).as_hours() / 24;
        let born = number(today) - campaign.age_days;
        let noise = |day: i64| 0.4 * campaign.daily * chance(spec.seed ^ campaign.id, day.unsigned_abs());
        let until = |day: i64| if day <= born { 0.0 } else { campaign.daily * (day - born) as f64 + noise(day) };
        let past = until((number(days.1) + 1).min(number(today))) - until(number(days.0));
        let mut totals = Self::default();
        totals.add(spec, campaign, past.max(0.0).floor(), 1.0);
        if days.0 <= today && today <= days.1 && born <= number(today) {
            let seconds = if campaign.story == Story::Stopped { moment.elapsed.min(60.0) } else { moment.elapsed };
            let weight = campaign.daily / 500.0;
            let live = campaign.daily * 0.3 + seconds.max(0.0) * spec.pace * weight;
            totals.add(spec, campaign, live.floor(), campaign.dearness(moment.elapsed));
        }
        if spec.restless && totals.is_delivered() {
            totals.stir(moment.elapsed.max(0.0).floor());
        }
        totals
    }

    /// Moves every figure, those that are quotients too.
    fn stir(&mut self, seconds: f64) {
        self.delivered += 2.0 * seconds;
        self.clicks += seconds;
        self.read += seconds;
        self.spend += 0.5 * seconds;
        self.lost += seconds;
    }

    fn add(&mut self, spec: &Spec, campaign: &Campaign, delivered: f64, dearness: f64) {
        let own = spec.seed ^ campaign.id;
        self.delivered += delivered;
        self.clicks += (delivered * (0.05 + 0.1 * chance(own, 1)) / dearness).floor();
        self.spend += delivered * (0.01 + 0.01 * chance(own, 2));
        self.read += (delivered * (0.6 + 0.3 * chance(own, 3))).floor();
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
            _ => 0.0,
        };
        let decimals = match (metric.unit, metric.field) {
            // Meta's own sample has a bare zero for the delivery rate beside thousands of deliveries.
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

impl Campaign {
    /// How many times dearer than usual today's clicks are.
    pub(super) fn dearness(&self, elapsed: f64) -> f64 {
        if self.story != Story::Climbing {
            return 1.0;
        }
        // Ten minutes up to three times, two minutes as usual.
        let phase = elapsed.rem_euclid(720.0);
        if phase < 600.0 { 1.0 + 2.0 * phase / 600.0 } else { 1.0 }
    }

    /// Its name at an instant.
    pub(super) fn name_at(&self, elapsed: f64) -> String {
        let renamed = self.story == Story::Renamed && elapsed.rem_euclid(240.0) >= 120.0;
        if renamed { format!("{} (renamed)", self.name) } else { self.name.clone() }
    }
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
    fn every_figure_of_a_restless_world_moves_with_each_second() {
        let mut spec = Spec::fleet(1, 1);
        spec.restless = true;
        let moment = |elapsed| Moment { wall: "2026-11-18T12:00:00Z".parse().unwrap(), elapsed };
        let today = "2026-11-18".parse().unwrap();
        let of = |elapsed| {
            let days = preset("last_28d", today).unwrap();
            let totals = Totals::of(&spec, &spec.accounts[0].campaigns[0], days, today, moment(elapsed));
            totals.fields(|metric| metric.extra.is_none().then(|| metric.snake()))
        };
        for second in 1..60 {
            let (former, later) = (of(f64::from(second)), of(f64::from(second + 1)));
            let still: Vec<_> = former.iter().filter(|(name, value)| later.get(*name) == Some(value)).collect();
            assert!(former.len() == 8 && still.is_empty(), "{still:?} after {second} s");
        }
    }

    #[test]
    fn an_accounts_day_is_its_own() {
        let mut account = Spec::fleet(1, 0).accounts.remove(0);
        let late = "2026-11-18T23:30:00Z".parse().unwrap();
        let days = ["America/Sao_Paulo", "Europe/Berlin", "Asia/Kolkata"].map(|zone| {
            account.timezone = zone.to_owned();
            today(&account, late).day()
        });
        assert_eq!(days, [18, 19, 19]);
    }

    #[test]
    fn figures_are_consistent_and_a_longer_window_holds_more() {
        let spec = Spec::fleet(1, 1);
        let campaign = &spec.accounts[0].campaigns[0];
        let moment = Moment { wall: "2026-11-18T12:00:00Z".parse().unwrap(), elapsed: 10.0 };
        let today = "2026-11-18".parse().unwrap();
        let of = |name| Totals::of(&spec, campaign, preset(name, today).unwrap(), today, moment);
        let (week, month) = (of("last_7d"), of("last_28d"));
        assert!(week.delivered > 0.0 && week.delivered < month.delivered && week.clicks < week.read);
        let text = |field: &str| {
            let metric = METRICS.iter().find(|metric| metric.field == field).unwrap();
            week.field(metric).unwrap().as_str().unwrap().parse::<f64>().unwrap()
        };
        let (cost, clicks, spend) = (text("cost_per_link_btn_click"), text("link_btn_click"), text("spend"));
        assert!((cost * clicks - spend).abs() < 0.02, "{cost} x {clicks} is not {spend}");
        assert!((text("link_btn_click_rate") / 100.0 * text("delivered") - clicks).abs() < 0.01);
    }
}
