//! Campaigns by name and state: which ride, and when they leave.

use marketing_messages_exporter::simulate::{Campaign, Spec, WorldChange};

use crate::harness::{Exposition, TestApp};

const CONFIGURATION: &str = "
poll: {interval: 1s}
meta:
  main:
    token_file: DIR/token
    base_url: URL
    accounts: [{id: 1001, totals: false, windows: [last_7d], level: LEVEL, campaigns: {name: \"Spring*\", status: [ACTIVE]}}]
";

/// Four campaigns; the simulated search takes upper and lower case for the same, as the real one seems to.
fn world() -> Spec {
    let mut spec = Spec::fleet(1, 4);
    let names = ["Spring sale", "spring sale", "Late Spring", "Autumn"];
    for (campaign, name) in spec.accounts[0].campaigns.iter_mut().zip(names) {
        name.clone_into(&mut campaign.name);
    }
    spec
}

const FAMILY: &str = "marketing_messages_delivered";

fn shown(metrics: &Exposition, ids: &[u64]) -> bool {
    let info = |id: &u64| metrics.count("marketing_messages_campaign_info", &[&format!("campaign_id=\"{id}\"")]) == 1;
    metrics.count(FAMILY, &[]) == ids.len()
        && metrics.count("marketing_messages_campaign_info", &[]) == ids.len()
        && ids.iter().all(|id| metrics.count(FAMILY, &[&format!("campaign_id=\"{id}\"")]) == 1 && info(id))
}

async fn follows(level: &str, offset: u64) {
    let mut app = TestApp::start(world(), &CONFIGURATION.replace("LEVEL", level)).await;
    let id = |n: u64| offset + 1_001_000_000 + n;
    let control = app.control.clone();
    let change = |change| control.change(change);
    app.ready().await;
    app.eventually("the whole name, in its case", |m| shown(m, &[id(1)])).await;

    // Whatever is renamed or resumed comes and goes with the next answer, its info too.
    change(WorldChange::Rename(1_001_000_004, "Spring again".into()));
    app.eventually("a campaign is renamed into the filter", |m| shown(m, &[id(1), id(4)])).await;
    change(WorldChange::Rename(1_001_000_001, "Sale".into()));
    app.eventually("a campaign is renamed out of it", |m| shown(m, &[id(4)])).await;
    change(WorldChange::SetStatus(1_001_000_004, "PAUSED".into()));
    app.eventually("a campaign is paused", |m| shown(m, &[])).await;
    change(WorldChange::SetStatus(1_001_000_004, "ACTIVE".into()));
    change(WorldChange::Add(1001, Campaign { name: "Spring 2".into(), ..Campaign::steady(1_001_000_005) }));
    app.eventually("one goes on and another is new", |m| shown(m, &[id(4), id(5)])).await;

    app.reload("name: \"Spring*\", status: [ACTIVE]", "name: \"*pring*\"").await.unwrap();
    app.eventually("another filter", |m| shown(m, &[id(2), id(3), id(4), id(5)])).await;
    let campaigns = format!("[\"{}\"]", id(3));
    app.reload("{name: \"*pring*\"}", &campaigns).await.unwrap();
    app.eventually("a list instead", |m| shown(m, &[id(3)])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_follows_names_and_states_at_the_level_of_ads() {
    follows("ad", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_follows_names_and_states_at_the_level_of_campaigns() {
    follows("campaign", 500_000_000_000).await;
}

/// An account of a thousand campaigns, of which three match: one page instead of two.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_costs_the_pages_of_what_it_admits() {
    let mut spec = Spec::fleet(1, 1000);
    for (n, campaign) in spec.accounts[0].campaigns.iter_mut().enumerate() {
        campaign.name = if n % 400 == 0 { format!("Spring {n}") } else { format!("Other {n}") };
    }
    let asked = async |campaigns: &str| {
        let configuration = format!(
            "poll: {{interval: 1h}}\nmeta:\n  main:\n    token_file: DIR/token\n    base_url: URL\n    accounts: \
             [{{id: 1001, totals: false, windows: [last_7d], campaigns: {campaigns}}}]\n"
        );
        let mut app = TestApp::start(spec.clone(), &configuration).await;
        let metrics = app.ready().await;
        (metrics.count(FAMILY, &[]), app.control.statistics().endpoints["insights"])
    };
    assert_eq!(asked("{name: \"Spring *\"}").await, (3, 1));
    assert_eq!(asked("{name: \"*ing*\"}").await, (3, 1), "a part of it is enough");
    assert_eq!(asked("all").await, (1000, 2));
}

/// Characters that mean something in JSON, in a query or in a pattern.
#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_may_hold_any_character() {
    let name = "Größe \"M\" & [50%] \\ +1 🌷 a,b";
    let mut spec = world();
    name.clone_into(&mut spec.accounts[0].campaigns[2].name);
    let pattern = name.replace('\\', "\\\\").replace('"', "\\\"").replace("+1", "??");
    let configuration = CONFIGURATION.replace("LEVEL", "ad").replace("Spring*", &pattern);
    let mut app = TestApp::start(spec, &configuration).await;
    app.ready().await;
    app.eventually("the one campaign", |m| shown(m, &[1_001_000_003])).await;
}
