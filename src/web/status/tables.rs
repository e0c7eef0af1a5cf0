//! The tables of credentials and of allowances.

use maud::{Markup, html};

use super::fragment::{account, instant, marked, moment, none};
use super::overview::{CredentialView, LaneView};
use super::when::InstantView;
use crate::domain::budget::Basis;
use crate::domain::status::ENDS_SOON;

/// Lanes on the page, the fullest ones; JSON has all of them.
const MAX_LANES: usize = 24;

/// An allowance that is used to this share is worth a look, and to this one soon gone.
const STRAINED_SHARE: f64 = 0.75;
const SPENT_SHARE: f64 = 1.0;

/// A token that ends within so many seconds is urgent; an alert has the same time.
const URGENT_SECONDS: f64 = 3.0 * 86_400.0;

/// How each credential fares, and how long its token lives.
pub(super) fn credentials(credentials: &[CredentialView<'_>], now: InstantView) -> Markup {
    html! {
        h2 { "Credentials" }
        div.wide {
            table {
                thead { tr { th { "Credential" } th { "State" } th { "Token expires" } th { "Data access ends" } th { "Last read" } th.number { "Targets" } } }
                tbody {
                    @for credential in credentials {
                        @let (class, word) = match credential.accepted {
                            _ if !credential.readable => ("refused", "cannot be read"),
                            Some(true) => ("up", "accepted"),
                            Some(false) => ("refused", "refused"),
                            None => ("new", "not used yet"),
                        };
                        tr {
                            td data-label="Credential" { (credential.name) " " span.quiet { (credential.source) } }
                            td data-label="State" {
                                span.state.(class) { (word) }
                                @if let Some(unreadable) = credential.unreadable {
                                    " since " (instant(Some(unreadable.since), now)) p.message { (unreadable.message) }
                                    @if credential.accepted == Some(true) { p.remedy { "Until then, the last content that could be read is used." } }
                                }
                                @if let Some(fault) = credential.refusal {
                                    " " (instant(Some(fault.at), now)) p.message { (fault.message) } p.remedy { (marked(fault.remedy)) }
                                }
                            }
                            td data-label="Token expires" { (end(credential.expires, credential.expiry_note, now)) }
                            td data-label="Data access ends" { (end(credential.data_access_expires, None, now)) }
                            td data-label="Last read" { (instant(credential.last_read, now)) }
                            td.number data-label="Targets" { (credential.targets) }
                        }
                    }
                }
            }
        }
    }
}

/// When something ends, louder the nearer; or what is known instead.
fn end(at: Option<InstantView>, note: Option<&str>, now: InstantView) -> Markup {
    let Some(at) = at else { return note.map_or_else(none, |note| html! { span.quiet { (note) } }) };
    let left = at.0 - now.0;
    let class = match left {
        _ if left < URGENT_SECONDS => "refused",
        _ if left < ENDS_SOON => "waiting",
        _ => "",
    };
    html! { span.{ "until " (class) } { (moment(at, now, &at.seen_from(now))) } }
}

/// What is used of each allowance, and what is wanted.
pub(super) fn lanes(lanes: &[LaneView<'_>], now: InstantView) -> Markup {
    let mut lanes: Vec<_> = lanes.iter().collect();
    let strain = |lane: &LaneView<'_>| {
        let shares = [lane.wanted(), lane.most_used().map(|(_, ratio)| ratio)];
        (lane.blocked_until.is_some(), shares.into_iter().flatten().fold(0.0, f64::max))
    };
    lanes.sort_by(|one, other| {
        let (one, other) = (strain(one), strain(other));
        other.0.cmp(&one.0).then(other.1.total_cmp(&one.1))
    });
    let rest = lanes.len().saturating_sub(MAX_LANES);
    html! {
        h2 { "Allowances" }
        div.wide {
            table {
                thead { tr { th { "Account" } th { "Used, as reported by the API" } th { "Demand against the budget" } th { "Intervals" } th { "State" } } }
                tbody {
                    @for lane in lanes.iter().take(MAX_LANES) {
                        tr {
                            td data-label="Account" { (account(lane.account_name, &lane.account_id)) " " span.quiet { (lane.source) " / " (lane.credential) } }
                            td data-label="Used" {
                                @match lane.most_used() {
                                    Some((limit, ratio)) => { (bar(ratio)) span.quiet { (limit) } }
                                    None => { span.quiet { "not reported" } }
                                }
                            }
                            td data-label="Demand" {
                                @match lane.wanted() {
                                    Some(share) => {
                                        (bar(share))
                                        span.quiet {
                                            (requests(lane.demand_requests_per_hour)) " of " (requests(lane.allowance_requests_per_hour)) " requests an hour"
                                            @if let Some(believed) = lane.believed.filter(|believed| believed.basis != Basis::Told) {
                                                " (" (believed.sentence()) ")"
                                            }
                                        }
                                    }
                                    None => { (none()) }
                                }
                            }
                            td data-label="Intervals" {
                                @match lane.stretch {
                                    Some(stretch) if stretch > 1.005 => { span.until.waiting { (format!("{stretch:.1}")) " times as long" } }
                                    Some(_) => { "as configured" }
                                    None => { (none()) }
                                }
                            }
                            td data-label="State" {
                                @match lane.blocked_until {
                                    Some(until) => { span.state.waiting { "blocked" } ", resumes " (instant(Some(until), now)) }
                                    None => { span.state.up { "open" } }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if rest > 0 {
            p.quiet { (rest) @if rest == 1 { " other lane has" } @else { " other lanes have" } " more to spare; the " a href="api/v1/targets" { "JSON" } " lists all of them." }
        }
    }
}

/// Whole requests; fractions where there are few.
fn requests(number: Option<f64>) -> String {
    match number {
        None => String::new(),
        Some(number) if number < 10.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.0}"),
    }
}

/// A share as a bar and as a figure. The width is an attribute: the policy lets no style in.
fn bar(share: f64) -> Markup {
    let class = match share {
        _ if share >= SPENT_SHARE => "refused",
        _ if share >= STRAINED_SHARE => "waiting",
        _ => "up",
    };
    let percent = format!("{:.0}", share * 100.0);
    let width = format!("{:.1}", (share * 100.0).clamp(0.0, 100.0));
    html! {
        span.bar {
            svg.(class) viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                rect.track width="100" height="10" {}
                rect width=(width) height="10" {}
            }
            (percent) "\u{a0}%"
        }
    }
}
