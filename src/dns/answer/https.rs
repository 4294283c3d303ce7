//! HTTPS records (RFC 9460) of a steered name: what its A and AAAA records would be, with the protocols in front.

use super::{
    Answering, Draws, Owner, Records,
    steered::{Drawn, of_family},
};
use crate::{
    dns::message::meta,
    model::{Family, Https, kind},
    steer::{Picks, Steering, ZoneTable, https_data},
};

impl<'t, D: Draws> Answering<'t, '_, D> {
    /// One draw for both families, so that both hints are of one decision.
    pub(super) fn https(&mut self, https: &Https, zone: &'t ZoneTable, may_alias: bool, steering: &'t Steering) {
        let draw = self.draw_for_both(steering);
        let mut found = Family::ALL.map(|family| {
            let mut picks = Picks::new();
            (self.drawn(family, steering, draw, &mut picks), picks)
        });
        let [(v4, picks), (v6, _)] = &found;
        if let (Drawn::Target(target), Drawn::Target(other)) = (v4, v6)
            && target == other
            && may_alias
        {
            self.cname(target, picks.ttl());
            return self.answered(steering, found[0].1.clone());
        }
        let mut ttl = u32::MAX;
        let mut hints = [Vec::new(), Vec::new()];
        for ((family, (drawn, picks)), hints) in Family::ALL.into_iter().zip(&found).zip(&mut hints) {
            ttl = ttl.min(picks.ttl());
            match drawn {
                Drawn::Addresses => hints.extend(picks.addresses()),
                // Hints may be left out: a target that is not resolved yet has none.
                Drawn::Target(target) => {
                    let Some(resolved) = self.resolved(target) else { continue };
                    ttl = ttl.min(resolved.ttl);
                    hints.extend(of_family(resolved, family));
                }
                Drawn::NoData | Drawn::ServFail => {}
            }
        }
        if found.iter().all(|(drawn, _)| matches!(drawn, Drawn::NoData)) {
            return self.no_data(zone);
        }
        if found.iter().all(|(drawn, _)| matches!(drawn, Drawn::NoData | Drawn::ServFail)) {
            return self.fails();
        }
        let rdata = https_data(https, &hints);
        self.answer.answer.push(Records::made(Owner::Asked, kind::HTTPS, meta::CLASS_IN, ttl, rdata));
        let counted = found.iter().position(|(_, picks)| !picks.is_empty()).unwrap_or(0);
        self.answered(steering, std::mem::take(&mut found[counted].1));
    }
}
