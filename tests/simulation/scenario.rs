//! Fleets, and what happens to them, from a seed.

use std::collections::BTreeSet;
use std::time::Duration;

use marketing_messages_exporter::simulate::{
    Account as WorldAccount, Allowance, Campaign, Channel as WorldChannel, FaultRule, Key, ScriptedFault, Spec, Token,
};

use crate::configuration::{
    Account, Cams, Channel, Configuration, Meta, Single, some_interval, some_labels, some_windows,
};
use crate::dice::Dice;

const ZONES: [&str; 5] = ["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "America/New_York", "UTC"];

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Another configuration is put in force; the text says what differs.
    Reload(Box<Configuration>, String),
    /// A configuration that is refused.
    BadReload,
    /// A token is replaced at the API and in its file, in this order or the other.
    Rotate { credential: String, file_first: bool, gap: Duration },
    /// The API refuses a token for so long.
    Refuse { credential: String, time: Duration },
    /// The daemon is started again: after an orderly end or not, with its state or without.
    Restart { kill: bool, state: StateFile },
    /// Its wall clock is off by so many seconds from now on.
    Skew(f64),
    /// The API disturbs some calls.
    Disturb(FaultRule),
    /// Nothing is disturbed any more.
    Calm,
    /// A campaign goes.
    Vanish(u64),
    /// A campaign comes.
    Come { account: u64, campaign: u64 },
    /// A campaign has another name.
    Rename(u64),
}

/// What a started daemon finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateFile {
    Last,
    Missing,
    Damaged,
}

impl Happening {
    /// For the table.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Reload(..) => "reload",
            Self::BadReload => "bad reload",
            Self::Rotate { .. } => "rotation",
            Self::Refuse { .. } => "refusal",
            Self::Restart { kill: true, .. } => "kill",
            Self::Restart { .. } => "restart",
            Self::Skew(_) => "clock jump",
            Self::Disturb(_) => "fault",
            Self::Calm => "calm",
            Self::Vanish(_) | Self::Come { .. } | Self::Rename(_) => "campaigns",
        }
    }

    /// As a sentence.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Reload(_, what) => format!("reload: {what}"),
            other => format!("{other:?}"),
        }
    }
}

pub(crate) fn world(dice: &mut Dice) -> Spec {
    let accounts = if dice.once_in(12) { dice.number(7, 30) } else { dice.number(1, 5) };
    let account = |id: u64, dice: &mut Dice| {
        let campaigns = match dice.number(1, 20) {
            1 => 0,
            2 => dice.number(200, 900),
            3..=6 => dice.number(30, 60),
            _ => dice.number(1, 8),
        };
        WorldAccount {
            id,
            name: format!("Account {id}"),
            currency: (*dice.pick(&["EUR", "BRL", "JPY"])).into(),
            timezone: (*dice.pick(&ZONES)).into(),
            campaigns: (1..=campaigns).map(|n| Campaign::steady(id * 1_000_000 + n)).collect(),
            ordinary_ads: if dice.once_in(4) { 40 } else { 0 },
            allowance: Some(Allowance::FULL),
        }
    };
    let accounts: Vec<_> = (1001..1001 + accounts).map(|id| account(id, dice)).collect();
    let channels = (0..dice.number(0, 2)).map(|n| WorldChannel {
        space: format!("space-{n}"),
        page: 500 + n,
        account: {
            let mut account = account(2001 + n, dice);
            account.campaigns.truncate(20);
            account
        },
    });
    let channels = channels.collect();
    let ids: Vec<_> = accounts.iter().map(|account| account.id).collect();
    let token = |name: &str| Token {
        name: name.into(),
        text: format!("token-{name}"),
        accounts: ids.clone(),
        expires: None,
        refused: None,
    };
    let key = Key { id: "id-sg".into(), secret: "secret-sg".into(), security_token: None, per_second: None };
    Spec {
        seed: dice.number(1, 1 << 40),
        tokens: vec![token("main"), token("other")],
        keys: vec![key],
        accounts,
        channels,
        pace: 5.0,
        ..Spec::default()
    }
}

