//! Reads the insights of some ad accounts by pages, as a short program of somebody's own would.

use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Map, Value};

use crate::FAMILIES;

/// What every home-made exporter is told. Their namesakes in Python and Go take the same flags.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// Where the API is, without a path
    #[arg(long)]
    pub api: String,
    /// Ad accounts from 1001 on
    #[arg(long)]
    pub accounts: u64,
    /// Date presets, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub windows: Vec<String>,
    /// Seconds from the start of one round to that of the next
    #[arg(long)]
    pub interval: f64,
}

/// What one campaign did in one window.
#[derive(Debug)]
pub struct Row<'a> {
    /// The account's digits.
    pub account: &'a str,
    /// The campaign's digits.
    pub campaign: &'a str,
    /// The date preset.
    pub window: &'a str,
    /// ISO 4217.
    pub currency: &'a str,
    fields: &'a Map<String, Value>,
}

impl Row<'_> {
    /// The value of the family with this index, where the row has one.
    #[must_use]
    pub fn value(&self, index: usize) -> Option<f64> {
        let family = FAMILIES.get(index)?;
        let text = self.fields.get(family.field)?.as_str()?;
        if family.percent { format!("{text}e-2").parse().ok() } else { text.parse().ok() }
    }
}

/// Reads all accounts round by round, and says on standard output when the first one is over.
pub fn poll(arguments: &Arguments, mut each: impl FnMut(&Row<'_>)) -> anyhow::Result<()> {
    let agent = ureq::Agent::new_with_defaults();
    let fields: Vec<_> = FAMILIES.iter().map(|family| family.field).collect();
    let fields = format!("account_id,account_currency,ad_id,{}", fields.join(","));
    let mut ready = false;
    loop {
        let started = Instant::now();
        for window in &arguments.windows {
            for account in 1001..1001 + arguments.accounts {
                read_account(&agent, arguments, account, window, &fields, &mut each)?;
            }
        }
        if !std::mem::replace(&mut ready, true) {
            println!("ready");
        }
        let interval = Duration::from_secs_f64(arguments.interval);
        std::thread::sleep(interval.saturating_sub(started.elapsed()));
    }
}

fn read_account(
    agent: &ureq::Agent,
    arguments: &Arguments,
    account: u64,
    window: &str,
    fields: &str,
    each: &mut impl FnMut(&Row<'_>),
) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let url = format!("{}/v26.0/act_{account}/insights", arguments.api);
        let request = agent.get(&url).header("authorization", "Bearer token-main");
        let request = request.query("level", "ad").query("fields", fields).query("date_preset", window);
        let request = request.query("limit", "500").query("after", &after);
        let body = request.call()?.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        let page: Value = serde_json::from_slice(&body)?;
        for row in page["data"].as_array().into_iter().flatten().filter_map(Value::as_object) {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
            let (account, campaign, currency) = (text("account_id"), text("ad_id"), text("account_currency"));
            each(&Row { account, campaign, window, currency, fields: row });
        }
        match (&page["paging"]["next"], page["paging"]["cursors"]["after"].as_str()) {
            (Value::String(_), Some(cursor)) => cursor.clone_into(&mut after),
            _ => return Ok(()),
        }
    }
}
