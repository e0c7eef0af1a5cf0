//! PromQL over a whole grid of times at once: each series is a column, each operator works on columns.
//!
//! What is not supported is an error, never a guess. A test holds the results to promtool.

mod aggregate;
mod binary;
pub mod column;
mod function;
pub mod series;

use std::collections::HashMap;
use std::time::Duration;

use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, Offset, VectorSelector};

use crate::rules::Rules;
use aggregate::aggregate;
use binary::{Value, binary};
use column::{ABSENT, Column};
use series::{Labels, NAME, Series, merged};

/// How far a query looks back for a sample: the default of Prometheus.
const LOOKBACK: u64 = 300;

/// The times at which everything is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Unix time of the first step.
    pub start: i64,
    /// Seconds between two steps.
    pub step: u64,
    pub steps: usize,
}

/// Series by the name of their family.
pub type Store = HashMap<String, Vec<Series>>;

/// One evaluation of rules over figures. Recorded series are evaluated when they are first needed.
pub struct Evaluation<'a> {
    grid: Grid,
    rules: &'a Rules,
    store: Store,
    /// Names that are being evaluated, against rules that need themselves.
    pending: Vec<String>,
}

impl<'a> Evaluation<'a> {
    pub fn new(grid: Grid, rules: &'a Rules, store: Store) -> Self {
        Self { grid, rules, store, pending: Vec::new() }
    }

    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The same of some steps only, as if Prometheus had begun with the first of them.
    pub fn within(mut self, steps: std::ops::Range<usize>) -> Self {
        let all = self.grid.steps;
        for one in self.store.values_mut().flatten() {
            one.column = Column::Each(one.column.values(all)[steps.clone()].into());
        }
        self.grid.start += (steps.start as u64 * self.grid.step) as i64;
        self.grid.steps = steps.len();
        self
    }

    /// What was there before any rule.
    pub fn scraped(&self) -> Vec<Series> {
        let recorded = |name: &str| self.rules.recording(name).next().is_some();
        self.store.iter().filter(|(name, _)| !recorded(name)).flat_map(|(_, series)| series.clone()).collect()
    }

    fn steps(&self) -> usize {
        self.grid.steps
    }

    fn time(&self) -> Column {
        let at = |step: usize| self.grid.start as f64 + (step as u64 * self.grid.step) as f64;
        Column::Each((0..self.grid.steps).map(at).collect())
    }

    /// All series of a name, recorded or scraped.
    pub fn family(&mut self, name: &str) -> Result<&[Series], String> {
        if !self.store.contains_key(name) {
            if self.pending.iter().any(|own| own == name) {
                return Err(format!("{name} is made of itself"));
            }
            self.pending.push(name.to_owned());
            let mut all = Vec::new();
            let rules = self.rules;
            for rule in rules.recording(name) {
                for mut one in self.vector(&rule.expression).map_err(|error| format!("{name}: {error}"))? {
                    one.labels.set(NAME, name);
                    for (label, value) in &rule.labels {
                        one.labels.set(label, value);
                    }
                    all.push(one);
                }
            }
            self.pending.pop();
            self.store.insert(name.to_owned(), merged(all).map_err(|error| format!("{name}: {error}"))?);
        }
        Ok(&self.store[name])
    }

    pub fn vector(&mut self, expression: &Expr) -> Result<Vec<Series>, String> {
        match self.value(expression)? {
            Value::Vector(series) => Ok(series),
            Value::Scalar(column) => Ok(vec![Series { labels: Labels::default(), column }]),
        }
    }

    fn scalar(&mut self, expression: &Expr) -> Result<Column, String> {
        match self.value(expression)? {
            Value::Scalar(column) => Ok(column),
            Value::Vector(_) => Err(format!("{expression} is not a scalar")),
        }
    }

    fn value(&mut self, expression: &Expr) -> Result<Value, String> {
        match expression {
            Expr::NumberLiteral(literal) => Ok(Value::Scalar(Column::Same(literal.val))),
            Expr::Paren(inner) => self.value(&inner.expr),
            Expr::Unary(inner) => match self.value(&inner.expr)? {
                Value::Scalar(column) => Ok(Value::Scalar(column.map(|value| -value))),
                Value::Vector(series) => merged(
                    series
                        .into_iter()
                        .map(|one| Series { labels: one.labels.unnamed(), column: one.column.map(|value| -value) }),
                )
                .map(Value::Vector),
            },
            Expr::VectorSelector(selector) => self.selected(selector).map(Value::Vector),
            Expr::Binary(inner) => {
                let (left, right) = (self.value(&inner.lhs)?, self.value(&inner.rhs)?);
                binary(&inner.op.to_string(), left, right, inner.modifier.as_ref())
                    .map_err(|error| format!("{error} in {inner}"))
            }
            Expr::Aggregate(inner) => {
                let parameter = match &inner.param {
                    Some(parameter) => match self.scalar(parameter)? {
                        Column::Same(value) => Some(value),
                        Column::Each(_) => return Err(format!("{inner}: only constant parameters are supported")),
                    },
                    None => None,
                };
                let series = self.vector(&inner.expr)?;
                aggregate(&inner.op.to_string(), series, parameter, inner.modifier.as_ref(), self.grid.steps)
                    .map(Value::Vector)
            }
            Expr::Call(inner) => function::call(self, inner.func.name, &inner.args.args),
            other => Err(format!("not supported: {other}")),
        }
    }

    /// The series of a range selector, and its width in steps.
    fn range(&mut self, expression: &Expr) -> Result<(Vec<Series>, usize), String> {
        let Expr::MatrixSelector(selector) = expression else {
            return Err(format!("{expression} is not a range of samples"));
        };
        Ok((self.selected(&selector.vs)?, (selector.range.as_secs() / self.grid.step) as usize))
    }

    fn selected(&mut self, selector: &VectorSelector) -> Result<Vec<Series>, String> {
        let name = selector.name.as_deref().ok_or_else(|| format!("{selector}: a name is needed"))?;
        if selector.at.is_some() || !selector.matchers.or_matchers.is_empty() {
            return Err(format!("not supported: {selector}"));
        }
        let grid = self.grid;
        let offset = match &selector.offset {
            None => Duration::ZERO,
            Some(Offset::Pos(offset)) => *offset,
            Some(Offset::Neg(_)) => return Err(format!("{selector} looks ahead")),
        };
        let fits = |labels: &Labels| {
            selector.matchers.matchers.iter().all(|matcher| {
                let value = labels.get(&matcher.name);
                match &matcher.op {
                    MatchOp::Equal => value == matcher.value,
                    MatchOp::NotEqual => value != matcher.value,
                    MatchOp::Re(pattern) => pattern.is_match(value),
                    MatchOp::NotRe(pattern) => !pattern.is_match(value),
                }
            })
        };
        let chosen = self.family(name)?.iter().filter(|one| fits(&one.labels)).cloned();
        let seconds = offset.as_secs();
        if seconds == 0 {
            return Ok(chosen.collect());
        }
        // Between two steps the sample of the earlier one counts, as long as a query looks back.
        let by = seconds.div_ceil(grid.step) as usize;
        let is_seen = by as u64 * grid.step - seconds < LOOKBACK;
        Ok(chosen
            .map(|one| Series {
                column: if is_seen { one.column.shifted(by, grid.steps) } else { Column::Same(ABSENT) },
                labels: one.labels,
            })
            .filter(|one| !one.column.is_empty())
            .collect())
    }
}
