//! What may leave beside orders while nobody else is heard.

use super::{
    modes::{UP, alive, ballot, down, quick, start},
    *,
};

#[test]
fn alone_what_is_ordered_in_serves_for_what_died_and_what_is_ordered_out_does_not() {
    let check = |action: Action, out: &[usize]| {
        let mut node = start(quick(6, |_| ()));
        node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
        let others = [0, 2, 3, 4, 5]
            .map(|ix| Override { expires: at(500).wall, ..order(ix + 1, action.clone(), &format!("endpoint:e{ix}")) });
        node.share(at(3), 1, &others);
        for second in (12..40).step_by(4) {
            alive(&mut node, second, &[1]);
        }
        let left: Vec<usize> = down(&node).into_iter().filter(|ix| *ix == 1).collect();
        assert_eq!(left, out, "{action:?}");
    };
    // Each of them passes our probe: ordered in it serves, drained it serves where nothing else works, down it never does.
    check(Action::Up, &[1]);
    check(Action::Drain, &[1]);
    check(Action::Down, &[]);
}
