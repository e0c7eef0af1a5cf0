//! Pieces of HTML that several tables share.

use maud::{Markup, html};

use super::when::InstantView;

/// What stands between backticks, as code.
pub(super) fn marked(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// An account by its name, where it is known.
pub(super) fn account(name: &str, id: &str) -> Markup {
    html! {
        @match (name, id) {
            ("", "") => { span.quiet { "no account" } }
            ("", id) => { (id) }
            (name, id) => { (name) " " span.quiet { (id) } }
        }
    }
}

pub(super) fn instant(at: Option<InstantView>, now: InstantView) -> Markup {
    at.map_or_else(none, |at| moment(at, now, &at.seen_from(now)))
}

pub(super) fn moment(at: InstantView, now: InstantView, text: &str) -> Markup {
    let title = if text == at.exact() { at.seen_from(now) } else { at.exact() };
    html! { time datetime=(at.rfc3339()) title=(title) { (text) } }
}

pub(super) fn none() -> Markup {
    html! { span.quiet.none { "–" } }
}
