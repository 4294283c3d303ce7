//! An operator's own networks: which prefix is where, longest match first, as a sorted list of ranges.
//!
//! Why ranges and no tree: one binary search finds the range, and its neighbours tell the shortest prefix inside it,
//! which is how many bits of the address were looked at. 20 octets a range of IPv4 and 32 one of IPv6, two ranges a row at most.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use super::jump::Jump;
use crate::model::{GeoCode, Locality, Region};

/// Most rows. Above it the whole file is refused.
pub const NETS_MAX: usize = 500_000;
/// Most octets of a file of rows; twice what the most rows need.
pub const NETS_SIZE_MAX: usize = 64 << 20;
/// Most regions that one hint lists.
const REGIONS_LISTED_MAX: usize = 10;
/// Most wrong rows that are told of one file.
const MISTAKES_MAX: usize = 20;

/// Prefixes and where they are.
#[derive(Debug, Default, PartialEq)]
pub struct Nets {
    v4: Box<[Range<u32>]>,
    /// Where in `v4` to look.
    jump: Jump,
    v6: Box<[Range<u128>]>,
    places: Box<[Locality]>,
    rows: usize,
}

/// From an address to the beginning of the next range.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range<A> {
    from: A,
    place: Option<u32>,
}

/// An address as a number.
trait Bits: Copy + Ord {
    /// The address before it, which there is.
    fn before(self) -> Self;
    /// How many bits from the top until two of them differ, the one that differs included.
    fn differs_at(self, other: Self) -> u8;
}

impl Bits for u32 {
    fn before(self) -> Self {
        self - 1
    }

    fn differs_at(self, other: Self) -> u8 {
        bits_of((self ^ other).leading_zeros()) + 1
    }
}

impl Bits for u128 {
    fn before(self) -> Self {
        self - 1
    }

    fn differs_at(self, other: Self) -> u8 {
        bits_of((self ^ other).leading_zeros()) + 1
    }
}

/// Rows that are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|row| format!("line {}: {}", row.line, row.what)).collect::<Vec<_>>().join("; "))]
pub struct NetsError(
    /// In their order; never empty, bounded.
    pub Vec<WrongRow>,
);

/// A row that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongRow {
    /// Its line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to write.
    pub hint: String,
}

/// What is wrong with a row, and what to write.
type Wrong = (String, String);

impl Nets {
    /// Reads rows `subnet,place`, where a place is one of our regions (which has an `at`) or a geo code. A first line
    /// that begins with `subnet`, empty lines, and whatever stands behind a `#` are passed over. Of rows that lie inside
    /// each other the longest prefix wins. A region is a place without a code: rules by `geo` are not for its clients.
    ///
    /// # Errors
    ///
    /// Every wrong row, up to twenty: not a network, bits behind its length, an unknown place, a region that is nowhere
    /// on the globe, the same network twice, more than [`NETS_MAX`] rows.
    pub fn from_csv(text: &str, regions: &[Region]) -> Result<Self, NetsError> {
        let regions: HashMap<&str, &Region> = regions.iter().map(|region| (region.id.as_str(), region)).collect();
        let mut mistakes = Vec::new();
        let mut rows: HashMap<IpNet, (usize, u32)> = HashMap::new();
        let (mut places, mut known) = (Vec::new(), HashMap::new());
        for (line, row) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            if mistakes.len() == MISTAKES_MAX {
                break;
            }
            let row = row.split('#').next().unwrap_or_default().trim();
            if row.is_empty() || line == 1 && row.starts_with("subnet") {
                continue;
            }
            if rows.len() == NETS_MAX {
                let what = format!("there are more than {NETS_MAX} rows");
                mistakes.push(WrongRow { line, what, hint: "put neighbours together into one network".into() });
                break;
            }
            match parse(row, &regions) {
                Err((what, hint)) => mistakes.push(WrongRow { line, what, hint }),
                Ok((net, word, place)) => {
                    let place = *known.entry(word).or_insert_with(|| {
                        places.push(place);
                        u32::try_from(places.len() - 1).expect("there are fewer places than rows")
                    });
                    if let Some((first, _)) = rows.insert(net, (line, place)) {
                        let what = format!("`{net}` stands in line {first} already");
                        mistakes.push(WrongRow { line, what, hint: "keep one of them".into() });
                    }
                }
            }
        }
        if !mistakes.is_empty() {
            return Err(NetsError(mistakes));
        }
        let count = rows.len();
        let of = |v4: bool| {
            let rows = rows.iter().filter(|(net, _)| net.addr().is_ipv4() == v4);
            ranges(rows.map(|(net, (_, place))| (topmost(net.network()), net.prefix_len(), *place)).collect())
        };
        let short = |range: &Range<u128>| {
            let from = u32::try_from(range.from >> (128 - Ipv4Addr::BITS)).expect("32 bits are left");
            Range { from, place: range.place }
        };
        let v4: Box<[Range<u32>]> = of(true).iter().map(short).collect();
        let jump = Jump::over(&v4.iter().map(|range| range.from).collect::<Vec<_>>());
        Ok(Self { v4, jump, v6: of(false), places: places.into(), rows: count })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The place of an address, and how many of its bits decided that: every address that shares them has the same.
    #[inline(always)]
    pub(super) fn find(&self, address: IpAddr) -> (Option<&Locality>, u8) {
        let (place, looked_at) = match address {
            IpAddr::V4(v4) => find(&self.v4, self.jump.part(v4.to_bits(), self.v4.len()), v4.to_bits()),
            IpAddr::V6(v6) => find(&self.v6, (0, self.v6.len()), v6.to_bits()),
        };
        (place.map(|place| &self.places[place as usize]), looked_at)
    }
}

