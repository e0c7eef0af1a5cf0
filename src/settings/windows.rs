//! The windows of a target, from the list that was typed.

use super::entry::List;
use super::raw::{Range, WindowChoice};
use super::report::Location;
use crate::domain::target::Window;

/// The windows of a list; `None` unless the list is sound.
pub(super) fn windows(at: &Location<'_>, choices: List<WindowChoice>) -> Option<Vec<Window>> {
    if choices.is_empty() {
        at.problem("the list is empty; add a window, or remove the key to use the default");
    }
    let mut windows: Vec<Window> = Vec::new();
    for (at, choice) in at.items(choices) {
        let window = match choice {
            WindowChoice::Preset(window) => Some(window),
            WindowChoice::Range(range) => span(&at, *range),
        };
        let Some(window) = window else { continue };
        // Both would be the same series.
        if windows.iter().any(|other| other.label() == window.label()) {
            at.problem(format!("the window `{}` is listed twice; remove one of them", window.label()));
        }
        windows.push(window);
    }
    (!windows.is_empty()).then_some(windows)
}

fn span(at: &Location<'_>, range: Range) -> Option<Window> {
    let name = at.require("name", range.name);
    let since = at.require("since", range.since);
    let until = at.require("until", range.until);
    let (name, since, until) = (name?.0, since?, until?);
    if since > until {
        at.problem(format!("since {since} is after until {until}; swap them"));
    }
    Some(Window::Range { name, since, until })
}
