//! A campaign's windows in order of time: what random access gives, several times faster.

use std::collections::BTreeMap;
use std::ops::Range;

use super::chance::Path;
use super::course::{Course, Day, Recent};
use super::{Figures, SLOTS_PER_DAY, Tick, TrailingDays};

/// Figures over windows at the end of each slot, in order.
#[derive(Debug)]
pub struct Replay<'a, const N: usize> {
    course: &'a Course,
    windows: [TrailingDays; N],
    now: Tick,
    end: i64,
    recent: Recent,
    today: Option<(Day, [Path; 4])>,
    /// Finished days that are in any window, as known now.
    finished: BTreeMap<i64, Figures>,
    /// Those that change, by when.
    revisions: BTreeMap<(Tick, i64), Figures>,
    /// What each window holds of finished days.
    sums: [Figures; N],
}

impl Course {
    /// Its figures over windows at the end of each slot of some days, in order.
    pub fn replay<const N: usize>(&self, days: Range<i64>, windows: [TrailingDays; N]) -> Replay<'_, N> {
        Replay::new(self, days, windows)
    }
}

impl<'a, const N: usize> Replay<'a, N> {
    pub(super) fn new(course: &'a Course, days: Range<i64>, windows: [TrailingDays; N]) -> Self {
        let now = Tick { day: days.start.max(course.first()), slot: 0 };
        let recent = course.recent(now.day);
        let mut replay = Self {
            course,
            windows,
            now,
            end: days.end,
            recent,
            today: None,
            finished: BTreeMap::new(),
            revisions: BTreeMap::new(),
            sums: [Figures::default(); N],
        };
        let oldest = windows.iter().map(|window| i64::from(window.oldest)).max().unwrap_or_default();
        let begin = now.day.saturating_sub(oldest).max(course.first());
        let mut recent = course.recent(begin);
        for day in begin..now.day {
            course.advance(&mut recent, day);
            replay.finish(&course.day(&recent, day, &[SLOTS_PER_DAY]), day);
        }
        replay.begin();
        replay
    }

    /// Remembers a finished day, with its revision if that is still to come.
    fn finish(&mut self, day: &Day, number: i64) {
        self.finished.insert(number, day.figures(SLOTS_PER_DAY, self.now));
        if let Some(revised) = day.revised.filter(|revised| *revised > self.now) {
            self.revisions.insert((revised, number), day.figures(SLOTS_PER_DAY, revised));
        }
    }

    /// Begins a day.
    fn begin(&mut self) {
        self.course.advance(&mut self.recent, self.now.day);
        let slots: [usize; SLOTS_PER_DAY + 1] = std::array::from_fn(|slot| slot);
        let day = self.course.day(&self.recent, self.now.day, &slots);
        let paths = day.paths();
        self.today = Some((day, paths));
        let oldest = self.windows.iter().map(|window| i64::from(window.oldest)).max().unwrap_or_default();
        self.finished = self.finished.split_off(&self.now.day.saturating_sub(oldest));
        self.sum();
    }

    fn sum(&mut self) {
        for (sum, window) in self.sums.iter_mut().zip(self.windows) {
            let first = self.now.day.saturating_sub(window.oldest.into());
            let last = self.now.day.saturating_sub(window.newest.into());
            *sum = Figures::default();
            self.finished.range(first..=last.max(first)).for_each(|(_, figures)| *sum += *figures);
        }
    }
}

impl<const N: usize> Iterator for Replay<'_, N> {
    type Item = (Tick, [Figures; N]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.now.day >= self.end {
            return None;
        }
        self.now.slot += 1;
        let mut revised = false;
        while let Some(revision) = self.revisions.first_entry().filter(|revision| revision.key().0 <= self.now) {
            let (_, day) = *revision.key();
            let figures = revision.remove();
            if let Some(finished) = self.finished.get_mut(&day) {
                *finished = figures;
                revised = true;
            }
        }
        if revised {
            self.sum();
        }
        let now = self.now;
        let (day, paths) = self.today.as_mut()?;
        let today = day.counted(paths, usize::from(now.slot), now);
        let mut figures = self.sums;
        for (sum, window) in figures.iter_mut().zip(self.windows) {
            if window.newest == 0 {
                *sum += today;
            }
        }
        if now.slot == Tick::SLOTS_PER_DAY {
            if let Some((day, _)) = self.today.take() {
                self.finish(&day, now.day);
            }
            self.now = Tick { day: now.day + 1, slot: 0 };
            if self.now.day < self.end {
                self.begin();
            }
        }
        Some((now, figures))
    }
}
