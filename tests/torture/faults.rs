//! What is done to the fleet. The numbers are those of the list of faults; several in one scenario share its outage.

mod outage;
mod votes;

use crate::{setup::Flavour, world::World};

/// One scenario. It panics if something is not as it must be; what it says are figures.
pub(crate) struct Fault {
    pub(crate) numbers: &'static [u32],
    name: &'static str,
    /// Part of `make test`.
    pub(crate) core: bool,
    pub(crate) flavour: Flavour,
    pub(crate) happens: fn(&mut World) -> String,
}

impl Fault {
    pub(crate) fn full_name(&self) -> String {
        let numbers: Vec<String> = self.numbers.iter().map(|number| format!("{number:02}")).collect();
        format!("{}_{}", numbers.join("_"), self.name)
    }
}

const fn fault(numbers: &'static [u32], name: &'static str, core: bool, happens: fn(&mut World) -> String) -> Fault {
    Fault { numbers, name, core, flavour: Flavour::Plain, happens }
}

/// All of them, in the order in which they run.
pub(crate) const FAULTS: &[Fault] = &[
    fault(&[1], "an_endpoint_that_stops_leaves_everywhere", false, votes::endpoint_stops),
    fault(&[2], "one_vantage_of_five_takes_nothing_out", true, votes::one_of_five),
    fault(&[3], "two_vantages_do_not_and_three_do", false, votes::two_and_three),
    fault(&[4], "a_cut_of_one_way_is_a_cut", false, votes::one_way),
    fault(&[5], "an_endpoint_that_flaps_moves_nothing_back_and_forth", false, votes::flaps),
    fault(&[6], "a_vantage_that_sees_nothing_takes_nothing_out", true, votes::uplink_cut),
    fault(&[7], "three_blind_vantages_of_five_take_nothing_out", false, votes::three_uplinks),
    fault(&[15, 16, 17, 18, 19], "a_minute_without_etcd", true, outage::without_etcd),
];
