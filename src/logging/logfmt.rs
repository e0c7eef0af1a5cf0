//! The log as logfmt, for collectors: `ts=... level=... msg="..." key=value`, one line an event.

use std::fmt::{self, Write as _};

use serde_json::Value as Json;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;

/// Writes events as lines of logfmt. There are no spans to tell of.
#[derive(Debug)]
pub(crate) struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        writeln!(writer, "ts={:.3} level={level} msg={}{}", clock::wall(), value(&parts.message), parts.fields)
    }
}

/// An event's sentence, and what it is about.
#[derive(Default)]
struct Parts {
    message: String,
    /// Each with a space before it.
    fields: String,
}

impl Parts {
    fn note(&mut self, name: &str, text: &str) {
        if name == "message" {
            text.clone_into(&mut self.message);
        // Where a library's line stands in its source is nothing to an operator.
        } else if !name.starts_with("log.") {
            // Writing into a string does not fail.
            let _ = write!(self.fields, " {name}={}", value(text));
        }
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, text: &str) {
        self.note(field.name(), text);
    }

    fn record_debug(&mut self, field: &Field, shown: &dyn fmt::Debug) {
        self.note(field.name(), &format!("{shown:?}"));
    }
}

/// A value: bare where nothing in it could be misread, else as a string of JSON, which is what
/// readers of logfmt take quotes for.
fn value(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\');
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { Json::from(text).to_string() }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_a_line_whatever_it_says() {
        let page = Page::default();
        let writer = page.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).event_format(Logfmt).finish();
        tracing::subscriber::with_default(log, || {
            let target = "campaign \"x\"\n=1";
            tracing::warn!(source = "meta", target, rows = 3, share = 0.5, code = "", "poll failed: {}", "a\u{1b}\tb");
            tracing::info!("stopped");
        });
        let page = page.text();
        let lines: Vec<_> = page.lines().map(|line| line.split_once(' ').unwrap()).collect();
        for (instant, _) in &lines {
            let instant = instant.strip_prefix("ts=").unwrap();
            assert!(instant.len() == 24 && instant.parse::<jiff::Timestamp>().is_ok(), "{instant}");
        }
        let said: Vec<_> = lines.iter().map(|(_, said)| *said).collect();
        let first = r#"level=warn msg="poll failed: a\u001b\tb" source=meta target="campaign \"x\"\n=1" rows=3 share=0.5 code="""#;
        assert_eq!(said, [first, "level=info msg=stopped"]);
    }

    #[test]
    fn values_are_quoted_where_they_could_be_misread() {
        for (text, written) in [
            ("2398765432", "2398765432"),
            ("a.b/c:d-e_f[0]", "a.b/c:d-e_f[0]"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            ("a=b", r#""a=b""#),
            (r"a\b", r#""a\\b""#),
            ("\u{fc}ber", "\"\u{fc}ber\""),
            ("\0", r#""\u0000""#),
        ] {
            assert_eq!(value(text), written);
        }
    }
}
