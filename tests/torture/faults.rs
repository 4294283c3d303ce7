//! What is done to the fleet. The numbers are those of the list of faults; several in one scenario share its outage.

mod crowd;
mod hostile;
mod orders;
mod outage;
mod split;
mod store;
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
    fault(&[8], "an_order_of_any_region_is_in_force_in_all", true, orders::everywhere),
    fault(&[9], "two_hundred_orders_at_once_are_one", false, orders::at_once),
    fault(&[10], "conditions_are_kept", false, orders::conditions),
    fault(&[11], "a_key_is_one_effect_when_its_node_dies", false, orders::repeated_by_a_dying_node),
    fault(&[12], "a_key_is_one_effect_when_the_leader_dies", false, orders::repeated_by_a_dying_leader),
    fault(&[13], "the_leaders_region_is_cut_off", false, split::leader),
    fault(&[14], "a_followers_region_is_cut_off", true, split::follower),
    fault(&[15, 16, 17, 18, 19], "a_minute_without_etcd", true, outage::without_etcd),
    fault(&[20], "a_member_that_hangs_is_left", false, store::hung_member),
    fault(&[21], "idle_connections_stay", false, store::idle),
    fault(&[22], "history_is_compacted_while_a_node_is_away", false, store::compacted),
    fault(&[23], "an_older_etcd_is_put_back", true, store::put_back),
    fault(&[24], "an_empty_etcd_is_put_back", false, store::wiped),
    fault(&[25], "a_node_that_slept_is_current", false, hostile::asleep),
    fault(&[26], "an_old_member_is_not_believed", false, store::lagging),
    fault(&[27], "records_that_make_no_sense", false, hostile::poison),
    fault(&[31], "clocks_that_are_an_hour_off", false, hostile::clocks),
    fault(&[32], "a_full_disk_and_torn_snapshots", false, hostile::disk),
    fault(&[33], "etcd_has_no_room", false, store::no_room),
    fault(&[34], "two_operators_cannot_evacuate_both_sides", false, orders::two_operators),
    fault(&[36], "down_of_everything_is_refused", false, orders::down_of_all),
    fault(&[38], "two_halves_apart", false, split::halves),
    fault(&[8], "how_soon_an_order_is_in_force_in_all_regions", false, orders::how_soon),
    Fault { flavour: Flavour::Sealed, ..fault(&[30], "a_certificate_has_run_out", false, hostile::expired) },
    Fault {
        flavour: Flavour::Crowd,
        ..fault(&[35], "many_leave_slowly_and_an_outage_at_once", false, crowd::velocity)
    },
];
