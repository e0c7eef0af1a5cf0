//! Watching and disturbing a world while it is served: in the process, or over HTTP below
//! `/_control/`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::answer::reply;
use super::fault::{FaultRule, ScriptedFault};
use super::spec::Spec;
use super::world::{Statistics, World, WorldChange};
use super::{Call, Epoch, Reply, Shared, spoken};

/// A handle on a world; clones are the same world.
#[derive(Clone, Debug)]
pub struct Control {
    world: Shared<World>,
    epoch: Epoch,
}

impl Control {
    pub(super) fn new(spec: Spec, epoch: Epoch) -> Self {
        Self { world: Arc::new(Mutex::new(World::new(spec))), epoch }
    }

    /// What was asked so far.
    pub fn statistics(&self) -> Statistics {
        self.world().statistics.clone()
    }

    /// Applies a change.
    pub fn change(&self, change: WorldChange) {
        let mut world = self.world();
        let moment = self.epoch.now(world.offset);
        world.change(change, moment);
    }

    /// Scripts a disturbance.
    pub fn script(&self, rule: FaultRule) {
        self.change(WorldChange::Fault(rule));
    }

    /// Disturbances that nobody met: a test that scripts more than it needs does not test what it says.
    pub fn leftover_faults(&self) -> u32 {
        self.world().leftover_faults()
    }

    /// The text of a token as it is valid now.
    pub fn current_token(&self, name: &str) -> Option<String> {
        let mut world = self.world();
        let moment = self.epoch.now(world.offset);
        world.tell(moment);
        world.spec.tokens.iter().find(|token| token.name == name).map(|token| token.text.clone())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A panic in a handler does not make the world's data wrong.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self, call: &Call) -> (Reply, Option<ScriptedFault>) {
        let mut world = self.world();
        let moment = self.epoch.now(world.offset);
        reply(&mut world, call, moment)
    }

    pub(super) fn serve(&self, call: &Call) -> Reply {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/_control/statistics") => Reply::json(200, &self.statistics()),
            ("GET", "/_control/leftover_faults") => Reply::json(200, &self.leftover_faults()),
            ("POST", "/_control/change") => match spoken::change(&call.body) {
                Ok(change) => {
                    self.change(change);
                    Reply::json(200, &Value::Null)
                }
                Err(error) => Reply::json(400, &json!({"error": error})),
            },
            _ => Reply::json(
                404,
                &json!({"error": "GET /_control/statistics, GET /_control/leftover_faults or POST /_control/change"}),
            ),
        }
    }
}
