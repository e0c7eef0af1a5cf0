//! The world that `demo` runs against, and what happens in it.

use super::WorldTime;
use super::allowance::Allowance;
use super::model::{DayShape, Lag, Profile, Revision};
use super::spec::{Account, Campaign, Channel, Key, Proof, Spec, Story, Token};

/// The account that is throttled now and then.
const THROTTLED: u64 = 2_398_765_433;

/// The token that expires and is issued again.
const EXPIRING: &str = "growth";

/// The higher tier, with less of it, so that usage is visible: the demo polls every few seconds.
const GENEROUS: Allowance = Allowance { hourly: 19_000.0, ..Allowance::FULL };

const NAMES: [&str; 12] = [
    "Spring sale 🌷",
    "Back in stock",
    "Newsletter \"Insider\"",
    "Flash Friday",
    "Members' preview",
    "Cart reminder",
    "Ramadan greetings 🌙",
    "VIP invitation",
    "Loyalty points",
    "Store opening São Paulo",
    "Diwali offers ✨",
    "Win-back 90 days",
];

/// Three ad accounts with some sixty campaigns, one CAMS channel with twelve.
pub(super) fn world() -> Spec {
    let account = |id: u64, name: &str, currency: &str, timezone: &str, campaigns: u64| Account {
        id,
        name: name.to_owned(),
        currency: currency.to_owned(),
        timezone: timezone.to_owned(),
        campaigns: (0..campaigns).map(|n| campaign(id, n)).collect(),
        ordinary_ads: 3,
        allowance: Some(GENEROUS),
    };
    let mut europe = account(2_398_765_432, "Acme Europe", "EUR", "Europe/Berlin", 24);
    for (n, story) in [Story::Climbing, Story::Stopped, Story::Renamed, Story::Silent].into_iter().enumerate() {
        if let Some(campaign) = europe.campaigns.get_mut(n) {
            campaign.story = story;
            campaign.daily = 900.0;
        }
    }
    let brazil = account(THROTTLED, "Acme Brasil", "USD", "America/Sao_Paulo", 20);
    let india = account(2_398_765_434, "Acme India", "INR", "Asia/Kolkata", 16);
    let channel = Channel {
        space: "cams-demo".into(),
        page: 323_456_789_012_345,
        account: account(2_399_887_766, "Acme Singapore", "SGD", "Asia/Singapore", 12),
    };
    let token = |name: &str, text: &str, accounts: &[&Account]| Token {
        name: name.to_owned(),
        text: text.to_owned(),
        accounts: accounts.iter().map(|account| account.id).collect(),
        expires: None,
        refused: None,
    };
    let tokens = vec![token("main", "demo-main", &[&europe, &brazil]), token(EXPIRING, "demo-growth", &[&india])];
    let key = |id: &str, secret: &str, security_token: Option<&str>| Key {
        id: id.to_owned(),
        secret: secret.to_owned(),
        security_token: security_token.map(str::to_owned),
        per_second: Some(20),
    };
    let keys =
        vec![key("demo-key", "demo-secret", None), key("STS.demo-key", "demo-sts-secret", Some("demo-sts-token"))];
    Spec {
        seed: 7,
        accounts: vec![europe, brazil, india],
        channels: vec![channel],
        tokens,
        keys,
        noise: Some(noise()),
        pace: 4.0,
        app: Some(("1234567890".into(), "demo-app-secret".into())),
        proof: Proof::Optional,
        demo: true,
        ..Spec::default()
    }
}

/// Past days differ as they do in real accounts, and are revised now and then.
fn noise() -> Profile {
    Profile {
        shape: DayShape::DayCurve,
        weekdays: Profile::WEEK,
        lag: Lag::minutes(30.0),
        cost_spread: 0.05,
        volume_spread: 0.1,
        revision: Revision { share: 0.01, within_days: 28 },
        ..Profile::default()
    }
}

fn campaign(account: u64, n: u64) -> Campaign {
    let name = NAMES[usize::try_from(n).unwrap_or_default() % NAMES.len()];
    let id = 120_201_000_000_000 + account % 1000 * 1_000_000 + n;
    Campaign { name: format!("{name} {}", n + 1), ..Campaign::steady(id) }
}

/// Brings the world to an instant: each six minutes the token dies, and a new one is issued.
pub(super) fn tell(spec: &mut Spec, moment: WorldTime) {
    let generation = (moment.elapsed.max(0.0) / 360.0).floor();
    if let Some(token) = spec.tokens.iter_mut().find(|token| token.name == EXPIRING) {
        token.text = if generation > 0.0 { format!("demo-growth-{generation:.0}") } else { "demo-growth".to_owned() };
    }
}

/// For 30 seconds of each four minutes; the seconds that are left of them.
pub(super) fn throttled(account: u64, moment: WorldTime) -> Option<f64> {
    let left = 240.0 - moment.elapsed.rem_euclid(240.0);
    (account == THROTTLED && left <= 30.0).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::super::figures::{Totals, preset};
    use super::super::ledger::{Ledger, Now};
    use super::*;

    /// Times the usual that a click costs today, where there are enough of them to tell.
    fn rise(ledger: &Ledger, spec: &Spec, campaign: &Campaign, now: Now) -> Option<f64> {
        let of = |name| ledger.totals(spec, campaign, preset(name, now.today).unwrap(), now);
        let cost = |totals: Totals| totals.spend / totals.clicks;
        let today = of("today");
        (today.clicks >= 100.0).then(|| cost(today) / cost(of("last_28d")))
    }

    #[test]
    fn the_stories_show_through_the_noise_on_any_day() {
        let spec = world();
        let ledger = Ledger::new(&spec);
        let mut judged = 0;
        for (day, account) in (0..50).flat_map(|day| spec.accounts.iter().map(move |account| (day, account))) {
            let noon: jiff::Timestamp = "2026-11-18T12:00:00Z".parse().unwrap();
            let wall = noon + jiff::SignedDuration::from_hours(24 * day);
            let rise = |campaign, elapsed| {
                let now = Now::of(account, WorldTime { wall, elapsed });
                rise(&ledger, &spec, campaign, now)
            };
            for campaign in &account.campaigns {
                if campaign.story == Story::Climbing {
                    // Clicks cost 1.7 times the usual by then.
                    assert!(rise(campaign, 212.0).is_some_and(|rise| (1.4..2.0).contains(&rise)), "day {day}");
                    continue;
                }
                for rise in [30.0, 60.0, 90.0].into_iter().filter_map(|elapsed| rise(campaign, elapsed)) {
                    assert!((0.75..1.3).contains(&rise), "{} on day {day}: {rise}", campaign.name);
                    judged += 1;
                }
            }
        }
        assert!(judged > 500, "{judged}");
    }
}
