//! `demo`: the daemon against simulated APIs, in one process.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::run::{DaemonUrls, serve, sockets};
use super::{Done, block_on, print};
use crate::cli::Flags;
use crate::clock;
use crate::panics::joined;
use crate::replace::replace;
use crate::settings::{self, Settings};
use crate::simulate::{Control, Milestone, Simulation, Spec};

/// The demo's configuration, compiled in.
const CONFIGURATION: &str = include_str!("../../config/demo.yaml");

/// The tokens that its configuration uses.
const TOKENS: [&str; 2] = ["main", "growth"];

/// How long a new token takes to arrive in its file, as it would with a person involved.
const ISSUE_DELAY: Duration = Duration::from_secs(20);

/// Starts the APIs on a free port, then the daemon with the demo's configuration.
pub fn demo(flags: &Flags) -> anyhow::Result<Done> {
    let sockets = sockets(flags)?;
    let folder = Folder::create()?;
    block_on(async {
        let spec = Spec::demo();
        let timeline = spec.timeline(clock::wall());
        let simulation = Simulation::bind(spec, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let (api, control) = (simulation.addr(), simulation.control());
        for name in TOKENS {
            issue(&folder.0, &control, name)?;
        }
        let (file, overrides) = (folder.configuration()?, overrides(&folder.0, api));
        let load = move || {
            let settings = settings::load(std::slice::from_ref(&file), &settings::environment(), &overrides)?;
            // The warnings are of the placeholders in the demo's configuration.
            Ok(Settings { warnings: Vec::new(), ..settings })
        };
        let announce = |served: &[DaemonUrls]| print(&greeting(served, api, &timeline));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { simulation.run(std::future::pending()).await.context("the simulated APIs ended") });
        tasks.spawn(reissue(folder.0.clone(), control));
        tokio::select! {
            done = serve(flags, sockets, Box::new(load), true, announce) => done,
            Some(ended) = tasks.join_next() => {
                joined(ended, "a task of the demo")??;
                anyhow::bail!("a task of the demo ended");
            }
        }
    })
}

/// What there is to see and to try, for a person who has not read anything yet.
fn greeting(served: &[DaemonUrls], api: SocketAddr, timeline: &[Milestone]) -> String {
    let mut text = String::from("\n");
    for DaemonUrls { page, metrics } in served {
        let _ = writeln!(text, "status page:    {page}\nmetrics:        {metrics}");
    }
    let _ = writeln!(text, "simulated APIs: http://{api}/_control/statistics (faults: `simulate --help`)");
    if let Some(DaemonUrls { metrics, .. }) = served.first() {
        let _ = writeln!(text, "try:            curl -s {metrics} | grep cost_per_link_click");
    }
    text.push_str("\nWhat happens, in minutes from now:\n");
    for Milestone { at, every, what } in timeline {
        let again = every.map_or_else(String::new, |every| format!(", and every {} afterwards", minutes(every)));
        let _ = writeln!(text, "{:>7}  {what}{again}", clock_time(*at));
    }
    let delay = ISSUE_DELAY.as_secs();
    let _ = writeln!(text, "A new token is put into its file {delay} s after one expires.\n\nCtrl-C stops everything.");
    text
}

fn clock_time(seconds: u32) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn minutes(seconds: u32) -> String {
    if seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

/// Writes a token's text into its file, whole.
fn issue(folder: &Path, control: &Control, name: &str) -> anyhow::Result<()> {
    let text = control.current_token(name).with_context(|| format!("the demo's world has no token {name}"))?;
    Ok(replace(&folder.join(name), |mut file| file.write_all(text.as_bytes()))?)
}

/// Puts new tokens into their files, a while after they were issued.
async fn reissue(folder: PathBuf, control: Control) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for name in TOKENS {
            let held = std::fs::read_to_string(folder.join(name))?;
            if control.current_token(name).is_some_and(|current| current != held) {
                tokio::time::sleep(ISSUE_DELAY).await;
                issue(&folder, &control, name)?;
            }
        }
    }
}

fn overrides(folder: &Path, api: SocketAddr) -> Vec<(String, String)> {
    let url = format!("http://{api}");
    let tokens = TOKENS.map(|name| (format!("meta.{name}.token_file"), folder.join(name).display().to_string()));
    let urls =
        ["meta.main.base_url", "meta.growth.base_url", "cams.sg.endpoint"].map(|key| (key.to_owned(), url.clone()));
    tokens.into_iter().chain(urls).collect()
}

/// A folder of the demo's own, taken away at the end.
struct Folder(PathBuf);

impl Folder {
    /// Its name cannot be foreseen and nobody else can look into it. What is there already, a link
    /// above all, is never taken for it.
    fn create() -> anyhow::Result<Self> {
        let name = format!("marketing-messages-exporter-demo-{:016x}", getrandom::u64().context("no randomness")?);
        let path = std::env::temp_dir().join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    fn configuration(&self) -> anyhow::Result<PathBuf> {
        let file = self.0.join("demo.yaml");
        std::fs::write(&file, CONFIGURATION)?;
        Ok(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The system's cleaning takes what is left.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