/// What is asked of it.
pub(crate) fn configuration(spec: &Spec, dice: &mut Dice) -> Configuration {
    let mut metas = vec![meta("main", dice)];
    if dice.once_in(3) {
        metas.push(meta("other", dice));
    }
    for account in &spec.accounts {
        let at = dice.index(metas.len());
        match dice.number(1, 6) {
            1 => {}
            2 => {
                let some: Vec<_> = account.campaigns.iter().take(12).map(|campaign| campaign.id).collect();
                metas[at].campaigns.extend(some.into_iter().map(|id| single(id, dice)));
            }
            _ => metas[at].accounts.push(an_account(account, dice)),
        }
    }
    let channels: Vec<_> = spec.channels.iter().map(|channel| a_channel(channel, dice)).collect();
    let cams = (!channels.is_empty()).then(|| Cams {
        name: "sg".into(),
        labels: some_labels(dice),
        interval: dice.once_in(2).then(|| some_interval(dice)),
        channels,
    });
    let nothing = metas.iter().all(|meta| meta.accounts.is_empty() && meta.campaigns.is_empty());
    if nothing {
        metas[0].accounts.push(an_account(&spec.accounts[0], dice));
    }
    metas.retain(|meta| !(meta.accounts.is_empty() && meta.campaigns.is_empty()));
    let stale_after = dice.once_in(4).then(|| Duration::from_hours(dice.number(2, 5)));
    Configuration { interval: some_interval(dice), stale_after, meta: metas, cams: cams.into_iter().collect() }
}

fn meta(name: &str, dice: &mut Dice) -> Meta {
    Meta {
        name: name.into(),
        version: "v26.0".into(),
        windows: some_windows(dice),
        extra: if dice.once_in(3) { BTreeSet::from(["sent".to_owned()]) } else { BTreeSet::new() },
        labels: some_labels(dice),
        interval: dice.once_in(2).then(|| some_interval(dice)),
        accounts: Vec::new(),
        campaigns: Vec::new(),
    }
}

fn single(id: u64, dice: &mut Dice) -> Single {
    Single { id, interval: dice.once_in(3).then(|| some_interval(dice)), labels: some_labels(dice) }
}

fn some_of(campaigns: &[Campaign], dice: &mut Dice) -> Option<BTreeSet<u64>> {
    let some: BTreeSet<_> = campaigns.iter().filter(|_| dice.once_in(2)).map(|campaign| campaign.id).collect();
    (dice.once_in(3) && !some.is_empty()).then_some(some)
}

fn an_account(account: &WorldAccount, dice: &mut Dice) -> Account {
    Account {
        id: account.id,
        totals: dice.once_in(2),
        only: some_of(&account.campaigns, dice),
        windows: dice.once_in(4).then(|| some_windows(dice)),
        interval: dice.once_in(3).then(|| some_interval(dice)),
        labels: some_labels(dice),
    }
}

fn a_channel(channel: &WorldChannel, dice: &mut Dice) -> Channel {
    Channel {
        space: channel.space.clone(),
        page: channel.page,
        account: channel.account.id,
        only: some_of(&channel.account.campaigns, dice),
        labels: some_labels(dice),
    }
}

