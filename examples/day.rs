//! Plays a day of polling and prints how it went: `make day`, or with a fleet of your own
//! `make day FLEET="--accounts 50 --campaigns 2000 --windows 2 --interval 5m"`.
#![allow(clippy::print_stdout, reason = "a table on standard output is what it is for")]
#![allow(clippy::unwrap_used, reason = "the model's own constants")]

#[path = "../tests/it/day.rs"]
mod day;

use clap::Parser;
use day::{Plan, percentile, play};

/// A fleet; without any flag, the fleets that the exporter is held to.
#[derive(Parser)]
struct Fleet {
    /// Ad accounts
    #[arg(long, default_value_t = 200)]
    accounts: u32,
    /// Campaigns of each
    #[arg(long, default_value_t = 500)]
    campaigns: u32,
    /// Windows of each
    #[arg(long, default_value_t = 3)]
    windows: usize,
    /// Time between two polls
    #[arg(long, default_value = "15m", value_parser = humantime::parse_duration)]
    interval: std::time::Duration,
    /// Share of the allowance
    #[arg(long, default_value_t = 0.75)]
    budget: f64,
    /// The app has the higher tier
    #[arg(long)]
    full: bool,
    /// Active ads of each account
    #[arg(long, default_value_t = 0)]
    active_ads: u32,
    /// Calls an hour of another client, on each account
    #[arg(long, default_value_t = 0.0)]
    others: f64,
}

impl Fleet {
    fn plan(&self) -> Plan {
        Plan {
            accounts: self.accounts,
            campaigns: self.campaigns,
            windows: self.windows,
            interval: self.interval.as_secs().max(1),
            budget: self.budget,
            full: self.full,
            active_ads: self.active_ads,
            others: self.others,
            seconds: 86_400,
        }
    }
}

fn main() {
    let fits = Fleet::parse().plan();
    let mut plans =
        vec![(format!("{} x {} x {}, {} s", fits.accounts, fits.campaigns, fits.windows, fits.interval), fits.clone())];
    if std::env::args_os().len() == 1 {
        plans = vec![
            ("200 x 500 x 3 windows, 15 min".to_owned(), fits.clone()),
            ("the same, 500 active ads".to_owned(), Plan { active_ads: 500, ..fits.clone() }),
            ("200 x 500 x 3 windows, 10 s".to_owned(), Plan { interval: 10, ..fits.clone() }),
            ("the same, 500 active ads".to_owned(), Plan { interval: 10, active_ads: 500, ..fits.clone() }),
            (
                "20 x 10,000 x 3 windows, 2 min".to_owned(),
                Plan { accounts: 20, campaigns: 10_000, interval: 120, ..fits.clone() },
            ),
            ("15 min, others take half".to_owned(), Plan { others: 300.0, ..fits.clone() }),
            ("10 s, others take half".to_owned(), Plan { others: 300.0, interval: 10, ..fits }),
        ];
    }
    println!(
        "{:<32} {:>9} {:>9} {:>7} {:>8} {:>7} {:>6} {:>8} {:>8} {:>8} {:>7}",
        "fleet", "req/h", "rows/i", "usage", "refused", "after1h", "used", "median", "p99", "worst", "spread"
    );
    for (name, plan) in plans {
        let day = play(&plan);
        let hours = plan.seconds as f64 / 3600.0;
        // A day of quarters of an hour has 97 ends.
        let polls = f64::from(plan.accounts) * plan.windows as f64 * (plan.seconds as f64 / plan.interval as f64 + 1.0);
        println!(
            "{name:<32} {:>9.0} {:>9.2} {:>6.0}% {:>8} {:>7} {:>5.0}% {:>7.1}m {:>7.1}m {:>7.1}m {:>6.2}x",
            day.requests as f64 / hours,
            day.insights as f64 / polls,
            100.0 * day.usage,
            day.refusals.0,
            day.refusals.1,
            100.0 * day.used,
            percentile(&day.ages, 0.5) / 60.0,
            percentile(&day.ages, 0.99) / 60.0,
            percentile(&day.ages, 1.0) / 60.0,
            day.medians[day.medians.len() - 1] / day.medians[0],
        );
    }
    println!(
        "\nrows/i: requests for rows and totals by account, window and interval. usage: highest of any limit.\n\
         used: of the share that the budget leaves, after the second hour. spread: the accounts' median ages, highest by lowest.\n\
         The lower tier where --full is not given, a budget of 0.75 where --budget is not."
    );
}
