//! `simulate`: only the simulated APIs.

use std::fmt::Write as _;

use super::{Done, block_on, print};
use crate::cli::Simulate;
use crate::simulate::model::{DayShape, Lag, Profile, Revision};
use crate::simulate::{Simulation, Spec, Token};

/// Accounts that the printed configuration lists; nobody pastes a thousand.
const LISTED_ACCOUNTS: usize = 20;

/// Serves a world until SIGINT or SIGTERM.
pub fn simulate(arguments: &Simulate) -> anyhow::Result<Done> {
    anyhow::ensure!(
        arguments.listen_address.ip().is_loopback(),
        "--listen-address must be on loopback: whoever can reach the simulated APIs controls them"
    );
    let mut spec = match (arguments.accounts, arguments.campaigns) {
        (Some(accounts), Some(campaigns)) => Spec::fleet(accounts, campaigns),
        _ => Spec::demo(),
    };
    spec.seed = arguments.seed;
    spec.restless = arguments.restless;
    spec.demo &= arguments.stories;
    spec.cams_lifetime = arguments.cams_lifetime;
    if arguments.noise {
        spec.noise = Some(noise(arguments));
        spec.pace = 0.0;
    }
    block_on(async {
        let simulation = Simulation::bind(spec.clone(), arguments.listen_address).await?;
        print(&configuration(&spec, &format!("http://{}", simulation.addr())))?;
        let stop = super::run::stop_signal()?;
        simulation.run(stop).await?;
        Ok(Done::Well)
    })
}

/// Campaigns as they are in real accounts.
fn noise(arguments: &Simulate) -> Profile {
    Profile {
        shape: arguments.send_hour.map_or(DayShape::DayCurve, DayShape::blast),
        weekdays: Profile::WEEK,
        lag: Lag::minutes(arguments.click_lag.as_secs_f64() / 60.0),
        cost_spread: arguments.cost_spread,
        volume_spread: 0.1,
        revision: Revision { share: arguments.revised_share, within_days: 28 },
        ..Profile::default()
    }
}

/// A configuration that polls everything in the world. Whatever else there is to say stands in comments, so that the
/// output can be named as a configuration file.
fn configuration(spec: &Spec, url: &str) -> String {
    let mut text = format!(
        "# simulated Meta and CAMS APIs: {url}\n\
         # statistics, and a way to cause faults (`simulate --help`): {url}/_control/statistics\n\
         # A configuration to try them with:\n\
         poll:\n  interval: 10s\nmeta:\n"
    );
    for token in &spec.tokens {
        credential(&mut text, spec, token, url);
    }
    if let Some(key) = spec.keys.first().filter(|_| !spec.channels.is_empty()) {
        let _ = write!(
            text,
            "cams:\n  sg:\n    access_key_id: {}\n    access_key_secret: {}\n    endpoint: {url}\n    channels:\n",
            key.id, key.secret
        );
        for key in &spec.keys {
            if let Some(token) = &key.security_token {
                let _ = writeln!(
                    text,
                    "      # or with a temporary key: access_key_id {}, access_key_secret {}, security_token {token}",
                    key.id, key.secret
                );
            }
        }
        for channel in &spec.channels {
            let _ = writeln!(
                text,
                "      - cust_space_id: {}\n        page_id: \"{}\"\n        ad_account_id: \"{}\"  # {}",
                channel.space, channel.page, channel.account.id, channel.account.name
            );
        }
    }
    text
}

fn credential(text: &mut String, spec: &Spec, token: &Token, url: &str) {
    let _ = write!(text, "  {}:\n    token: {}\n", token.name, token.text);
    if let Some((id, secret)) = &spec.app {
        let _ = write!(text, "    app_id: \"{id}\"\n    app_secret: {secret}\n");
    }
    let _ = write!(text, "    base_url: {url}\n    accounts:\n");
    let accounts: Vec<_> = spec.accounts.iter().filter(|account| token.accounts.contains(&account.id)).collect();
    for account in accounts.iter().take(LISTED_ACCOUNTS) {
        let _ = writeln!(text, "      - id: \"{}\"  # {}", account.id, account.name);
    }
    if let Some(more) = accounts.len().checked_sub(LISTED_ACCOUNTS).filter(|more| *more > 0) {
        let _ = writeln!(text, "      # and {more} more; `discover` lists them");
    }
}
