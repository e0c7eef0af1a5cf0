//! The page's HTML. Every text of the API, of the configuration and of the query is escaped by `maud`.

use maud::{DOCTYPE, Markup, html};

use super::fragment::{account, instant, marked, moment, none};
use super::overview::{Exporter, FaultView, Overview, TargetState, TargetView};
use super::query::{PAGE_ROWS, SortKey, TargetQuery};
use super::tables::{credentials, lanes};
use super::when::{InstantView, span};
use crate::domain::counted::counted;

/// Name of the style sheet, below `-/assets/`.
pub(super) const STYLE_NAME: &str = concat!("status-", env!("CARGO_PKG_VERSION"), ".css");

const TITLE: &str = "Marketing messages exporter";

/// The whole page. All references are relative: it may stand behind a proxy, below any path.
pub(super) fn page(overview: &Overview<'_>, query: &TargetQuery, metrics: &str) -> Markup {
    let now = overview.exporter.now;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (TITLE) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href={ "-/assets/" (STYLE_NAME) };
            }
            body {
                (top(&overview.exporter, metrics))
                main {
                    (states(overview, query))
                    (credentials(&overview.credentials, now))
                    (lanes(&overview.lanes, now))
                    (targets(overview, query))
                }
            }
        }
    }
}

fn top(exporter: &Exporter, metrics: &str) -> Markup {
    let now = exporter.now;
    html! {
        header {
            div.name {
                h1 { (TITLE) }
                p.quiet {
                    "version " (exporter.version) ", revision " (exporter.revision)
                    " · up " (moment(exporter.start_time, now, &span(now.0 - exporter.start_time.0)))
                    " · as of " (moment(now, now, &now.exact()))
                }
            }
            nav {
                a href=(if metrics.is_empty() { "./" } else { metrics }) { "Metrics" }
                a href="config" { "Configuration" }
                a href="api/v1/targets" { "JSON" }
                a href="-/ready" { "Ready" }
                a href="-/healthy" { "Healthy" }
            }
        }
        @if !exporter.ready {
            p.notice.new { "Some targets have not been polled yet, so scrapes are incomplete." }
        }
        @if !exporter.config_reload_successful {
            p.notice.failing role="alert" {
                "The last reload failed. The previous configuration"
                @if let Some(at) = exporter.config_last_success { ", of " (moment(at, now, &at.exact())) "," }
                " is still in use. The log and the command " code { "check" } " list every problem."
            }
        }
    }
}

/// How many targets are in each state; a click shows them alone.
fn states(overview: &Overview<'_>, query: &TargetQuery) -> Markup {
    html! {
        nav.states aria-label="Targets by state" {
            @for (state, number) in overview.states.iter().filter(|(_, number)| **number > 0) {
                @let chosen = query.state == Some(*state);
                @let to = TargetQuery { state: (!chosen).then_some(*state), page: 0, ..query.clone() };
                a class=(state.name()) href=(to.query()) aria-current=[chosen.then_some("true")] title=(state.meaning()) {
                    strong { (number) } " " (state.word())
                }
            }
        }
    }
}

fn targets(overview: &Overview<'_>, query: &TargetQuery) -> Markup {
    let (now, all) = (overview.exporter.now, overview.states.values().sum::<usize>());
    let found = overview.targets.len();
    let pages = found.div_ceil(PAGE_ROWS).max(1);
    let page = query.page.min(pages - 1);
    let shown = &overview.targets[page * PAGE_ROWS..found.min((page + 1) * PAGE_ROWS)];
    html! {
        h2 id="targets" { "Targets" }
        (form(query))
        p.quiet role="status" {
            @if found != all { (found) " of " } (counted(all, "target"))
            @if pages > 1 { ", page " (page + 1) " of " (pages) }
            @if *query != TargetQuery::default() { " · " a href="./#targets" { "show all" } }
        }
        @if shown.is_empty() {
            p.empty {
                @if all == 0 { "There are no targets. Add accounts, channels or campaigns to the configuration." }
                @else { "No target matches." }
            }
        } @else {
            div.wide {
                table.targets {
                    thead {
                        tr {
                            @for column in &COLUMNS { (heading(query, column)) }
                        }
                    }
                    tbody {
                        @for target in shown { tr { @for column in &COLUMNS { (column.cell(target, now)) } } }
                    }
                }
            }
        }
        @if pages > 1 {
            nav.pages aria-label="Pages" {
                @if page > 0 { a rel="prev" href=(TargetQuery { page: page - 1, ..query.clone() }.query()) { "← previous" } }
                @if page + 1 < pages { a rel="next" href=(TargetQuery { page: page + 1, ..query.clone() }.query()) { "next →" } }
            }
        }
    }
}

