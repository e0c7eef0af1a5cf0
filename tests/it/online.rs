//! `discover` and `check --online`: the binary against simulated APIs.

use std::net::{Ipv4Addr, SocketAddr};

use marketing_messages_exporter::simulate::{
    Account, Campaign, Channel, Control, FaultRule, Key, ScriptedFault, Simulation, Spec, Token, WorldChange,
};
use tokio::task::JoinSet;

use crate::cli::run;
use crate::harness::Folder;

/// Two accounts with two campaigns each, one ordinary ad beside them, and a channel.
fn world() -> Spec {
    let mut spec = Spec::fleet(3, 2);
    let mut third = spec.accounts.pop().unwrap();
    third.id = 1003;
    spec.channels = vec![Channel { space: "cams-a".into(), page: 77, account: third }];
    spec.keys =
        vec![Key { id: "key-id".into(), secret: "hush-key-secret".into(), security_token: None, per_second: None }];
    spec.tokens = vec![
        Token {
            name: "main".into(),
            text: "hush-token-main".into(),
            accounts: vec![1001, 1002],
            refused: None,
            expires: None,
        },
        Token {
            name: "dead".into(),
            text: "hush-token-dead".into(),
            accounts: vec![1001, 1002],
            refused: Some(463),
            expires: None,
        },
    ];
    spec.accounts[0].ordinary_ads = 1;
    spec.accounts[0].campaigns[0].name = "Spring\n\u{1b}[31m\u{2028}# sale: \"é\" \u{202e}🌷".into();
    spec
}

/// A world that is served, and a folder for configurations.
struct Scene {
    url: String,
    control: Control,
    folder: Folder,
    _tasks: JoinSet<()>,
}

impl Scene {
    async fn start() -> Self {
        Self::of(world()).await
    }

    async fn of(spec: Spec) -> Self {
        let simulation = Simulation::bind(spec, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let (url, control) = (format!("http://{}", simulation.addr()), simulation.control());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { simulation.run(std::future::pending()).await.unwrap() });
        Self { url, control, folder: Folder::new(), _tasks: tasks }
    }

    fn file(&self, name: &str, text: &str) -> String {
        self.folder.write(name, &text.replace("URL", &self.url)).display().to_string()
    }

    /// A configuration with this token and these accounts, in flow style.
    fn meta(&self, token: &str, accounts: &str) -> String {
        let text = format!("meta: {{main: {{token: hush-token-{token}, base_url: 'URL'{accounts}}}}}\n");
        self.file("meta.yaml", &text)
    }
}

/// Runs the binary; whatever it prints, it prints no secret.
fn told(arguments: &[&str]) -> (Option<i32>, String, String) {
    let (code, stdout, stderr) = run(arguments);
    for text in [&stdout, &stderr] {
        assert!(!text.contains("hush"), "a secret is shown:\n{text}");
    }
    (code, stdout, stderr)
}

const CREDENTIALS: &str = "\
meta: {main: {token: hush-token-main, base_url: 'URL'}}
cams:
  sg:
    access_key_id: key-id
    access_key_secret: hush-key-secret
    endpoint: URL
    channels: [{cust_space_id: cams-a, page_id: 77, ad_account_id: 1003, campaigns: [1003000001]}]
";

