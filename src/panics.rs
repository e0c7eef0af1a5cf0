//! Panics, which are bugs: each is a line of the log, or of standard error while there is no log yet. What a panic says
//! may hold anything that the program holds, keys among it, so a text is repeated only if it stands in the code.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::{PanicHookInfo, set_hook};

use anyhow::anyhow;
use tokio::task::JoinError;
use tracing::dispatcher::has_been_set;

/// Reports panics from now on. With `RUST_BACKTRACE=1` the calls follow, which hold no values: as they are in every
/// program, on standard error and not as lines of the log.
pub fn install() {
    set_hook(Box::new(|info| report(info, has_been_set(), &mut std::io::stderr())));
}

fn report(info: &PanicHookInfo<'_>, logging: bool, stderr: &mut impl Write) {
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    let said = said(info.payload());
    // Nothing can be done about a standard error that takes nothing.
    if logging {
        tracing::error!(at, "the exporter has a bug: {said}; please report it");
    } else {
        let _ = writeln!(stderr, "the exporter has a bug, at {at}: {said}; please report it");
    }
    let calls = Backtrace::capture();
    if calls.status() == BacktraceStatus::Captured {
        let _ = stderr.write_all(calls.to_string().as_bytes());
    }
}

/// What may be repeated of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("a text that may hold secrets is left out")
}

/// What a task came to. Whether it panicked is all that an error tells: the log has the rest.
pub fn joined<T>(ended: Result<T, JoinError>, task: &'static str) -> anyhow::Result<T> {
    ended.map_err(|error| {
        let why = if error.is_panic() { "has a bug, see the line before" } else { "was cut off" };
        anyhow!("{task} {why}")
    })
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::Mutex;

    use tokio::task::JoinSet;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::logging::logfmt::tests::Page;

    const TOKEN: &str = "EAAGm0PX4ZCpsBAKZCbvTz0123456789";

    /// A panic as most bugs make one: with a value in its text.
    fn broken(token: &str) {
        assert!(token.is_empty(), "{token} stands where nothing belongs");
    }

    #[test]
    fn a_panic_is_a_line_of_the_log_without_the_values_in_it() {
        let page = Page::default();
        let writer = page.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(crate::logging::logfmt::Logfmt);
        let former = std::panic::take_hook();
        install();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            assert!(catch_unwind(|| broken(TOKEN)).is_err());
            assert!(catch_unwind(|| panic!("as it stands in the code")).is_err());
        });
        // Before there is a log: what the default hook writes would hold the value.
        let early = Page::default();
        let mut writer = early.clone();
        let hook = Mutex::new(move |info: &PanicHookInfo<'_>| report(info, false, &mut writer));
        set_hook(Box::new(move |info| hook.lock().unwrap()(info)));
        assert!(catch_unwind(|| broken(TOKEN)).is_err());
        set_hook(former);
        let said = early.text();
        assert!(said.starts_with("the exporter has a bug, at src/panics.rs:") && said.contains("left out"), "{said}");
        assert!(!said.contains("EAAGm0PX4ZCp"), "{said}");

        let text = page.text();
        let told: Vec<_> = text.lines().collect();
        assert_eq!(told.len(), 2, "{text}");
        assert!(told.iter().all(|line| line.contains("level=error") && line.contains("at=src/panics.rs:")), "{text}");
        assert!(told[0].contains("left out") && told[1].contains("as it stands in the code"), "{text}");
        assert!(!text.contains("EAAGm0PX4ZCp"), "{text}");
    }

    #[tokio::test]
    async fn the_error_of_a_task_that_panicked_does_not_repeat_it() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { broken(TOKEN) });
        let error = joined(tasks.join_next().await.unwrap(), "the poller").unwrap_err();
        assert_eq!(format!("{error:#} {error:?}").matches("the poller has a bug").count(), 2);
        assert!(!format!("{error:#} {error:?}").contains("EAAGm0PX4ZCp"), "{error:?}");
    }
}