/// A column of the table of targets.
struct TargetColumn {
    title: &'static str,
    class: Option<&'static str>,
    /// What its heading sorts by.
    sort: Option<SortKey>,
    content: fn(&TargetView<'_>, InstantView) -> Markup,
}

const COLUMNS: [TargetColumn; 8] = [
    TargetColumn { title: "State", class: None, sort: Some(SortKey::State), content: state },
    TargetColumn { title: "Target", class: None, sort: Some(SortKey::Target), content: name },
    TargetColumn {
        title: "Last success",
        class: None,
        sort: Some(SortKey::Success),
        content: |target, now| instant(target.last_success, now),
    },
    TargetColumn {
        title: "Next poll",
        class: None,
        sort: Some(SortKey::Next),
        content: |target, now| instant(target.next_poll, now),
    },
    TargetColumn { title: "Interval", class: None, sort: Some(SortKey::Interval), content: interval },
    TargetColumn {
        title: "Failures",
        class: Some("number"),
        sort: Some(SortKey::Failures),
        content: |target, _| html! { (target.consecutive_failures) },
    },
    TargetColumn {
        title: "Samples",
        class: Some("number"),
        sort: Some(SortKey::Samples),
        content: |target, _| html! { (target.samples) },
    },
    TargetColumn { title: "Last fault", class: Some("fault"), sort: None, content: last_fault },
];

impl TargetColumn {
    fn cell(&self, target: &TargetView<'_>, now: InstantView) -> Markup {
        html! { td class=[self.class] data-label=(self.title) { ((self.content)(target, now)) } }
    }
}

fn form(query: &TargetQuery) -> Markup {
    html! {
        form method="get" action="./#targets" role="search" {
            input type="search" name="q" value=(query.text) maxlength="200" aria-label="Search"
                placeholder="account, campaign, window, fault …";
            select name="state" aria-label="State" {
                option value="" { "any state" }
                @for state in TargetState::ALL {
                    option value=(state.name()) selected[query.state == Some(state)] { (state.word()) }
                }
            }
            @if query.sort != SortKey::default() || query.descending {
                input type="hidden" name="sort" value=(query.sort_value());
            }
            button { "Filter" }
        }
    }
}

/// A heading, which sorts if the column can; the one in force sorts the other way round.
fn heading(query: &TargetQuery, column: &TargetColumn) -> Markup {
    let Some(key) = column.sort else { return html! { th { (column.title) } } };
    let current = query.sort == key;
    let to = TargetQuery { sort: key, descending: current && !query.descending, page: 0, ..query.clone() };
    let order = current.then_some(if query.descending { "descending" } else { "ascending" });
    html! {
        th class=[column.class] aria-sort=[order] {
            a href={ (to.query()) "#targets" } { (column.title) @match order { Some("descending") => " ↓", Some(_) => " ↑", None => "" } }
        }
    }
}

fn state(target: &TargetView<'_>, now: InstantView) -> Markup {
    html! {
        span.state.(target.state.name()) title=(target.state.meaning()) { (target.state.word()) }
        @if let Some(since) = target.since.filter(|_| target.up == Some(false)) {
            " " span.quiet { "since " (moment(since, now, &span(now.0 - since.0))) }
        }
    }
}

fn name(target: &TargetView<'_>, _: InstantView) -> Markup {
    html! {
        @match target.subject.as_str() {
            what if target.campaign_name.is_empty() => { (account(target.account_name, &target.account_id)) " " strong { (what) } }
            id => { strong { (target.campaign_name) } " " span.quiet { (id) } " " (account(target.account_name, &target.account_id)) }
        }
        " " span.window { (target.window) }
        " " span.quiet { (target.source) " / " (target.credential) }
    }
}

fn interval(target: &TargetView<'_>, _: InstantView) -> Markup {
    html! {
        (span(target.interval_seconds))
        @if target.stretch > 1.005 { " " span.until.waiting { "× " (format!("{:.1}", target.stretch)) } }
        @if let Some(bound) = target.leaves_early_seconds {
            " " span.until.waiting { "dropped after " (span(bound)) ": raise stale_after" }
        }
    }
}

fn last_fault(target: &TargetView<'_>, now: InstantView) -> Markup {
    html! {
        @match (target.current_fault(), target.last_fault) {
            (Some(fault), _) => { (current_fault(&fault, now)) }
            (None, Some(fault)) => { span.quiet title=(fault.message) { (fault.reason) ", " (instant(Some(fault.at), now)) ", resolved" } }
            (None, None) => { (none()) }
        }
    }
}

/// What is wrong, in the exporter's words and in the API's, and what to do.
fn current_fault(fault: &FaultView<'_>, now: InstantView) -> Markup {
    html! {
        strong { (fault.reason) } ": " (fault.meaning) ", " (instant(Some(fault.at), now))
        p.message { (fault.message) }
        p.remedy { (marked(fault.remedy)) }
    }
}