/// What happens next.
pub(crate) fn happening(spec: &Spec, now: &Configuration, dice: &mut Dice) -> Happening {
    let credentials: Vec<_> = now.meta.iter().map(|meta| meta.name.clone()).collect();
    let all: Vec<_> = spec.accounts.iter().chain(spec.channels.iter().map(|channel| &channel.account)).collect();
    let account = *dice.pick(&all);
    match dice.number(1, 20) {
        1..=6 => changed(spec, now, dice),
        7 => Happening::BadReload,
        8 | 9 if !credentials.is_empty() => Happening::Rotate {
            credential: dice.pick(&credentials).clone(),
            file_first: dice.once_in(2),
            gap: Duration::from_secs(*dice.pick(&[0, 1, 5, 60, 1200])),
        },
        10 if !credentials.is_empty() => Happening::Refuse {
            credential: dice.pick(&credentials).clone(),
            time: Duration::from_secs(*dice.pick(&[2, 60, 600, 7200])),
        },
        11 | 12 => Happening::Restart {
            kill: dice.once_in(2),
            state: *dice.pick(&[
                StateFile::Last,
                StateFile::Last,
                StateFile::Last,
                StateFile::Missing,
                StateFile::Damaged,
            ]),
        },
        13 => Happening::Skew(*dice.pick(&[0.0, 1200.0, -1200.0, 86_400.0, -90_000.0])),
        14 => Happening::Calm,
        15 if !account.campaigns.is_empty() => {
            let campaign = dice.pick(&account.campaigns).id;
            if dice.once_in(2) { Happening::Vanish(campaign) } else { Happening::Rename(campaign) }
        }
        15 | 16 => {
            let newest = account.campaigns.iter().map(|campaign| campaign.id).max().unwrap_or(account.id * 1_000_000);
            Happening::Come { account: account.id, campaign: newest + dice.number(1, 3) }
        }
        _ => Happening::Disturb(disturbance(account.id, dice)),
    }
}

fn disturbance(account: u64, dice: &mut Dice) -> FaultRule {
    let graph = |status, code, subcode, message: &str| ScriptedFault::Graph {
        status,
        code,
        subcode,
        message: message.to_owned(),
    };
    let raw = |status, body: &str| ScriptedFault::Raw { status, body: body.to_owned(), headers: Vec::new() };
    let faults = [
        graph(400, 80_000, Some(2_446_079), "too many calls"),
        graph(400, 17, Some(2_446_079), "User request limit reached"),
        graph(500, 2, None, "An unexpected error has occurred"),
        graph(403, 200, None, "(#200) not granted"),
        graph(400, 100, Some(33), "does not exist"),
        graph(400, 190, Some(463), "Session has expired"),
        graph(400, 100, None, "(#100) something else is not valid"),
        raw(502, "<html>Bad Gateway</html>"),
        raw(401, "<html>proxy login</html>"),
        raw(429, ""),
        raw(408, "<html>timeout</html>"),
        raw(200, "{}"),
        raw(200, "not json"),
        ScriptedFault::Truncated,
        ScriptedFault::Reset,
        ScriptedFault::Stall,
        ScriptedFault::Slow { millis: 25_000 },
        ScriptedFault::Business { code: "InternalError".to_owned() },
        ScriptedFault::Gateway { status: 503, code: "ServiceUnavailable".to_owned() },
        ScriptedFault::Gateway { status: 400, code: "Throttling.User".to_owned() },
        ScriptedFault::Gateway { status: 400, code: "InvalidTimeStamp.Expired".to_owned() },
    ];
    let endpoints = [
        "",
        "insights",
        "totals",
        "campaign_insights",
        "ads",
        "account",
        "node",
        "GetMessageCampaignInsights",
        "ListMessageCampaign",
    ];
    FaultRule {
        endpoint: (*dice.pick(&endpoints)).to_owned(),
        contains: if dice.once_in(2) { account.to_string() } else { String::new() },
        skip: u32::try_from(dice.number(0, 3)).unwrap(),
        times: u32::try_from(*dice.pick(&[1, 1, 2, 5, 30])).unwrap(),
        fault: dice.pick(&faults).clone(),
    }
}

/// Another configuration, in one or a few points.
fn changed(spec: &Spec, now: &Configuration, dice: &mut Dice) -> Happening {
    let (mut next, mut what) = (now.clone(), Vec::new());
    for _ in 0..dice.number(1, 2) {
        what.push(change(spec, &mut next, dice));
    }
    next.meta.retain(|meta| !(meta.accounts.is_empty() && meta.campaigns.is_empty()));
    next.cams.retain(|cams| !cams.channels.is_empty());
    if next.meta.is_empty() && next.cams.is_empty() {
        return Happening::BadReload;
    }
    Happening::Reload(Box::new(next), what.join(", "))
}

