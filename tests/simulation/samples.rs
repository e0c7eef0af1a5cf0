//! What a scrape shows of campaigns, read from its text.

use std::collections::BTreeMap;

/// A campaign in a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) source: String,
    pub(crate) account: String,
    pub(crate) campaign: String,
    pub(crate) window: String,
}

/// What is shown of it: the figures by family, and the labels beside those of the place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) figures: BTreeMap<&'static str, f64>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The families that the model compares, with their names on both wires.
pub(crate) const FAMILIES: [(&str, &str, &str); 4] = [
    ("marketing_messages_delivered", "marketing_messages_delivered", "MarketingMessagesDelivered"),
    ("marketing_messages_link_clicks", "marketing_messages_link_btn_click", "MarketingMessagesLinkBtnClick"),
    ("marketing_messages_spend", "marketing_messages_spend", "MarketingMessagesSpend"),
    ("marketing_messages_sent", "marketing_messages_sent", ""),
];

/// Takes a scrape apart. A sample that is there twice is a problem.
pub(crate) fn read(text: &str) -> Result<BTreeMap<Place, Shown>, String> {
    let mut all: BTreeMap<Place, Shown> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let Some((family, ..)) = FAMILIES.iter().find(|(family, ..)| *family == name) else { continue };
        let (labels, value) = rest.rsplit_once("} ").ok_or(line)?;
        let mut labels = labels_of(labels).ok_or_else(|| format!("labels of {line}"))?;
        labels.remove("currency");
        let mut take = |name: &str| labels.remove(name).ok_or_else(|| format!("no {name} in {line}"));
        let place = Place {
            source: take("source")?,
            account: take("account_id")?,
            campaign: take("campaign_id")?,
            window: take("window")?,
        };
        let shown = all.entry(place).or_default();
        if !shown.figures.is_empty() && shown.labels != labels {
            return Err(format!("two sets of labels: {line}"));
        }
        shown.labels = labels;
        if shown.figures.insert(family, value.parse().map_err(|_| line)?).is_some() {
            return Err(format!("twice: {line}"));
        }
    }
    Ok(all)
}

fn labels_of(text: &str) -> Option<BTreeMap<String, String>> {
    let (mut labels, mut rest) = (BTreeMap::new(), text);
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.to_owned(), value);
        rest = after.get(end + 1..)?.trim_start_matches(',');
    }
    Some(labels)
}
