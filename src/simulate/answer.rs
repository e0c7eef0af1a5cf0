//! What the simulated APIs answer: a function of the world, the request and the moment.

use super::fault::{Delivery, ScriptedFault, deliver};
use super::world::World;
use super::{Call, Reply, WorldTime, cams, graph};

/// Answers a request as the APIs do at an instant, disturbed as scripted. Nothing is waited for: the answer says how
/// late it comes.
pub fn answer(world: &mut World, request: &http::Request<Vec<u8>>, moment: WorldTime) -> Delivery {
    let (parts, body) = request.clone().into_parts();
    let (reply, fault) = reply(world, &Call::new(&parts, body.into()), moment);
    deliver(reply, fault)
}

pub(super) fn reply(world: &mut World, call: &Call, moment: WorldTime) -> (Reply, Option<ScriptedFault>) {
    world.tell(moment);
    let (endpoint, mut reply) = if call.headers.contains_key("x-acs-action") {
        cams::answer(world, call, moment)
    } else {
        graph::answer(world, call, moment)
    };
    reply.headers.push(("date", moment.wall.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    let fault = world.disturbance(endpoint, call);
    world.count(endpoint, reply.status);
    (reply, fault)
}
