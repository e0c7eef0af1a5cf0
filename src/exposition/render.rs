//! A target's rows, and an account's info series, as text by family.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::family::{self, FAMILIES, Other};
use super::line;
use crate::domain::metric::{ACTIONS, METRICS, Unit};
use crate::domain::snapshot::{Group, GroupKey, Row};
use crate::domain::target::{CampaignId, Currency, Labels, TargetKey, account_label};

/// The samples of one target, family by family.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    text: String,
    /// Family and end of its samples in `text`, ascending.
    ends: Vec<(usize, usize)>,
}

impl Rendered {
    /// The samples of a family.
    pub(super) fn family(&self, family: usize) -> Option<&str> {
        let at = self.ends.binary_search_by_key(&family, |(family, _)| *family).ok()?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
        self.text.get(start..self.ends[at].1)
    }

    /// Ends a family: what was written since the last one is its samples.
    fn end(&mut self, family: usize) {
        if self.text.len() > self.ends.last().map_or(0, |(_, end)| *end) {
            self.ends.push((family, self.text.len()));
        }
    }
}

/// Renders the rows of one target.
pub(super) fn rows(
    (source, account): &GroupKey,
    target: &TargetKey,
    rows: &[Row],
    labels: &Labels,
    currency: Option<Currency>,
    zone: &TimeZone,
) -> Rendered {
    let account = account_label(*account);
    // Escaped and joined once for all families of a row.
    let heads: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut head = String::new();
            line::label("source", source.label(), &mut head);
            line::label("account_id", &account, &mut head);
            if let Some(campaign) = row.campaign {
                line::plain_label("campaign_id", campaign, &mut head);
            }
            line::label("window", target.window.label(), &mut head);
            head
        })
        .collect();
    let mut tail = String::new();
    add_static(labels, &mut tail);

    let mut rendered = Rendered::default();
    let mut line_labels = String::new();
    for of_campaigns in [true, false] {
        for (index, metric) in METRICS.iter().enumerate() {
            let at = if of_campaigns { family::campaign(index) } else { family::account(index) };
            for (row, head) in rows.iter().zip(&heads).filter(|(row, _)| row.campaign.is_some() == of_campaigns) {
                for figure in row.figures.iter().filter(|figure| usize::from(figure.metric) == index) {
                    line_labels.clone_from(head);
                    if metric.unit == Unit::Money {
                        let currency = row.currency.or(currency);
                        line::label("currency", currency.as_ref().map_or("", Currency::as_str), &mut line_labels);
                    }
                    if let Some(action) = figure.action {
                        line::label("action", ACTIONS[usize::from(action)], &mut line_labels);
                    }
                    line_labels.push_str(&tail);
                    line::sample(&FAMILIES[at].name, &line_labels, figure.value, &mut rendered.text);
                }
            }
            rendered.end(at);
        }
    }
    for end in [Other::WindowStart, Other::WindowEnd] {
        let at = family::other(end);
        for (row, head) in rows.iter().zip(&heads).filter(|(row, _)| row.campaign.is_some()) {
            if let Some(instant) = row.days.and_then(|days| instant(days, end, zone)) {
                line_labels.clone_from(head);
                line_labels.push_str(&tail);
                line::sample(&FAMILIES[at].name, &line_labels, instant as f64, &mut rendered.text);
            }
        }
        rendered.end(at);
    }
    rendered
}

/// Unix time of a window's begin or end. The last day counts to its end, 24:00.
fn instant((start, stop): (Date, Date), end: Other, zone: &TimeZone) -> Option<i64> {
    let day = if matches!(end, Other::WindowEnd) { stop.tomorrow().ok()? } else { start };
    Some(day.to_zoned(zone.clone()).ok()?.timestamp().as_second())
}

/// Renders what is known of an account and its campaigns. A campaign is shown when discovery knows
/// it as one of marketing messages, or when it has rows.
pub(super) fn info((source, account): &GroupKey, group: &Group) -> Rendered {
    let account_id = account_label(*account);
    let mut campaigns: BTreeMap<CampaignId, (&str, &str, &Labels)> = BTreeMap::new();
    for published in group.targets.values() {
        for campaign in published.rows.iter().filter_map(|row| row.campaign) {
            campaigns.entry(campaign).or_insert(("", "", &published.labels));
        }
    }
    for (facts, labels) in group.listings.values() {
        for (campaign, facts) in
            facts.iter().filter(|(id, facts)| facts.marketing || campaigns.contains_key(id)).collect::<Vec<_>>()
        {
            campaigns.insert(*campaign, (&facts.name, &facts.status, labels));
        }
    }
    let mut rendered = Rendered::default();
    let at = family::other(Other::CampaignInfo);
    let mut labels = String::new();
    for (campaign, (name, status, extra)) in campaigns {
        labels.clear();
        line::label("source", source.label(), &mut labels);
        line::label("account_id", &account_id, &mut labels);
        line::plain_label("campaign_id", campaign, &mut labels);
        line::label("campaign_name", name, &mut labels);
        line::label("status", status, &mut labels);
        add_static(extra, &mut labels);
        line::sample(&FAMILIES[at].name, &labels, 1.0, &mut rendered.text);
    }
    rendered.end(at);
    if let Some((facts, extra)) = &group.facts {
        let at = family::other(Other::AccountInfo);
        labels.clear();
        line::label("source", source.label(), &mut labels);
        line::label("account_id", &account_id, &mut labels);
        line::label("account_name", &facts.name, &mut labels);
        line::label("currency", facts.currency.as_ref().map_or("", Currency::as_str), &mut labels);
        line::label("timezone", &facts.timezone, &mut labels);
        line::label("status", &facts.status, &mut labels);
        add_static(extra, &mut labels);
        line::sample(&FAMILIES[at].name, &labels, 1.0, &mut rendered.text);
        rendered.end(at);
    }
    rendered
}

/// Static labels come last; a leading comma joins them to what stands before.
fn add_static(labels: &Labels, out: &mut String) {
    for (name, value) in labels.iter() {
        out.push(',');
        out.push_str(name);
        out.push_str("=\"");
        line::escape(value, out);
        out.push('"');
    }
}
