//! Panics, which are bugs: logged like everything else. What a panic says may hold anything
//! that the program holds, keys among it, so a text is repeated only if it stands in the code.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook};

use anyhow::anyhow;
use tokio::task::JoinError;

/// Tells of panics in the log from now on. With `RUST_BACKTRACE=1` the calls follow, which hold no values.
pub fn install() {
    set_hook(Box::new(tell));
}

fn tell(info: &PanicHookInfo<'_>) {
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(at, "the exporter has a bug: {}; please report it", said(info.payload()));
    let calls = Backtrace::capture();
    if calls.status() == BacktraceStatus::Captured {
        // Lines of their own, as they are everywhere.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), calls.to_string().as_bytes());
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

    use tokio::task::JoinSet;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::logfmt::tests::Page;

    const TOKEN: &str = "EAAGm0PX4ZCpsBAKZCbvTz0123456789";

    /// A panic as most bugs make one: with a value in its text.
    fn broken(token: &str) {
        assert!(token.is_empty(), "{token} stands where nothing belongs");
    }

    #[test]
    fn a_panic_is_a_line_of_the_log_without_the_values_in_it() {
        let page = Page::default();
        let writer = page.clone();
        let lines =
            tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).event_format(crate::logfmt::Logfmt);
        let former = std::panic::take_hook();
        install();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            assert!(catch_unwind(|| broken(TOKEN)).is_err());
            assert!(catch_unwind(|| panic!("as it stands in the code")).is_err());
        });
        set_hook(former);
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