/// Where the address is, if it is searched for between these places; and how many bits of it were looked at.
#[inline(always)]
fn find<A: Bits>(ranges: &[Range<A>], (from, to): (usize, usize), address: A) -> (Option<u32>, u8) {
    // The last range that begins at the address or before it; the first one begins at 0.
    let part = ranges.get(from..to).unwrap_or(ranges);
    let behind = from + part.partition_point(|range| range.from <= address);
    let Some(range) = behind.checked_sub(1).and_then(|at| ranges.get(at)) else { return (None, 0) };
    let mut looked_at = 0;
    if 1 < behind {
        looked_at = address.differs_at(range.from.before());
    }
    if let Some(next) = ranges.get(behind) {
        looked_at = looked_at.max(address.differs_at(next.from));
    }
    (range.place, looked_at)
}

/// A number of bits of an address.
#[inline]
pub(super) fn bits_of(count: u32) -> u8 {
    u8::try_from(count).expect("an address has at most 128 bits")
}

fn topmost(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << (128 - Ipv4Addr::BITS),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn parse<'r>(row: &'r str, regions: &HashMap<&str, &Region>) -> Result<(IpNet, &'r str, Locality), Wrong> {
    let no_row = || {
        let what = format!("`{}` is not `subnet,place`", short(row));
        (what, "write a network and a region or geo code: 198.51.100.0/24,EU-DE".to_owned())
    };
    let (net, word) = row.split_once(',').ok_or_else(no_row)?;
    let (net, word) = (net.trim(), word.trim());
    let network: IpNet = match (net.parse(), net.parse::<IpAddr>()) {
        (Ok(network), _) => network,
        (Err(_), Ok(address)) => address.into(),
        (Err(_), Err(_)) => {
            let what = format!("`{}` is not a network", short(net));
            return Err((what, "write one like 198.51.100.0/24 or 2001:db8::/32".to_owned()));
        }
    };
    if network.addr() != network.network() {
        let what = format!("`{network}` has bits behind its length");
        return Err((what, format!("write {}", network.trunc())));
    }
    let place = match (regions.get(word), word.parse::<GeoCode>()) {
        (Some(region), _) => {
            let nowhere =
                || (format!("the region `{word}` has no `at`"), format!("write [region.{word}] at = [53.3, -6.3]"));
            Locality { at: Some(region.point().ok_or_else(nowhere)?), ..Locality::default() }
        }
        (None, Ok(code)) if code.is_known() => {
            Locality { geo: Some(code), at: Some(code.middle()), ..Locality::default() }
        }
        (None, Ok(_) | Err(_)) => return Err(no_place(word, regions)),
    };
    Ok((network, word, place))
}

/// A place that is none: the likeliest region is suggested, else they are listed.
fn no_place(word: &str, regions: &HashMap<&str, &Region>) -> Wrong {
    let what = format!("`{}` is neither a region nor a geo code", short(word));
    let mut known: Vec<&str> = regions.keys().copied().collect();
    known.sort_unstable();
    let written = short(word);
    let near = known.iter().map(|region| (strsim::jaro_winkler(&written, region), region));
    let best = near.filter(|(likeness, _)| 0.8 < *likeness).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let hint = match (best, known.is_empty()) {
        (Some((_, region)), _) => format!("did you mean `{region}`?"),
        (None, true) => "no region is defined; a geo code is continent first: EU-DE".to_owned(),
        (None, false) => {
            let more = if REGIONS_LISTED_MAX < known.len() { " and more" } else { "" };
            known.truncate(REGIONS_LISTED_MAX);
            format!("regions: {}{more}; a geo code is continent first: EU-DE", known.join(", "))
        }
    };
    (what, hint)
}

/// What somebody wrote, as far as a message repeats it.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Prefixes that may lie inside each other, as ranges that do not; ranges of one place beside each other are one.
fn ranges(mut rows: Vec<(u128, u8, u32)>) -> Box<[Range<u128>]> {
    if rows.is_empty() {
        return Box::default();
    }
    rows.sort_unstable();
    let mut made: Vec<Range<u128>> = vec![Range { from: 0, place: None }];
    let mut change = |from: u128, place: Option<u32>| {
        // Of two that begin together the later is inside the earlier, or follows one that ended.
        made.pop_if(|last| last.from == from);
        if made.last().is_none_or(|last| last.place != place) {
            made.push(Range { from, place });
        }
    };
    // Those that the row at hand lies inside, with their last address.
    let mut open: Vec<(u128, u32)> = Vec::new();
    for (from, length, place) in rows {
        while let Some((last, _)) = open.pop_if(|(last, _)| *last < from) {
            change(last + 1, open.last().map(|(_, place)| *place));
        }
        change(from, Some(place));
        open.push((from | u128::MAX.checked_shr(u32::from(length)).unwrap_or(0), place));
    }
    while let Some((last, _)) = open.pop() {
        let Some(next) = last.checked_add(1) else { continue };
        change(next, open.last().map(|(_, place)| *place));
    }
    made.into()
}
