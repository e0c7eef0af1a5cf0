//! Campaigns of the model as an exporter shows them.

use crate::model::{Course, Figures, TrailingDays};
use crate::promql::column::{ABSENT, Column};
use crate::promql::series::{Labels, NAME, Series};
use crate::promql::{Grid, Store};

/// Steps of a day: the model's.
pub const DAY: usize = 96;

/// Unix time of the first midnight: a Wednesday, as the model's weeks begin.
const START: i64 = 1_767_744_000;

/// The windows of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// today, last_7d, last_30d: the default.
    Default,
    /// today, last_3d, last_28d.
    Short,
    /// Lifetime, as CAMS may mean it.
    Lifetime,
    /// The last thirty days with today, as CAMS may mean it too.
    Sliding,
}

impl Windows {
    fn source(self) -> &'static str {
        if matches!(self, Self::Default | Self::Short) { "meta" } else { "cams" }
    }

    fn list(self) -> [Option<(&'static str, TrailingDays, Option<u32>)>; 3] {
        let last = |name, days| Some((name, TrailingDays::last(days), Some(days)));
        let today = Some(("today", TrailingDays::TODAY, Some(0)));
        match self {
            Self::Default => [today, last("last_7d", 7), last("last_30d", 30)],
            Self::Short => [today, last("last_3d", 3), last("last_28d", 28)],
            Self::Lifetime => [Some(("unspecified", TrailingDays::LIFETIME, None)), None, None],
            Self::Sliding => [Some(("unspecified", TrailingDays::sliding(30), Some(29))), None, None],
        }
    }
}

/// The grid of so many days.
pub fn grid(days: usize) -> Grid {
    Grid { start: START, step: 900, steps: days * DAY }
}

/// Everything that is scraped of one campaign, in an account of its own, over some days.
pub fn scraped(course: &Course, number: u64, days: usize, windows: Windows) -> Store {
    let steps = days * DAY;
    let source = windows.source();
    let list = windows.list();
    let account = format!("{}", 1000 + number);
    let campaign = format!("{}", 120_000 + number);
    let mut store = Store::new();
    let mut put = |name: &str, labels: &[(&str, &str)], column: Column| {
        let mut labels = Labels::of(labels.iter().copied().chain([("job", "exporter"), ("instance", "one")]));
        labels.set("source", source);
        labels.set("account_id", &account);
        labels.set(NAME, name);
        store.entry(name.to_owned()).or_default().push(Series { labels, column });
    };
    let replayed = [list[0], list[1], list[2]].map(|entry| entry.map_or(TrailingDays::TODAY, |(_, window, _)| window));
    let mut rows: [Vec<Figures>; 3] = Default::default();
    for (_, figures) in course.replay(0..days as i64, replayed) {
        for (row, figures) in rows.iter_mut().zip(figures) {
            row.push(figures);
        }
    }
    for ((window, _, oldest), rows) in list.iter().flatten().zip(&rows) {
        let column = |value: &dyn Fn(&Figures) -> f64| {
            // The first step is the midnight before the first day: nothing is known.
            let shown = |row: &Figures| if row.delivered >= 1.0 { value(row) } else { ABSENT };
            Column::Each(std::iter::once(ABSENT).chain(rows.iter().map(shown)).take(steps).collect())
        };
        let spend = |row: &Figures| (row.spend * 100.0).round() / 100.0;
        let delivered = |row: &Figures| row.delivered.floor();
        let per = |a: f64, b: f64| if b > 0.0 { (a / b * 1e6).round() / 1e6 } else { ABSENT };
        let plain = [("campaign_id", campaign.as_str()), ("window", window)];
        let money = [("campaign_id", campaign.as_str()), ("window", window), ("currency", "EUR")];
        put("marketing_messages_delivered", &plain, column(&delivered));
        put("marketing_messages_link_clicks", &plain, column(&|row| row.clicks));
        put("marketing_messages_link_click_ratio", &plain, column(&|row| per(row.clicks, row.delivered)));
        put("marketing_messages_read_ratio", &plain, column(&|row| per(row.read, row.delivered)));
        put("marketing_messages_spend", &money, column(&spend));
        put("marketing_messages_cost_per_link_click", &money, column(&|row| per(spend(row), row.clicks)));
        if source == "meta" {
            put("marketing_messages_account_delivered", &plain[1..], column(&delivered));
            put("marketing_messages_account_link_clicks", &plain[1..], column(&|row| row.clicks));
            put("marketing_messages_account_spend", &money[1..], column(&spend));
        }
        let midnight = |step: usize, back: u32| {
            // At midnight the figures are still those of the day that ends.
            let day = (step.saturating_sub(1) / DAY) as i64 - i64::from(back);
            (START + day * 86_400) as f64
        };
        let of_campaign = [("campaign_id", campaign.as_str()), ("window", window)];
        let labels = if source == "cams" { &of_campaign[..] } else { &of_campaign[1..] };
        let newest = u32::from(window.starts_with("last"));
        let starts = (0..steps).map(|step| oldest.map_or(START as f64, |oldest| midnight(step, oldest))).collect();
        put("marketing_messages_window_start_timestamp_seconds", labels, Column::Each(starts));
        let ends = (0..steps).map(|step| midnight(step, newest) + 86_400.0).collect();
        put("marketing_messages_window_end_timestamp_seconds", labels, Column::Each(ends));
        let target = [("credential", "main"), ("target", "account"), ("window", window)];
        let now = (0..steps).map(|step| (START + step as i64 * 900) as f64).collect();
        put("marketing_messages_exporter_target_last_success_timestamp_seconds", &target, Column::Each(now));
        put("marketing_messages_exporter_target_poll_interval_seconds", &target, Column::Same(900.0));
    }
    let name = [("campaign_id", campaign.as_str()), ("campaign_name", "Spring"), ("status", "ACTIVE")];
    put("marketing_messages_campaign_info", &name, Column::Same(1.0));
    let name = [("account_name", "Shop"), ("currency", "EUR"), ("timezone", "UTC"), ("status", "ACTIVE")];
    put("marketing_messages_account_info", &name, Column::Same(1.0));
    store
}