fn change(spec: &Spec, next: &mut Configuration, dice: &mut Dice) -> String {
    let channels = next.cams.first_mut();
    match dice.number(1, 14) {
        1 => {
            next.interval = some_interval(dice);
            format!("interval {:?}", next.interval)
        }
        2 => {
            next.stale_after = dice.once_in(2).then(|| Duration::from_hours(dice.number(2, 6)));
            format!("stale_after {:?}", next.stale_after)
        }
        3 if channels.is_some() => {
            let cams = channels.unwrap();
            let known: Vec<_> = cams.channels.iter().map(|channel| channel.account).collect();
            let other = spec.channels.iter().find(|channel| !known.contains(&channel.account.id));
            if let Some(other) = other {
                let at = dice.index(cams.channels.len() + 1);
                cams.channels.insert(at, a_channel(other, dice));
                format!("channel {} at {at}", other.account.id)
            } else {
                let at = dice.index(cams.channels.len());
                format!("without channel {}", cams.channels.remove(at).account)
            }
        }
        4 if channels.is_some() => {
            let cams = channels.unwrap();
            cams.channels.reverse();
            "channels reversed".to_owned()
        }
        _ if next.meta.is_empty() => "nothing".to_owned(),
        n => {
            let taken: BTreeSet<_> = next.meta.iter().flat_map(Meta::touched).collect();
            let at = dice.index(next.meta.len());
            change_meta(spec, &mut next.meta[at], n, &taken, dice)
        }
    }
}

fn change_meta(spec: &Spec, meta: &mut Meta, what: u64, taken: &BTreeSet<u64>, dice: &mut Dice) -> String {
    let name = meta.name.clone();
    let account = if meta.accounts.is_empty() { None } else { Some(dice.index(meta.accounts.len())) };
    match (what, account) {
        (5, _) => {
            (*dice.pick(&["v25.0", "v26.0"])).clone_into(&mut meta.version);
            format!("{name} version {}", meta.version)
        }
        (6, _) => {
            meta.extra = if meta.extra.is_empty() { BTreeSet::from(["sent".to_owned()]) } else { BTreeSet::new() };
            format!("{name} extra {:?}", meta.extra)
        }
        (7, _) => {
            meta.windows = some_windows(dice);
            format!("{name} windows {:?}", meta.windows)
        }
        (8, _) => {
            meta.labels = some_labels(dice);
            format!("{name} labels {:?}", meta.labels)
        }
        (9, Some(at)) => {
            let account = &mut meta.accounts[at];
            let of = spec.accounts.iter().find(|other| other.id == account.id);
            account.only = of.and_then(|of| some_of(&of.campaigns, dice));
            format!("account {} lists {:?}", account.id, account.only.as_ref().map(BTreeSet::len))
        }
        (10, Some(at)) => {
            let account = &mut meta.accounts[at];
            (account.labels, account.interval) = (some_labels(dice), Some(some_interval(dice)));
            format!("account {} labels {:?} interval {:?}", account.id, account.labels, account.interval)
        }
        (11, Some(at)) => format!("without account {}", meta.accounts.remove(at).id),
        (12, Some(_)) => {
            meta.accounts.reverse();
            format!("{name} accounts reversed")
        }
        (13, _) if !meta.campaigns.is_empty() => {
            let at = dice.index(meta.campaigns.len());
            format!("without campaign {}", meta.campaigns.remove(at).id)
        }
        _ => {
            // One account in the name of two credentials would be shown by one of them.
            let free: Vec<_> = spec.accounts.iter().filter(|other| !taken.contains(&other.id)).collect();
            if free.is_empty() {
                return "nothing".to_owned();
            }
            let account = an_account(free[dice.index(free.len())], dice);
            let id = account.id;
            meta.accounts.push(account);
            format!("account {id} for {name}")
        }
    }
}
