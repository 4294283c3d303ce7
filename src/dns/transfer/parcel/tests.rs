use super::*;
use crate::dns::transfer::tests::{edition, world};
use proptest::prelude::*;

type Told = (Vec<u8>, u16, u32, Vec<u8>);

/// Everything it hands over, in pages of these sizes (over and over).
fn pages(mut parcel: Parcel, sizes: &[usize]) -> Vec<Vec<Told>> {
    let mut all = Vec::new();
    for size in sizes.iter().cycle() {
        let mut page = Vec::new();
        parcel.fill(|owner, set, data| {
            let fits = page.len() < *size;
            if fits {
                page.push((owner.to_vec(), set.kind, set.ttl, data.to_vec()));
            }
            fits
        });
        all.push(page);
        if parcel.is_empty() {
            return all;
        }
    }
    unreachable!("sizes go round")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pages_of_any_size_hold_the_same(sizes in proptest::collection::vec(1_usize..9, 1..6), names in 0_u16..30) {
        let edition = edition(&world(names), 1);
        let at_once = pages(Parcel::whole(&edition), &[usize::MAX]).concat();
        prop_assert_eq!(at_once.len(), edition.records() + 2);
        let in_pages = pages(Parcel::whole(&edition), &sizes);
        prop_assert_eq!(in_pages.concat(), at_once);
    }
}

#[test]
fn a_whole_zone_stands_between_two_soas() {
    let told = pages(Parcel::whole(&edition(&world(3), 1)), &[usize::MAX]).concat();
    let kinds: Vec<u16> = told.iter().map(|record| record.1).collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), (kind::SOA, kind::SOA));
    assert_eq!(kinds.iter().filter(|one| **one == kind::SOA).count(), 2);
    assert_eq!(kinds[1], kind::ZONEMD);
}

#[test]
fn who_lacks_nothing_gets_the_soa_and_who_is_unknown_all() {
    let edition = edition(&world(3), 1000);
    let count = |serial| pages(Parcel::since(&edition, Serial(serial)), &[usize::MAX]).concat().len();
    assert_eq!([count(1000), count(1001)], [1, 1]);
    assert_eq!([count(999), count(1)], [edition.records() + 2; 2]);
}
