//! The exposition in the plainest way: no cache, no order of its own, no shared text.

use std::collections::BTreeMap;

use jiff::civil::Date;
use marketing_messages_exporter::domain::change::GroupKey;
use marketing_messages_exporter::domain::metric::{METRICS, PREFIX, Unit};
use marketing_messages_exporter::domain::snapshot::{Group, Snapshot};
use marketing_messages_exporter::domain::target::{CampaignId, Currency, Labels, account_label};
use marketing_messages_exporter::domain::time::UnixSeconds;
use marketing_messages_exporter::exposition::{FAMILIES, Format, header};

/// What the exporter says of itself behind everything else.
pub(crate) const OWN: &str = "# HELP own One.\n# TYPE own gauge\nown 1\n# EOF\n";

/// A line in the plainest way: no cache, no order of its own, no shared text.
fn line(family: &str, labels: &[(&str, &str)], value: f64) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    format!("{family}{{{}}} {value}\n", labels.join(","))
}

/// Every line of an account, by family.
fn naive_group(key: &GroupKey, group: &Group, lines: &mut BTreeMap<String, Vec<String>>) {
    let account = account_label(key.1);
    let base = [("source", key.0.label()), ("account_id", account.as_str())];
    let facts = group.account().map(|known| &known.what);
    let mut campaigns: BTreeMap<CampaignId, (String, String, Labels)> = BTreeMap::new();
    let zone = facts.map_or("UTC", |facts| &facts.timezone);
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let bounds = |labels: &[(&str, &str)], (start, stop): (Date, Date), lines: &mut BTreeMap<String, Vec<String>>| {
        for (end, day) in [("start", start), ("end", stop.tomorrow().unwrap())] {
            let name = format!("{PREFIX}window_{end}_timestamp_seconds");
            let instant = day.to_zoned(zone.clone()).unwrap().timestamp().as_second();
            lines.entry(name.clone()).or_default().push(line(&name, labels, instant as f64));
        }
    };
    let mut shared: BTreeMap<(&str, &Labels), (Date, Date)> = BTreeMap::new();
    for (target, published) in &group.targets {
        let statics: Vec<_> =
            published.terms.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for row in published.rows.rows() {
            let campaign = row.campaign.map(|campaign| campaign.to_string());
            let mut labels = base.to_vec();
            labels.extend(campaign.as_deref().map(|campaign| ("campaign_id", campaign)));
            labels.push(("window", target.window.label()));
            for figure in &row.figures {
                let metric = &METRICS[usize::from(figure.column.metric)];
                let name = if campaign.is_some() { metric.family() } else { metric.account_family() };
                let currency = row.currency.or(facts.and_then(|facts| facts.currency));
                let mut labels = labels.clone();
                if metric.unit == Unit::Money {
                    labels.push(("currency", currency.as_ref().map_or("", Currency::as_str)));
                }
                labels.extend(&statics);
                lines.entry(name.clone()).or_default().push(line(&name, &labels, figure.value));
            }
            let window = target.window.label();
            let own = key.1.is_none() || ["maximum", "data_maximum", "unspecified"].contains(&window);
            match row.days {
                Some(days) if own && row.campaign.is_some() => bounds(&[&labels[..], &statics].concat(), days, lines),
                Some((start, stop)) if !own => {
                    let known = shared.entry((window, &published.terms.labels)).or_insert((start, stop));
                    if stop > known.1 || (stop == known.1 && start < known.0) {
                        *known = (start, stop);
                    }
                }
                _ => {}
            }
            if let Some(id) = row.campaign {
                campaigns.entry(id).or_insert((String::new(), String::new(), published.terms.labels.clone()));
            }
        }
    }
    for ((window, statics), days) in shared {
        let mut labels = base.to_vec();
        labels.extend([("campaign_id", ""), ("window", window)]);
        labels.extend(statics.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        bounds(&labels, days, lines);
    }
    for known in group.listings.values() {
        let labels = &known.terms.labels;
        for listed in known.what.iter() {
            if listed.marketing || campaigns.contains_key(&listed.campaign) {
                let entry = (listed.name.to_owned(), listed.status.to_owned(), labels.clone());
                campaigns.insert(listed.campaign, entry);
            }
        }
    }
    let name = format!("{PREFIX}campaign_info");
    for (campaign, (title, status, statics)) in campaigns {
        let campaign = campaign.to_string();
        let mut labels = base.to_vec();
        labels.extend([("campaign_id", &*campaign), ("campaign_name", &*title), ("status", &*status)]);
        labels.extend(statics.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        lines.entry(name.clone()).or_default().push(line(&name, &labels, 1.0));
    }
    if let Some(known) = group.account() {
        let (facts, statics) = (&known.what, &known.terms.labels);
        let name = format!("{PREFIX}account_info");
        let currency = facts.currency.as_ref().map_or("", Currency::as_str);
        let mut labels = base.to_vec();
        labels.extend([("account_name", &*facts.name), ("currency", currency)]);
        labels.extend([("timezone", &*facts.timezone), ("status", &*facts.status)]);
        labels.extend(statics.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        lines.entry(name.clone()).or_default().push(line(&name, &labels, 1.0));
    }
}

fn naive_states(snapshot: &Snapshot, lines: &mut BTreeMap<String, Vec<String>>) {
    for (key, status) in snapshot.statuses() {
        let (account, target) = (account_label(key.account), key.label());
        let labels = [
            ("source", key.source.label()),
            ("credential", &*key.credential),
            ("account_id", &*account),
            ("target", &*target),
            ("window", key.window.label()),
        ];
        let values = [
            ("up", status.up.map(|up| if up { 1.0 } else { 0.0 })),
            ("last_success_timestamp_seconds", status.last_success.map(UnixSeconds::as_f64)),
            ("last_attempt_timestamp_seconds", status.last_attempt.map(UnixSeconds::as_f64)),
            ("next_poll_timestamp_seconds", status.next_poll.map(UnixSeconds::as_f64)),
            ("poll_interval_seconds", Some(status.interval.as_secs_f64())),
            ("consecutive_failures", status.failures.map(f64::from)),
            ("rows", status.rows.map(|rows| rows as f64)),
        ];
        for (name, value) in values {
            let name = format!("{PREFIX}exporter_target_{name}");
            lines.entry(name.clone()).or_default().extend(value.map(|value| line(&name, &labels, value)));
        }
    }
}

/// The whole body from the rows, each family's lines sorted.
pub(crate) fn naive(snapshot: &Snapshot, format: Format) -> String {
    let mut lines = BTreeMap::new();
    for (key, group) in snapshot.groups() {
        naive_group(key, group, &mut lines);
    }
    naive_states(snapshot, &mut lines);
    let mut body = String::new();
    for family in FAMILIES.iter() {
        let Some(mut lines) = lines.remove(&family.name).filter(|lines| !lines.is_empty()) else { continue };
        lines.sort();
        body.push_str(&header(family, format));
        body.extend(lines);
    }
    assert!(lines.values().all(Vec::is_empty), "a family is not in the table: {:?}", lines.keys());
    body + OWN
}
