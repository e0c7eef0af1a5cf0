//! Plays a day of polling and prints how it went: `make day`.
#![allow(clippy::print_stdout, reason = "a table on standard output is what it is for")]
#![allow(clippy::unwrap_used, reason = "the model's own constants")]

#[path = "../tests/it/day.rs"]
mod day;

use day::{Plan, percentile, play};

fn main() {
    let fits = Plan {
        accounts: 200,
        campaigns: 500,
        windows: 3,
        interval: 900,
        budget: 0.75,
        active_ads: 0,
        others: 0.0,
        seconds: 86_400,
    };
    let plans = [
        ("200 x 500 x 3 windows, 15 min", fits.clone()),
        ("the same, 500 active ads", Plan { active_ads: 500, ..fits.clone() }),
        ("200 x 500 x 3 windows, 10 s", Plan { interval: 10, ..fits.clone() }),
        ("the same, 500 active ads", Plan { interval: 10, active_ads: 500, ..fits.clone() }),
        ("20 x 10,000 x 3 windows, 2 min", Plan { accounts: 20, campaigns: 10_000, interval: 120, ..fits.clone() }),
        ("15 min, others take half", Plan { others: 300.0, ..fits.clone() }),
        ("10 s, others take half", Plan { others: 300.0, interval: 10, ..fits }),
    ];
    println!(
        "{:<32} {:>9} {:>9} {:>7} {:>8} {:>7} {:>6} {:>8} {:>8} {:>8} {:>7}",
        "lower tier, budget 0.75",
        "req/h",
        "rows/i",
        "usage",
        "refused",
        "after1h",
        "used",
        "median",
        "p99",
        "worst",
        "spread"
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
         used: of the share that the budget leaves, after the second hour. spread: the accounts' median ages, highest by lowest."
    );
}
