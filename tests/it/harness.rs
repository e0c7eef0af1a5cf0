//! Starts a world and a daemon against it, and waits for conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use marketing_messages_exporter::app::{App, WebOptions};

use marketing_messages_exporter::settings;
use marketing_messages_exporter::simulate::{Control, FaultRule, ScriptedFault, Simulation, Spec};
use marketing_messages_exporter::web::Reload;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Longest that a condition may take; a machine that compiles at the same time is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// A daemon and its world. Both end with it.
pub(crate) struct TestApp {
    pub(crate) control: Control,
    pub(crate) addr: SocketAddr,
    pub(crate) folder: Folder,
    client: reqwest::Client,
    environment: BTreeMap<String, String>,
    options: WebOptions,
    stop: Option<oneshot::Sender<()>>,
    reload: Option<Reload>,
    /// The daemon while it runs, and its world.
    daemon: JoinSet<()>,
    tasks: JoinSet<()>,
}

/// A folder that is taken away at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("mme-it-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl TestApp {
    /// Starts both. In the configuration `URL` stands for the APIs, `DIR` for a folder of the test's
    /// in which the file `token` holds the token `main`.
    pub(crate) async fn start(spec: Spec, configuration: &str) -> Self {
        Self::start_in(spec, configuration, &BTreeMap::new()).await
    }

    /// The same with a web side of its own.
    pub(crate) async fn start_with(spec: Spec, configuration: &str, options: WebOptions) -> Self {
        Self::start_as(spec, configuration, &BTreeMap::new(), options).await
    }

    /// The same with variables of the environment.
    pub(crate) async fn start_in(spec: Spec, configuration: &str, environment: &BTreeMap<String, String>) -> Self {
        Self::start_as(spec, configuration, environment, WebOptions::default()).await
    }

    async fn start_as(
        spec: Spec,
        configuration: &str,
        environment: &BTreeMap<String, String>,
        options: WebOptions,
    ) -> Self {
        let folder = Folder::new();
        let simulation = Simulation::bind(spec, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let control = simulation.control();
        folder.write("token", &control.current_token("main").unwrap_or_default());
        let configuration = configuration
            .replace("URL", &format!("http://{}", simulation.addr()))
            .replace("DIR", &folder.0.display().to_string());
        folder.write("config.yaml", &configuration);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { simulation.run(std::future::pending()).await.unwrap() });
        let mut app = Self {
            control,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
            client: reqwest::Client::builder().no_gzip().no_proxy().build().unwrap(),
            environment: environment.clone(),
            options,
            stop: None,
            reload: None,
            daemon: JoinSet::new(),
            tasks,
        };
        app.run();
        app
    }

    /// Starts the daemon with the configuration as it is now.
    pub(crate) fn run(&mut self) {
        let (file, environment) = (self.folder.0.join("config.yaml"), self.environment.clone());
        let load = move || settings::load(std::slice::from_ref(&file), &environment, &[]);
        let settings = load().unwrap();
        let app = App::bind(&settings, &self.options, Box::new(load)).unwrap();
        self.addr = app.addr();
        self.reload = Some(app.reload());
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        self.daemon.spawn(async move {
            // A sender that is gone is no stop.
            let stopped = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            app.run(stopped).await.unwrap();
        });
    }

    /// Replaces a part of the configuration and has it reloaded.
    pub(crate) async fn reload(&self, former: &str, new: &str) -> Result<(), String> {
        let file = self.folder.0.join("config.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(former), "{former} is not in the configuration");
        std::fs::write(&file, text.replace(former, new)).unwrap();
        self.reload.as_ref().unwrap().ask().await
    }

    /// Stops the daemon as a signal would, and waits for its end.
    pub(crate) async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.ended().await;
    }

    /// Waits until the daemon has ended well.
    pub(crate) async fn ended(&mut self) {
        self.daemon.join_next().await.unwrap().unwrap();
    }

    /// Requests a path with header fields.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("http://{}{path}", self.addr));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = self.request("GET", path, &[]).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn metrics(&self) -> Exposition {
        Exposition(self.get("/metrics").await.1)
    }

    /// Scrapes until a condition holds, and gives that scrape.
    pub(crate) async fn eventually(&mut self, what: &str, condition: impl Fn(&Exposition) -> bool) -> Exposition {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = self.metrics().await;
            if condition(&metrics) {
                return metrics;
            }
            if let Some(ended) = self.tasks.try_join_next().or_else(|| self.daemon.try_join_next()) {
                ended.expect("the daemon and its world go on");
            }
            assert!(Instant::now() < deadline, "never came true: {what}\n{}", metrics.0);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every target was polled once. On a busy machine the short limits of a test cut off a connection of
    /// its own before its head was sent: that one asks again.
    pub(crate) async fn ready(&mut self) -> Exposition {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.client.get(format!("http://{}/-/ready", self.addr)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200)
                && let Ok(scrape) = self.client.get(format!("http://{}/metrics", self.addr)).send().await
                && let Ok(text) = scrape.text().await
            {
                return Exposition(text);
            }
            assert!(Instant::now() < deadline, "never ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn script(&self, endpoint: &str, contains: &str, times: u32, fault: ScriptedFault) {
        let rule = FaultRule { endpoint: endpoint.to_owned(), contains: contains.to_owned(), skip: 0, times, fault };
        self.control.script(rule);
    }
}

/// Asks until the answer is the wanted one.
pub(crate) async fn until<T: Debug>(what: &str, mut ask: impl AsyncFnMut() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "never came true: {what}\n{answer:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    until(what, condition, |holds| *holds).await;
}

/// Exit status, standard output and standard error of a program that ends.
pub(crate) fn told(mut program: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = program.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A body of `/metrics`.
pub(crate) struct Exposition(pub(crate) String);

impl Exposition {
    /// The value of the one sample of a family whose line holds every part.
    pub(crate) fn value(&self, family: &str, parts: &[&str]) -> Option<f64> {
        let mut samples = self.samples(family, parts);
        let value = samples.next()?;
        assert!(samples.next().is_none(), "{family} {parts:?} is not one sample");
        Some(value)
    }

    pub(crate) fn count(&self, family: &str, parts: &[&str]) -> usize {
        self.samples(family, parts).count()
    }

    fn samples<'a>(&'a self, family: &'a str, parts: &'a [&str]) -> impl Iterator<Item = f64> + 'a {
        let ours = move |line: &&str| {
            line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && parts.iter().all(|part| line.contains(part))
        };
        self.0.lines().filter(ours).map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
    }

    /// Every family once, with its header before its samples, and no series twice: what parsers
    /// ask for and the real server does not always tell.
    pub(crate) fn assert_well_formed(&self) {
        let (mut families, mut series) = (BTreeSet::new(), BTreeSet::new());
        let mut family = "";
        for line in self.0.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                family = rest.split(' ').next().unwrap();
                assert!(families.insert(family), "{family} has two headers");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert_eq!(rest.split(' ').next(), Some(family), "TYPE follows HELP");
            } else {
                let (labels, value) = line.rsplit_once(' ').unwrap();
                assert!(labels.starts_with(family), "{line} stands below {family}");
                assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
                assert!(series.insert(labels), "{labels} stands twice");
            }
        }
        assert!(!series.is_empty());
    }

    /// The sum of a family's samples.
    pub(crate) fn sum(&self, family: &str, parts: &[&str]) -> f64 {
        self.samples(family, parts).sum()
    }

    /// Failures of a reason.
    pub(crate) fn failures(&self, reason: &str) -> f64 {
        let reason = format!("reason=\"{reason}\"");
        self.samples("marketing_messages_exporter_poll_failures_total", &[&reason]).sum()
    }
}
