//! The world that `demo` runs against, and what happens in it.

use super::Moment;
use super::allowance::Allowance;
use super::spec::{Account, Campaign, Channel, Key, Proof, Spec, Story, Token};

/// The account that is throttled now and then.
const THROTTLED: u64 = 2_398_765_433;

/// The token that expires and is issued anew.
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
    let key = Key { id: "demo-key".into(), secret: "demo-secret".into(), security_token: None, per_second: Some(20) };
    Spec {
        seed: 7,
        accounts: vec![europe, brazil, india],
        channels: vec![channel],
        tokens,
        keys: vec![key],
        pace: 4.0,
        app: Some(("1234567890".into(), "demo-app-secret".into())),
        proof: Proof::Optional,
        demo: true,
        ..Spec::default()
    }
}

fn campaign(account: u64, n: u64) -> Campaign {
    let name = NAMES[usize::try_from(n).unwrap_or_default() % NAMES.len()];
    let id = 120_201_000_000_000 + account % 1000 * 1_000_000 + n;
    Campaign { name: format!("{name} {}", n + 1), ..Campaign::steady(id) }
}

/// Brings the world to an instant: each six minutes the token dies, and a new one is issued.
pub(super) fn tell(spec: &mut Spec, moment: Moment) {
    let generation = (moment.elapsed.max(0.0) / 360.0).floor();
    if let Some(token) = spec.tokens.iter_mut().find(|token| token.name == EXPIRING) {
        token.text = if generation > 0.0 { format!("demo-growth-{generation:.0}") } else { "demo-growth".to_owned() };
    }
}

/// For 30 seconds of each four minutes; the seconds that are left of them.
pub(super) fn throttled(account: u64, moment: Moment) -> Option<f64> {
    let left = 240.0 - moment.elapsed.rem_euclid(240.0);
    (account == THROTTLED && left <= 30.0).then_some(left)
}
