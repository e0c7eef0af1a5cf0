//! What the home-made exporters have in common: which families they show, how they read the API, and
//! how they are scraped.

pub mod read;
pub mod serve;

/// A family of samples and the field that it is read from.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name in the exposition.
    pub name: &'static str,
    /// The API's field.
    pub field: &'static str,
    /// Percent on the wire, a ratio in the exposition.
    pub percent: bool,
    /// Has the label `currency`.
    pub money: bool,
    /// Its HELP.
    pub help: &'static str,
}

const fn family(name: &'static str, field: &'static str, percent: bool, money: bool, help: &'static str) -> Family {
    Family { name, field, percent, money, help }
}

/// The families that the exporter shows by default.
#[rustfmt::skip]
pub const FAMILIES: [Family; 8] = [
    family("marketing_messages_delivered", "marketing_messages_delivered", false, false, "Messages delivered."),
    family("marketing_messages_link_clicks", "marketing_messages_link_btn_click", false, false, "Clicks on links."),
    family("marketing_messages_link_click_ratio", "marketing_messages_link_btn_click_rate", true, false, "Clicks by messages delivered."),
    family("marketing_messages_read_ratio", "marketing_messages_read_rate", true, false, "Messages read by messages delivered."),
    family("marketing_messages_delivery_ratio", "marketing_messages_delivery_rate", true, false, "Messages delivered by messages sent."),
    family("marketing_messages_spend", "marketing_messages_spend", false, true, "Money spent."),
    family("marketing_messages_cost_per_delivered", "marketing_messages_cost_per_delivered", false, true, "Money by messages delivered."),
    family("marketing_messages_cost_per_link_click", "marketing_messages_cost_per_link_btn_click", false, true, "Money by clicks."),
];

/// Labels of every sample; money has `currency` as well. The last one is static.
pub const LABELS: [&str; 5] = ["source", "account_id", "campaign_id", "window", "team"];

/// Value of the static label.
pub const TEAM: &str = "growth";
