//! Down times: from changes to spans, and what several of them come to together.

/// Spans of time in which something was down, in milliseconds of the time of day: ascending, apart, none empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Downtime(Vec<(u64, u64)>);

/// What a downtime comes to in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uptime {
    /// How much of the window it was up; 0 to 1.
    pub share: f64,
    /// Milliseconds of it down.
    pub down_ms: u64,
    /// How often it went down.
    pub outages: u32,
}

impl Downtime {
    /// From what changed: times with whether it was down from then on, ascending. `before`: whether it was down before
    /// the first of them; `from` and `to` bound the window.
    #[must_use]
    pub fn of(changes: impl IntoIterator<Item = (u64, bool)>, before: bool, from: u64, to: u64) -> Self {
        let mut spans = Vec::new();
        let mut since = before.then_some(from);
        for (at, down) in changes {
            let at = at.clamp(from, to);
            match (since, down) {
                (None, true) => since = Some(at),
                (Some(began), false) => {
                    spans.extend((began < at).then_some((began, at)));
                    since = None;
                }
                (None, false) | (Some(_), true) => {}
            }
        }
        spans.extend(since.filter(|began| *began < to).map(|began| (began, to)));
        Self(spans).joined()
    }

    /// When any of several was down.
    #[must_use]
    pub fn any<'d>(of: impl IntoIterator<Item = &'d Self>) -> Self {
        let mut all: Vec<(u64, u64)> = of.into_iter().flat_map(|one| one.0.iter().copied()).collect();
        all.sort_unstable();
        Self(all).joined()
    }

    /// When all of several were down at once; never, where there are none.
    #[must_use]
    pub fn all<'d>(of: impl IntoIterator<Item = &'d Self>) -> Self {
        let mut of = of.into_iter();
        let first = of.next().cloned().unwrap_or_default();
        of.fold(first, |both, one| both.with(one))
    }

    /// What it comes to between two times.
    #[must_use]
    pub fn uptime(&self, from: u64, to: u64) -> Uptime {
        let window = to.saturating_sub(from);
        let down_ms: u64 = self.0.iter().map(|(a, b)| b.min(&to).saturating_sub(*a.max(&from))).sum();
        let share = if window == 0 { 1.0 } else { 1.0 - down_ms as f64 / window as f64 };
        Uptime { share, down_ms, outages: u32::try_from(self.0.len()).unwrap_or(u32::MAX) }
    }

    fn with(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut spans = Vec::new();
        while let (Some(one), Some(two)) = (a.peek(), b.peek()) {
            let (from, to) = (one.0.max(two.0), one.1.min(two.1));
            spans.extend((from < to).then_some((from, to)));
            if one.1 < two.1 {
                a.next()
            } else {
                b.next()
            };
        }
        Self(spans)
    }

    /// Spans that touch or overlap become one; they come sorted by their beginning.
    fn joined(self) -> Self {
        let mut spans: Vec<(u64, u64)> = Vec::with_capacity(self.0.len());
        for (from, to) in self.0 {
            match spans.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                Some(_) | None => spans.push((from, to)),
            }
        }
        Self(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_follow_from_changes() {
        let check = |changes: &[(u64, bool)], before: bool, spans: &[(u64, u64)]| {
            assert_eq!(Downtime::of(changes.iter().copied(), before, 10, 100).0, spans, "{changes:?} {before}");
        };
        check(&[], false, &[]);
        check(&[], true, &[(10, 100)]);
        check(&[(20, true), (30, false)], false, &[(20, 30)]);
        check(&[(20, true), (30, true), (40, false), (90, true)], false, &[(20, 40), (90, 100)]);
        check(&[(5, false)], true, &[]);
        check(&[(20, true), (30, false), (30, true), (40, false)], false, &[(20, 40)]);
    }

    #[test]
    fn uptimes_are_shares_of_the_window() {
        let down = Downtime::of([(20, true), (30, false), (80, true), (100, false)], false, 0, 100);
        assert_eq!(down.uptime(0, 100), Uptime { share: 0.7, down_ms: 30, outages: 2 });
        assert_eq!(down.uptime(0, 0).share, 1.0);
    }

    proptest! {
        /// Moment by moment, any is or and all is and.
        #[test]
        fn any_and_all_are_or_and_and(lists in prop::collection::vec(prop::collection::btree_map(0_u64..60, any::<bool>(), 0..12), 1..5)) {
            let downs: Vec<Downtime> = lists.iter().map(|list| Downtime::of(list.clone(), false, 0, 60)).collect();
            let holds = |of: &Downtime, at: u64| of.0.iter().any(|(from, to)| *from <= at && at < *to);
            let (any, all) = (Downtime::any(&downs), Downtime::all(&downs));
            for at in 0..60 {
                prop_assert_eq!(holds(&any, at), downs.iter().any(|one| holds(one, at)));
                prop_assert_eq!(holds(&all, at), downs.iter().all(|one| holds(one, at)));
            }
            prop_assert!(any.0.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
