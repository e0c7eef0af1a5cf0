//! Wire text to base units, and the soundness of the table.

use super::*;

fn metric(name: &str) -> &'static Metric {
    METRICS.iter().find(|metric| metric.name == name).expect("a row of the table")
}

#[test]
fn percent_is_rounded_once() {
    for (text, ratio) in [
        ("79.419238", 0.794_192_38),
        ("9.727768", 0.097_277_68),
        ("25.506903", 0.255_069_03),
        ("481.818182", 4.818_181_82),
        ("0", 0.0),
        ("1.5e1", 0.15),
    ] {
        assert_eq!(metric("read_ratio").read(text), Some(ratio), "{text}");
    }
    assert_eq!(metric("read_ratio").read("79.419238").map(|v| v.to_string()).as_deref(), Some("0.79419238"));
}

#[test]
fn only_finite_decimal_numbers_are_read() {
    for text in ["", "NaN", "inf", "-inf", "1,234.5", "$3", "1e999", "+1", "0x10", " 1", "1 ", "--1", "1e", "e5", "."] {
        assert_eq!(metric("spend").read(text), None, "{text:?}");
        assert_eq!(metric("read_ratio").read(text), None, "{text:?}");
    }
    assert_eq!(metric("delivered").read("-3"), Some(-3.0));
}

#[test]
fn names_on_both_wires() {
    assert_eq!(metric("link_clicks").snake(), "marketing_messages_link_btn_click");
    assert_eq!(metric("link_clicks").pascal(), "MarketingMessagesLinkBtnClick");
    assert_eq!(metric("website_conversions").snake(), "actions");
}

#[test]
fn the_table_is_sound() {
    let mut names: Vec<_> = METRICS.iter().map(|m| m.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), METRICS.len(), "family names are unique");
    for metric in &METRICS {
        assert!(metric.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", metric.name);
        assert!(!metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
        assert!(metric.extra.is_some() || metric.cams, "{} is on by default and known to both APIs", metric.name);
    }
    assert_eq!(MetricSet::default_on(), MetricSet::cams());
    for word in extra_words() {
        assert!(MetricSet::default_on().with_extra(word).is_some(), "{word}");
    }
    assert_eq!(MetricSet::default_on().with_extra("delivered"), None);
}
