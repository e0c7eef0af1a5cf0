//! Fingerprints as state files hold them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::play::{account, campaign_id, plan};
use crate::domain::filter::{Filter, Glob};
use crate::domain::fleet::{Fleet, Planned, Selection};
use crate::domain::metric::MetricSet;
use crate::domain::target::{AccountId, Level, PageId};

/// The fingerprint of a target with this selection.
fn fingerprint(selection: Selection) -> String {
    let plan = plan(Fleet { accounts: vec![account(7)], ..Fleet::default() });
    let planned = plan.fleet.targets(|_| Vec::new()).pop().unwrap();
    let mut planned = Planned { selection, ..planned };
    planned.terms.metrics = MetricSet::NONE;
    plan.fingerprint(&planned)
}

#[test]
fn a_target_of_an_earlier_version_goes_on_after_an_upgrade() {
    let ids = |ids: &[u32]| Some(Arc::new(ids.iter().map(|id| campaign_id(*id)).collect::<BTreeSet<_>>()));
    let filter = |name: &str, states: &[&'static str]| {
        Some(Arc::new(Filter { name: Glob::new(name), states: states.iter().copied().collect() }))
    };
    let (page, account) = (PageId::parse("77").unwrap(), AccountId::parse("7").unwrap());
    let kept = [
        (Selection::whole(Level::Ad), "a522ee90ca99d8a2"),
        (Selection::whole(Level::Campaign), "b31662960f2821ab"),
        (
            Selection::Campaigns { level: Level::Ad, only: ids(&[]), filtered: false, matching: None, except: None },
            "145b118253daa246",
        ),
        (
            Selection::Campaigns {
                level: Level::Ad,
                only: ids(&[2, 10]),
                filtered: true,
                matching: None,
                except: None,
            },
            "d3a9aaed4ca26aa3",
        ),
        (
            Selection::Campaigns {
                level: Level::Campaign,
                only: None,
                filtered: false,
                matching: filter("Frühling \"2\"*", &["PAUSED", "ACTIVE"]),
                except: None,
            },
            "d3e81abaad1d6aa3",
        ),
        (
            Selection::Campaigns {
                level: Level::Ad,
                only: None,
                filtered: false,
                matching: filter("", &[]),
                except: None,
            },
            "04246751596940c6",
        ),
        (Selection::Channel { space: "cams-\"a\"".into(), page, account, currency: None }, "fb18acdfe3e7e004"),
    ];
    for (selection, kept) in kept {
        let ours = fingerprint(selection.clone());
        assert_eq!(ours, kept, "every target of {selection:?} would start anew after an upgrade");
    }
}
