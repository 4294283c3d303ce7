//! Rendezvous hashing by weight: the same client the same answer on every node, and a member that goes takes along
//! nothing but its own share (Thaler and Ravishankar 1998; weights by exponential races).
//!
//! Each (client, member) pair has a hash that is fixed for good, because nodes of different builds answer the same
//! clients: FNV-1a over the member's id, [`mixed`] with the client's key. The hash is taken as a
//! uniform number u, and the member with the smallest -ln(u) / weight wins. The logarithm is our own: it is made of
//! operations that IEEE 754 defines to the last bit, which those of system libraries are not.

/// Two numbers into one of which every bit depends on every bit of both (SplitMix64's finalizer). Whoever changes it
/// moves every sticky client.
pub(super) fn mixed(a: u64, b: u64) -> u64 {
    let mixed = a.rotate_left(32).wrapping_add(b ^ 0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// When a member of this weight arrives in the race for a client: the first one wins. Never for weight 0.
pub(super) fn arrival(client: u64, member: u64, weight: u64) -> f64 {
    if weight == 0 {
        return f64::INFINITY;
    }
    #[expect(clippy::cast_precision_loss, reason = "rounding is the same everywhere, and 53 bits are plenty")]
    let weight = weight as f64;
    minus_ln(mixed(client, member)) / weight
}

/// -ln(word / 2^64), exact to eleven digits: binary exponent, and the series of the inverse hyperbolic tangent.
fn minus_ln(word: u64) -> f64 {
    let zeros = word.leading_zeros();
    // In [1, 2): the bits behind the first one. A word of nothing but zeros counts as a half.
    let mantissa = f64::from_bits((0x3ff << 52) | (word.checked_shl(zeros + 1).unwrap_or(0) >> 12));
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let series = (0..12_u8).rev().fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    f64::from(zeros + 1) * std::f64::consts::LN_2 - 2.0 * z * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fixed_for_good() {
        // Nodes of different versions answer the same clients: a change here moves every one of them.
        assert_eq!(mixed(1, 2), 0xb370_3ad8_9450_7022);
    }

    #[test]
    fn the_logarithm_is_one() {
        let mut chance = fastrand::Rng::with_seed(1);
        for word in (0..64).map(|bit| 1 << bit).chain((0..10_000).map(|_| chance.u64(..))) {
            let expected = -(word as f64 / 2.0_f64.powi(64)).ln();
            let found = minus_ln(word);
            assert!((found - expected).abs() <= 1e-11 * expected.max(1.0), "{word}: {found} {expected}");
        }
        assert!(minus_ln(0) > minus_ln(2) && minus_ln(u64::MAX) > 0.0);
    }
}
