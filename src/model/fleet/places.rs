//! Positions in a fleet's lists: a small number in place of an id, and a type for each list, so that none is taken for
//! another.

macro_rules! position {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// For the room that builds a fleet.
            #[must_use]
            pub fn new(index: usize) -> Self {
                Self(u32::try_from(index).expect("fleets are bounded far below 2^32"))
            }

            /// The place in the fleet's list.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

position!(
    /// The place of an endpoint.
    EndpointIx
);
position!(
    /// The place of a pool.
    PoolIx
);
position!(
    /// The place of a service.
    ServiceIx
);
position!(
    /// The place of a check.
    CheckIx
);
position!(
    /// The place of a subject.
    SubjectIx
);
