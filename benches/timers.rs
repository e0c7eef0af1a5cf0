//! How late a timer of the daemon's runtime is while an account of 100,000 campaigns is polled: 200
//! pages are read, their rows published, rendered and deflated. The API is a process of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and one that panics has failed")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use marketing_messages_exporter::clock::Clock;
use marketing_messages_exporter::daemon::{Driver, Publication};
use marketing_messages_exporter::publish::Publisher;
use marketing_messages_exporter::settings;
use marketing_messages_exporter::store::Store;
use marketing_messages_exporter::telemetry::Telemetry;
use tokio::task::JoinSet;

/// Other targets' timers stand for this one.
const TICK: Duration = Duration::from_millis(2);

fn main() {
    // `cargo test` runs benchmarks too, to see that they work; then a small account is enough.
    let campaigns = if std::env::args().any(|argument| argument == "--bench") { "100000" } else { "1000" };
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_marketing-messages-exporter"))
        .args(["simulate", "--listen-address", "127.0.0.1:0", "--accounts", "1", "--campaigns", campaigns])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(simulate.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().last().unwrap().to_owned();

    let folder = std::env::temp_dir().join(format!("mme-timers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config.yaml");
    let text =
        "meta: {main: {token: token-main, base_url: URL, accounts: [{id: 1001, totals: false, windows: [last_7d]}]}}";
    std::fs::write(&file, text.replace("URL", &url)).unwrap();
    let settings = settings::load(&[file], &std::collections::BTreeMap::new(), &[]).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (took, mut late) = runtime.block_on(async {
        let (clock, store, telemetry) =
            (Clock::start(), Arc::new(Store::default()), Arc::new(Telemetry::new(false).unwrap()));
        let (publisher, handle) = Publisher::new(settings.max_series, clock, store, telemetry.clone());
        let driver = Driver::new(&settings, clock, Publication::new(handle, telemetry)).unwrap();
        let mut tasks = JoinSet::new();
        let (done, over) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn(lateness(clock, over));
        let (failed, told) = tokio::join!(driver.run_once(), publisher.run());
        told.unwrap();
        assert_eq!(failed.unwrap().targets, 0);
        let took = clock.uptime();
        done.send(()).unwrap();
        (took, tasks.join_next().await.unwrap().unwrap())
    });
    simulate.kill().unwrap();
    simulate.wait().unwrap();

    late.sort_unstable();
    let at = |percent: usize| late[(late.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    println!(
        "{campaigns} campaigns of one account polled and published in {:.2} s; {} timers meanwhile were late by {:.1} ms in the median, {:.1} ms at p99, {:.1} ms at most",
        took.as_secs_f64(),
        late.len(),
        at(50),
        at(99),
        at(100)
    );
}

/// By how much each of many timers comes late, until it is over.
async fn lateness(clock: Clock, mut over: tokio::sync::oneshot::Receiver<()>) -> Vec<Duration> {
    let mut late = Vec::new();
    loop {
        let due = clock.instant(clock.uptime() + TICK);
        tokio::select! {
            () = tokio::time::sleep_until(due.into()) => late.push(due.elapsed()),
            _ = &mut over => return late,
        }
    }
}