#[tokio::test(flavor = "multi_thread")]
async fn discover_lists_what_the_credentials_see() {
    let scene = Scene::start().await;
    let file = scene.file("credentials.yaml", CREDENTIALS);
    let (code, table, stderr) = told(&["discover", "--config.file", &file]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{table}");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 1 + 4 + 2, "{table}");
    let at = |title: &str| lines[0].find(title).unwrap();
    let first = lines[1];
    for (title, value) in [
        ("SOURCE", "meta "),
        ("CREDENTIAL", "main "),
        ("ACCOUNT", "1001 "),
        ("CAMPAIGN", "1001000001 "),
        ("PARENT", "501001000001 "),
        ("STATUS", "ACTIVE "),
        ("ACCOUNT NAME", "Account 1001 "),
        ("NAME", "Spring  [31m # sale: \"é\"  🌷"),
    ] {
        let start = if title == "NAME" { lines[0].rfind(title).unwrap() } else { at(title) };
        assert!(first.get(start..).unwrap().starts_with(value), "{title}: {first}");
    }
    assert!(lines[5].starts_with("cams") && lines[5].contains(" 1003000001 "), "{table}");
    assert!(!table.contains("Ordinary"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_discover_writes_passes_check_and_answers() {
    let scene = Scene::start().await;
    let credentials = scene.file("credentials.yaml", CREDENTIALS);
    let (code, yaml, stderr) = told(&["discover", "--output", "yaml", "--config.file", &credentials]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(yaml.contains("\n        #   \"1001000001\"  # Spring  [31m # sale: \"é\"  🌷, ACTIVE\n"), "{yaml}");
    assert_eq!(yaml.matches("\n        campaigns: all").count(), 3, "a list would freeze the fleet:\n{yaml}");
    let found = scene.file("found.yaml", &yaml);
    let files = ["--config.file", &credentials, "--config.file", &found];
    let (code, stdout, stderr) = told(&[&["check", "--online"], &files[..]].concat());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("2 Meta ad accounts") && stdout.contains("1 CAMS channel"), "{stdout}");

    // What is created later is polled without a change of the configuration.
    scene.control.change(WorldChange::Add(1001, Campaign::steady(1_001_000_003)));
    let (code, stdout, stderr) = told(&[&["once"], &files[..]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("campaign_id=\"1001000003\""), "{stdout}");
}

/// Two credentials that see the same accounts, two spaces with the same page, and a token that sees nothing: a
/// configuration may ask for each account and channel once.
#[tokio::test(flavor = "multi_thread")]
async fn what_discover_writes_passes_check_whatever_overlaps() {
    let mut spec = world();
    let mut other_space = spec.channels[0].clone();
    other_space.space = "cams-b".into();
    spec.channels.push(other_space);
    spec.accounts[1].campaigns.clear();
    let upper = Account { id: 1004, ..spec.accounts[0].clone() };
    let ids = upper.campaigns.iter().map(|campaign| campaign.id + 3_000_000);
    let campaigns = ids.map(|id| Campaign { parent: 77, ..Campaign::steady(id) }).collect();
    spec.accounts.push(Account { campaigns, ..upper });
    let token =
        Token { name: "upper".into(), text: "hush-token-upper".into(), accounts: vec![1004], ..spec.tokens[0].clone() };
    spec.tokens.push(token);
    let scene = Scene::of(spec).await;
    let credentials = scene.file(
        "overlap.yaml",
        "\
meta:
  main: {token: hush-token-main, base_url: 'URL'}
  twin: {token: hush-token-main, base_url: 'URL', accounts: [{id: 1002}]}
  upper: {token: hush-token-upper, base_url: 'URL', accounts: [{id: 1004, level: campaign}]}
cams:
  sg:
    access_key_id: key-id
    access_key_secret: hush-key-secret
    endpoint: URL
    channels:
      - {cust_space_id: cams-a, page_id: 77, ad_account_id: 1003, campaigns: [1003000001]}
      - {cust_space_id: cams-b, page_id: 77, ad_account_id: 1003, campaigns: [1003000002]}
",
    );
    let (code, yaml, stderr) = told(&["discover", "--output", "yaml", "--config.file", &credentials]);
    assert_eq!(code, Some(0), "{stderr}");
    let found = scene.file("found.yaml", &yaml);
    let (code, stdout, stderr) = told(&["check", "--config.file", &credentials, "--config.file", &found]);
    assert_eq!(code, Some(0), "{yaml}{stdout}{stderr}");
    assert!(yaml.contains("\n# meta/main 1002 Account 1002: no marketing-message campaign\n"), "{yaml}");
    assert!(yaml.contains("\n# cams/sg 1003 Account 1003: already listed"), "{yaml}");
    // The level that is configured stays, and the ids are those of that level, each once.
    let upper = "level: campaign\n        campaigns: all  # those of today:\n        #   \"77\"  # ";
    assert!(yaml.contains(upper) && yaml.matches("\"77\"  #").count() == 1, "{yaml}");
}

#[tokio::test(flavor = "multi_thread")]
async fn discover_goes_on_past_what_cannot_be_read() {
    let scene = Scene::start().await;
    let file = scene.meta("main", ", accounts: [{id: 9}, {id: 1002}]");
    let (code, table, stderr) = told(&["discover", "--config.file", &file]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(table.contains("1002000002") && stderr.contains("meta/main account 9: "), "{table}{stderr}");
    assert!(stderr.contains("hidden from this token"), "{stderr}");

    let dead = scene.meta("dead", "");
    let (code, table, stderr) = told(&["discover", "--config.file", &dead]);
    assert_eq!((code, table.lines().count()), (Some(1), 1), "{table}");
    assert!(stderr.contains("meta/main: the token expired: issue a new one"), "{stderr}");

    let none = scene.file("none.yaml", "poll: {interval: 15m}\n");
    let (code, _, stderr) = told(&["discover", "--config.file", &none]);
    assert!(code == Some(78) && stderr.contains("there is no credential"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn discover_asks_for_assigned_accounts_where_it_may_not_ask_for_all() {
    let scene = Scene::start().await;
    let fault =
        ScriptedFault::Graph { status: 403, code: 200, subcode: None, message: "(#200) Missing Permissions".into() };
    let contains = "me/adaccounts".into();
    scene.control.script(FaultRule { endpoint: String::new(), contains, skip: 0, times: 1, fault });
    let (code, table, stderr) = told(&["discover", "--config.file", &scene.meta("main", "")]);
    assert_eq!((code, table.lines().count()), (Some(0), 5), "{table}{stderr}");
    assert_eq!(scene.control.leftover_faults(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn online_all_is_well() {
    let scene = Scene::start().await;
    let file = scene.meta("main", ", accounts: [{id: 1001, windows: [last_7d]}], campaigns: [{id: 1002000001}]");
    let (code, stdout, stderr) = told(&["check", "--online", "--config.file", &file]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let rows: Vec<_> = stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "meta/main - ok",
        "meta/main/1001/listing - ok, 2 campaigns",
        "meta/main/1001/account last_7d ok, 2 rows",
        "meta/main/1001/totals last_7d ok, 1 row",
        "meta/main/1002000001 last_30d ok, 1 row",
    ] {
        assert!(rows.iter().any(|other| other == row), "{row} is not in\n{stdout}");
    }
    assert!(!stdout.contains("FAILED"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn online_a_wrong_account_is_explained() {
    let scene = Scene::start().await;
    let file = scene.meta("main", ", accounts: [{id: 9, windows: [today]}, {id: 1001, windows: [today]}]");
    let (code, stdout, _) = told(&["check", "--online", "--config.file", &file]);
    assert_eq!(code, Some(1), "{stdout}");
    for text in [
        "the system user is assigned to the ad account",
        "its token does not see the account 9; it sees 1001 Account 1001, 1002 Account 1002",
        "ok, 2 campaigns",
        "  the same\n",
    ] {
        assert!(stdout.contains(text), "{text} is not in\n{stdout}");
    }
    assert_eq!(stdout.matches("hidden from this token").count(), 1, "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ids_of_the_wrong_level_are_told() {
    let scene = Scene::start().await;
    for (level, ids, note) in [
        ("ad", "[501001000001, 501001000002]", "these ids are campaign ids: set level: campaign"),
        ("campaign", "[1001000001]", "1001000001 is the id of an ad: set level: ad"),
        ("ad", "[501001000001, 7]", "501001000001 is the id of a campaign: set level: campaign"),
        ("ad", "[501001000001, 501001000002, 7]", "501001000001, 501001000002 are campaign ids: set level: campaign"),
        ("ad", "[7]", "none of them is an ad or a campaign of this account"),
        ("ad", "[1001000001, 7]", "not found at level ad: 7"),
    ] {
        let accounts = format!(", accounts: [{{id: 1001, windows: [today], level: {level}, campaigns: {ids}}}]");
        let (code, stdout, _) = told(&["check", "--online", "--config.file", &scene.meta("main", &accounts)]);
        assert_eq!(code, Some(1), "{stdout}");
        assert!(stdout.contains(note), "{note} is not in\n{stdout}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn online_a_filter_is_counted_and_one_that_fits_nothing_is_explained() {
    let scene = Scene::start().await;
    let told = |campaigns: &str| {
        let accounts = format!(", accounts: [{{id: 1001, windows: [last_7d], campaigns: {campaigns}}}]");
        told(&["check", "--online", "--config.file", &scene.meta("main", &accounts)])
    };
    let (code, stdout, _) = told("{name: '*1001000002', status: [ACTIVE]}");
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("account 1001: the filter admits 1 of 2 campaigns at level ad\n"), "{stdout}");
    assert!(stdout.contains("ok, 1 row\n"), "{stdout}");
    let (code, stdout, _) = told("{name: 'spring*'}");
    assert_eq!(code, Some(0), "nothing may match yet:\n{stdout}");
    assert!(stdout.contains("the filter admits 0 of 2 campaigns at level ad; there are “Spring  [31m"), "{stdout}");
    let file = scene.meta("main", ", accounts: [{id: 1001, windows: [last_7d], campaigns: {status: [PAUSED]}}]");
    let (code, plan, _) = crate::cli::run(&["plan", "--config.file", &file]);
    assert!(code == Some(0) && plan.contains("those of a filter"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn online_a_dead_token_is_told_once_and_not_waited_for() {
    let scene = Scene::start().await;
    let file = scene.meta("dead", ", accounts: [{id: 1001}, {id: 1002}]");
    let (code, stdout, stderr) = told(&["check", "--online", "--config.file", &file]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("the token expired: issue a new one"), "{stdout}");
    assert!(stdout.contains("not tried: the credential is refused"), "{stdout}");
    assert!(!stderr.contains("poll failed"), "{stderr}");
    assert!(scene.control.statistics().total <= 4, "{:?}", scene.control.statistics());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_allowance_is_told_and_not_waited_for() {
    let scene = Scene::start().await;
    let throttle = |contains: &str, code| {
        let fault = ScriptedFault::Graph { status: 400, code, subcode: None, message: "too many calls".into() };
        let contains = contains.to_owned();
        scene.control.script(FaultRule { endpoint: String::new(), contains, skip: 0, times: 1, fault });
    };
    throttle("act_1001", 80_000);
    let file = scene.meta("main", ", accounts: [{id: 1001, windows: [today]}, {id: 1002, windows: [today]}]");
    let (code, stdout, _) = told(&["check", "--online", "--config.file", &file]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("the ad account's hourly insights quota is spent"), "{stdout}");
    assert!(stdout.contains("not tried: the allowance is spent for another"), "{stdout}");
    assert!(stdout.contains("ok, 2 campaigns"), "the other account answers:\n{stdout}");

    // The application's limit reaches over every account of the credential.
    throttle("act_1001", 4);
    let before = scene.control.statistics().total;
    let (code, _, stderr) = told(&["discover", "--config.file", &file]);
    assert_eq!((code, scene.control.statistics().total - before), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("account 1002: the allowance is spent for another"), "{stderr}");
    assert_eq!(scene.control.leftover_faults(), 0);
}
