//! What the statistical model of campaigns costs: all of it in order, and a page of rows.

use divan::{Bencher, black_box};
use marketing_messages_exporter::simulate::model::{
    CampaignEvent, DayShape, Lag, Model, Profile, Revision, Tick, TrailingDays,
};

fn main() {
    divan::main();
}

fn profile(clicks: f64) -> Profile {
    Profile {
        shape: DayShape::DayCurve,
        weekdays: Profile::WEEK,
        lag: Lag::minutes(30.0),
        cost_spread: 0.1,
        revision: Revision { share: 0.02, within_days: 28 },
        ..Profile::clicks_per_day(clicks)
    }
}

/// 1,000 campaigns, 90 days, three windows, at each quarter of an hour.
#[divan::bench(args = [5, 50, 500, 5000], sample_count = 3, sample_size = 1)]
fn replay(bencher: Bencher<'_, '_>, clicks: u32) {
    let model = Model::new(&profile(clicks.into()));
    bencher.bench(|| {
        for campaign in 0..1000 {
            let course = model.course(1, campaign).with(CampaignEvent::cost_step(Tick { day: 60, slot: 44 }, 2.0));
            for figures in course.replay(0..90, [TrailingDays::TODAY, TrailingDays::last(7), TrailingDays::last(28)]) {
                black_box(figures);
            }
        }
    });
}

/// A page of 500 campaigns: the last 28 days of each.
#[divan::bench(args = [500, 5000])]
fn page(bencher: Bencher<'_, '_>, clicks: u32) {
    let model = Model::new(&profile(clicks.into()));
    bencher.bench(|| {
        for campaign in 0..500 {
            black_box(model.course(1, campaign).window(TrailingDays::last(28), Tick { day: 200, slot: 50 }));
        }
    });
}
