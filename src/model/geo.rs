//! Where something is: points on the globe, and the codes rules are written in.

mod middles;

use std::{fmt, str::FromStr};

/// Mean radius of the earth in kilometres (IUGG).
const EARTH_RADIUS_KM: f64 = 6371.0;

/// A point on the globe, as a unit vector: the nearest of many is one multiplication each, without trigonometry per query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point([f64; 3]);

impl Point {
    /// From latitude and longitude in degrees.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Self {
        let (lat, lon) = (latitude.to_radians(), longitude.to_radians());
        Self([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()])
    }

    /// Cosine of the angle between both: greater is nearer.
    #[inline]
    #[must_use]
    pub fn nearness(self, other: Self) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        a * x + b * y + c * z
    }

    /// Great-circle distance.
    #[must_use]
    pub fn distance_km(self, other: Self) -> f64 {
        self.nearness(other).clamp(-1.0, 1.0).acos() * EARTH_RADIUS_KM
    }
}

/// A continent, by its code in GeoNames and MaxMind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Continent {
    /// Africa.
    Africa,
    /// Antarctica.
    Antarctica,
    /// Asia.
    Asia,
    /// Europe.
    Europe,
    /// North and Central America, the Caribbean.
    NorthAmerica,
    /// Oceania.
    Oceania,
    /// South America.
    SouthAmerica,
}

super::service::words!(Continent {
    Africa = "AF",
    Antarctica = "AN",
    Asia = "AS",
    Europe = "EU",
    NorthAmerica = "NA",
    Oceania = "OC",
    SouthAmerica = "SA",
});

/// A place by code, continent first (`EU`, `EU-DE`, `NA-US-CA`), because bare ISO codes collide with continents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GeoCode {
    /// Always known.
    pub continent: Continent,
    /// ISO 3166-1 alpha-2.
    pub country: Option<[u8; 2]>,
    /// The part of an ISO 3166-2 code behind the country, 1 to 3 characters, padded with zeros; only with a country.
    pub part: Option<[u8; 3]>,
}

/// A text is no geo code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a geo code is a continent, with a country and its part behind it: EU, EU-DE, NA-US-CA; not `{0}`")]
pub struct GeoCodeError(pub String);

impl GeoCode {
    /// Whether `other` lies inside this one or is the same.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.continent == other.continent
            && (self.country.is_none() || self.country == other.country)
            && (self.part.is_none() || self.part == other.part)
    }

    /// The part of a country from the end of its ISO 3166-2 code: `CA`, `ENG`, `75`.
    #[must_use]
    pub fn part(word: &str) -> Option<[u8; 3]> {
        let word = word.as_bytes();
        let fits = (1..=3).contains(&word.len()) && word.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        fits.then(|| std::array::from_fn(|at| word.get(at).copied().unwrap_or(0)))
    }
}

impl FromStr for GeoCode {
    type Err = GeoCodeError;
    fn from_str(text: &str) -> Result<Self, GeoCodeError> {
        let wrong = || GeoCodeError(text.chars().take(32).collect());
        let mut words = text.split('-');
        let continent = words.next().unwrap_or_default();
        let continent = Continent::WORDS.iter().find(|(word, _)| *word == continent).ok_or_else(wrong)?.1;
        let country = words.next().map(|word| <[u8; 2]>::try_from(word.as_bytes()).map_err(|_| wrong())).transpose()?;
        let part = words.next().map(|word| Self::part(word).ok_or_else(wrong)).transpose()?;
        let capitals = country.iter().flatten().all(u8::is_ascii_uppercase);
        if words.next().is_some() || !capitals {
            return Err(wrong());
        }
        Ok(Self { continent, country, part })
    }
}

impl fmt::Display for GeoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.continent.word())?;
        for part in [self.country.as_ref().map(<[u8; 2]>::as_slice), self.part.as_ref().map(<[u8; 3]>::as_slice)] {
            let Some(part) = part else { break };
            f.write_str("-")?;
            part.iter().filter(|c| **c != 0).try_for_each(|c| write!(f, "{}", char::from(*c)))?;
        }
        Ok(())
    }
}

/// What is known of where a client is. Nothing at all is the normal case for private addresses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Locality {
    /// Its code.
    pub geo: Option<GeoCode>,
    /// Its place.
    pub at: Option<Point>,
    /// The autonomous system that announces it.
    pub asn: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_they_are_written_and_contain_their_parts() {
        for text in ["EU", "EU-DE", "NA-US-CA", "EU-FR-75", "AS-JP-13", "EU-GB-ENG", "SA-BR-SP", "OC-AU-NSW"] {
            assert_eq!(text.parse::<GeoCode>().unwrap().to_string(), text);
        }
        for text in ["", "DE", "EU-", "EU-D", "EU-DEU", "EU-de", "EU-DE-", "EU-DE-ABCD", "EU-DE-B-E", "eu", "EU_DE"] {
            assert!(text.parse::<GeoCode>().is_err(), "{text}");
        }
        let code = |text: &str| text.parse::<GeoCode>().unwrap();
        assert!(code("NA").contains(&code("NA-US-CA")) && code("NA-US").contains(&code("NA-US-CA")));
        assert!(!code("NA-US-CA").contains(&code("NA-US")) && !code("EU").contains(&code("AS-JP")));
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let (paris, new_york) = (Point::new(48.86, 2.35), Point::new(40.71, -74.01));
        assert!((paris.distance_km(new_york) - 5837.0).abs() < 15.0, "{}", paris.distance_km(new_york));
        let (west, east) = (Point::new(0.0, -179.5), Point::new(0.0, 179.5));
        assert!(west.distance_km(east) < 112.0);
        assert!(paris.distance_km(paris) < 0.1);
    }
}
