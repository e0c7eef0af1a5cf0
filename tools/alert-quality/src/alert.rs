//! From an expression to an alert: pending, firing, firing on.

use crate::promql::Evaluation;
use crate::promql::column::is_present;
use crate::promql::series::Labels;
use crate::rules::Rule;

/// One alert that fired: the first step at which it did, and the first at which it did no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    pub labels: Labels,
    pub start: usize,
    pub end: usize,
}

/// Every time that an alert fires, as Prometheus decides it.
pub fn episodes(evaluation: &mut Evaluation, rule: &Rule) -> Result<Vec<Episode>, String> {
    let grid = evaluation.grid();
    let series = evaluation.vector(&rule.expression).map_err(|error| format!("{}: {error}", rule.name))?;
    let mut all = Vec::new();
    for one in series {
        let values = one.column.values(grid.steps);
        let mut active: Option<usize> = None;
        let mut firing: Option<usize> = None;
        let mut last = 0;
        for step in 0..grid.steps {
            if is_present(values[step]) {
                let since = *active.get_or_insert(step);
                last = step;
                if firing.is_none() && (step - since) as u64 * grid.step >= rule.hold {
                    firing = Some(step);
                }
            } else if active.is_some() {
                // The time begins to count at the first evaluation without a result.
                if firing.is_none() || (step - last - 1) as u64 * grid.step >= rule.keep {
                    if let Some(start) = firing.take() {
                        all.push(Episode { labels: one.labels.unnamed(), start, end: step });
                    }
                    active = None;
                }
            }
        }
        if let Some(start) = firing {
            all.push(Episode { labels: one.labels.unnamed(), start, end: grid.steps });
        }
    }
    Ok(all)
}
