//! Which geo codes there are, and the middle of each: for clients of whom only the country is known.
//!
//! Written by hand from an atlas, to half a degree where borders allow it. A middle is where people live rather than
//! where the area balances (Russia's is near Moscow), because it stands for clients. Continents are those of GeoNames
//! and MaxMind, so that a code here is the code a database gives.

use super::{GeoCode, Point};

impl GeoCode {
    /// Whether there is such a place. Of the parts of countries only those of the United States, Canada and Australia
    /// are known here; those of others are taken as they are written.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let country = Self { part: None, ..*self };
        row(&country).is_some() && (self.part.is_none() || row(self).is_some() || !has_parts(&country))
    }

    /// Its middle; that of the country or the continent where nothing nearer is known.
    #[must_use]
    pub fn middle(&self) -> Point {
        let country = Self { part: None, ..*self };
        let continent = Self { country: None, ..country };
        let found = [self, &country, &continent].into_iter().find_map(row);
        let (_, latitude, longitude) = found.expect("every continent has a row");
        Point::new(*latitude, *longitude)
    }

    /// Every code with a row, as it is written: what a mistyped one may have meant.
    pub fn every() -> impl Iterator<Item = &'static str> {
        MIDDLES.iter().map(|(code, ..)| *code)
    }

    /// As it is written, octet by octet.
    fn octets(&self) -> impl Iterator<Item = u8> + Clone + '_ {
        let country = self.country.iter().flat_map(|word| std::iter::once(b'-').chain(*word));
        let part = self.part.iter().flat_map(|word| std::iter::once(b'-').chain(*word)).filter(|octet| *octet != 0);
        self.continent.word().bytes().chain(country).chain(part)
    }
}

type Row = (&'static str, f64, f64);

fn row(code: &GeoCode) -> Option<&'static Row> {
    let found = MIDDLES.binary_search_by(|(text, ..)| text.bytes().cmp(code.octets()));
    found.ok().map(|at| &MIDDLES[at])
}

/// The parts of a country stand behind it.
fn has_parts(country: &GeoCode) -> bool {
    let at = MIDDLES.partition_point(|(text, ..)| text.bytes().cmp(country.octets()).is_le());
    MIDDLES.get(at).is_some_and(|(text, ..)| country.country.is_some() && text.bytes().take(5).eq(country.octets()))
}

/// Code, latitude, longitude; sorted by code.
#[rustfmt::skip]
const MIDDLES: &[Row] = &[
    ("AF", 2.0, 21.0), ("AF-AO", -12.3, 17.5), ("AF-BF", 12.3, -1.7), ("AF-BI", -3.4, 29.9), ("AF-BJ", 9.6, 2.3),
    ("AF-BW", -22.2, 23.8), ("AF-CD", -2.9, 23.6), ("AF-CF", 6.6, 20.5), ("AF-CG", -0.8, 15.2), ("AF-CI", 7.6, -5.6),
    ("AF-CM", 5.7, 12.7), ("AF-CV", 15.1, -23.6), ("AF-DJ", 11.7, 42.6), ("AF-DZ", 28.2, 2.6), ("AF-EG", 26.6, 29.8),
    ("AF-EH", 24.2, -13.7), ("AF-ER", 15.4, 38.8), ("AF-ET", 8.6, 39.6), ("AF-GA", -0.6, 11.8), ("AF-GH", 7.9, -1.2),
    ("AF-GM", 13.5, -15.4), ("AF-GN", 10.4, -10.9), ("AF-GQ", 1.7, 10.3), ("AF-GW", 12.0, -14.9),
    ("AF-KE", 0.5, 37.9), ("AF-KM", -11.9, 43.7), ("AF-LR", 6.5, -9.3), ("AF-LS", -29.6, 28.2), ("AF-LY", 27.0, 18.0),
    ("AF-MA", 31.9, -6.3), ("AF-MG", -19.4, 46.7), ("AF-ML", 17.3, -3.5), ("AF-MR", 20.3, -10.3),
    ("AF-MU", -20.3, 57.6), ("AF-MW", -13.2, 34.3), ("AF-MZ", -17.3, 35.5), ("AF-NA", -22.1, 17.2),
    ("AF-NE", 17.4, 9.4), ("AF-NG", 9.6, 8.1), ("AF-RE", -21.1, 55.5), ("AF-RW", -2.0, 29.9), ("AF-SC", -4.7, 55.5),
    ("AF-SD", 16.0, 30.0), ("AF-SH", -16.0, -5.7), ("AF-SL", 8.6, -11.8), ("AF-SN", 14.4, -14.5),
    ("AF-SO", 5.8, 45.9), ("AF-SS", 7.3, 30.3), ("AF-ST", 0.2, 6.6), ("AF-SZ", -26.6, 31.5), ("AF-TD", 15.4, 18.6),
    ("AF-TG", 8.5, 1.0), ("AF-TN", 34.1, 9.6), ("AF-TZ", -6.3, 34.8), ("AF-UG", 1.3, 32.4), ("AF-YT", -12.8, 45.2),
    ("AF-ZA", -29.0, 25.1), ("AF-ZM", -13.5, 27.8), ("AF-ZW", -19.0, 29.9), ("AN", -82.0, 20.0),
    ("AN-AQ", -82.0, 20.0), ("AN-BV", -54.4, 3.4), ("AN-GS", -54.4, -36.6), ("AN-HM", -53.1, 73.5),
    ("AN-TF", -49.3, 69.3), ("AS", 30.0, 95.0), ("AS-AE", 23.9, 54.3), ("AS-AF", 33.8, 66.0), ("AS-AM", 40.3, 44.9),
    ("AS-AZ", 40.3, 47.5), ("AS-BD", 23.9, 90.2), ("AS-BH", 26.0, 50.5), ("AS-BN", 4.5, 114.7), ("AS-BT", 27.4, 90.4),
    ("AS-CC", -12.2, 96.8), ("AS-CN", 35.0, 105.0), ("AS-GE", 42.2, 43.5), ("AS-HK", 22.4, 114.1),
    ("AS-ID", -2.2, 117.3), ("AS-IL", 31.5, 35.0), ("AS-IN", 22.9, 79.6), ("AS-IO", -7.3, 72.4),
    ("AS-IQ", 33.0, 43.7), ("AS-IR", 32.6, 54.3), ("AS-JO", 31.2, 36.8), ("AS-JP", 37.0, 138.0),
    ("AS-KG", 41.5, 74.6), ("AS-KH", 12.7, 104.9), ("AS-KP", 40.2, 127.2), ("AS-KR", 36.4, 127.8),
    ("AS-KW", 29.3, 47.6), ("AS-KZ", 48.2, 67.3), ("AS-LA", 18.5, 103.8), ("AS-LB", 33.9, 35.9), ("AS-LK", 7.6, 80.7),
    ("AS-MM", 21.2, 96.5), ("AS-MN", 46.8, 103.1), ("AS-MO", 22.2, 113.5), ("AS-MV", 3.7, 73.2),
    ("AS-MY", 3.8, 109.7), ("AS-NP", 28.2, 83.9), ("AS-OM", 20.6, 56.1), ("AS-PH", 11.8, 122.9),
    ("AS-PK", 29.9, 69.3), ("AS-PS", 31.9, 35.2), ("AS-QA", 25.3, 51.2), ("AS-SA", 24.1, 44.5),
    ("AS-SG", 1.35, 103.8), ("AS-SY", 35.0, 38.5), ("AS-TH", 15.1, 101.0), ("AS-TJ", 38.5, 71.0),
    ("AS-TM", 39.1, 59.4), ("AS-TR", 39.1, 35.2), ("AS-TW", 23.8, 121.0), ("AS-UZ", 41.8, 63.1),
    ("AS-VN", 16.6, 106.3), ("AS-YE", 15.9, 47.6), ("EU", 50.0, 13.0), ("EU-AD", 42.5, 1.6), ("EU-AL", 41.1, 20.0),
    ("EU-AT", 47.6, 14.1), ("EU-AX", 60.2, 20.0), ("EU-BA", 44.2, 17.8), ("EU-BE", 50.6, 4.6), ("EU-BG", 42.8, 25.2),
    ("EU-BY", 53.5, 28.0), ("EU-CH", 46.8, 8.2), ("EU-CY", 35.0, 33.0), ("EU-CZ", 49.7, 15.3), ("EU-DE", 51.1, 10.4),
    ("EU-DK", 56.0, 10.0), ("EU-EE", 58.7, 25.5), ("EU-ES", 40.2, -3.6), ("EU-FI", 64.5, 26.3), ("EU-FO", 62.1, -6.9),
    ("EU-FR", 46.6, 2.5), ("EU-GB", 54.1, -2.9), ("EU-GG", 49.5, -2.6), ("EU-GI", 36.1, -5.35), ("EU-GR", 39.0, 22.9),
    ("EU-HR", 45.1, 16.4), ("EU-HU", 47.2, 19.4), ("EU-IE", 53.2, -8.1), ("EU-IM", 54.2, -4.5),
    ("EU-IS", 65.0, -18.6), ("EU-IT", 42.8, 12.1), ("EU-JE", 49.2, -2.1), ("EU-LI", 47.1, 9.5), ("EU-LT", 55.3, 23.9),
    ("EU-LU", 49.8, 6.1), ("EU-LV", 56.9, 24.9), ("EU-MC", 43.7, 7.4), ("EU-MD", 47.2, 28.5), ("EU-ME", 42.8, 19.2),
    ("EU-MK", 41.6, 21.7), ("EU-MT", 35.9, 14.4), ("EU-NL", 52.2, 5.6), ("EU-NO", 64.6, 12.7), ("EU-PL", 52.1, 19.4),
    ("EU-PT", 39.6, -8.5), ("EU-RO", 45.9, 25.0), ("EU-RS", 44.2, 20.8), ("EU-RU", 56.0, 44.0), ("EU-SE", 62.8, 16.7),
    ("EU-SI", 46.1, 14.8), ("EU-SJ", 78.8, 18.4), ("EU-SK", 48.7, 19.5), ("EU-SM", 43.9, 12.5), ("EU-UA", 49.0, 31.4),
    ("EU-VA", 41.9, 12.45), ("EU-XK", 42.6, 20.9), ("NA", 40.0, -95.0), ("NA-AG", 17.1, -61.8),
    ("NA-AI", 18.2, -63.1), ("NA-AW", 12.5, -70.0), ("NA-BB", 13.2, -59.6), ("NA-BL", 17.9, -62.8),
    ("NA-BM", 32.3, -64.8), ("NA-BQ", 12.2, -68.3), ("NA-BS", 24.7, -78.0), ("NA-BZ", 17.2, -88.7),
    ("NA-CA", 50.0, -95.0), ("NA-CA-AB", 53.5, -114.5), ("NA-CA-BC", 51.0, -123.5), ("NA-CA-MB", 50.5, -97.8),
    ("NA-CA-NB", 46.5, -66.2), ("NA-CA-NL", 49.0, -56.0), ("NA-CA-NS", 45.0, -63.2), ("NA-CA-NT", 63.0, -115.0),
    ("NA-CA-NU", 65.0, -90.0), ("NA-CA-ON", 44.5, -79.5), ("NA-CA-PE", 46.3, -63.2), ("NA-CA-QC", 46.5, -72.5),
    ("NA-CA-SK", 51.5, -106.0), ("NA-CA-YT", 61.5, -135.2), ("NA-CR", 10.0, -84.2), ("NA-CU", 21.6, -79.0),
    ("NA-CW", 12.2, -69.0), ("NA-DM", 15.4, -61.4), ("NA-DO", 18.9, -70.5), ("NA-GD", 12.1, -61.7),
    ("NA-GL", 70.0, -42.0), ("NA-GP", 16.2, -61.5), ("NA-GT", 15.7, -90.4), ("NA-HN", 14.8, -86.6),
    ("NA-HT", 18.9, -72.7), ("NA-JM", 18.2, -77.3), ("NA-KN", 17.3, -62.7), ("NA-KY", 19.4, -81.1),
    ("NA-LC", 13.9, -61.0), ("NA-MF", 18.1, -63.05), ("NA-MQ", 14.7, -61.0), ("NA-MS", 16.7, -62.2),
    ("NA-MX", 23.3, -102.0), ("NA-NI", 12.8, -85.0), ("NA-PA", 8.5, -80.1), ("NA-PM", 46.9, -56.3),
    ("NA-PR", 18.2, -66.5), ("NA-SV", 13.7, -88.9), ("NA-SX", 18.05, -63.05), ("NA-TC", 21.8, -71.8),
    ("NA-TT", 10.5, -61.3), ("NA-US", 38.5, -96.0), ("NA-US-AK", 62.5, -150.0), ("NA-US-AL", 32.8, -86.8),
    ("NA-US-AR", 34.8, -92.4), ("NA-US-AZ", 33.8, -111.9), ("NA-US-CA", 36.2, -119.7), ("NA-US-CO", 39.2, -105.3),
    ("NA-US-CT", 41.6, -72.7), ("NA-US-DC", 38.9, -77.0), ("NA-US-DE", 39.1, -75.5), ("NA-US-FL", 28.1, -81.8),
    ("NA-US-GA", 33.1, -83.8), ("NA-US-HI", 21.0, -157.4), ("NA-US-IA", 42.0, -93.4), ("NA-US-ID", 44.0, -115.0),
    ("NA-US-IL", 40.8, -88.8), ("NA-US-IN", 39.9, -86.2), ("NA-US-KS", 38.5, -97.0), ("NA-US-KY", 37.7, -85.3),
    ("NA-US-LA", 30.8, -91.6), ("NA-US-MA", 42.3, -71.6), ("NA-US-MD", 39.1, -76.8), ("NA-US-ME", 44.7, -69.5),
    ("NA-US-MI", 43.3, -84.6), ("NA-US-MN", 45.5, -93.9), ("NA-US-MO", 38.4, -92.3), ("NA-US-MS", 32.7, -89.6),
    ("NA-US-MT", 46.8, -110.3), ("NA-US-NC", 35.6, -79.6), ("NA-US-ND", 47.4, -99.5), ("NA-US-NE", 41.3, -97.8),
    ("NA-US-NH", 43.3, -71.5), ("NA-US-NJ", 40.2, -74.6), ("NA-US-NM", 34.7, -106.3), ("NA-US-NV", 38.3, -117.0),
    ("NA-US-NY", 42.0, -74.9), ("NA-US-OH", 40.3, -82.8), ("NA-US-OK", 35.6, -96.8), ("NA-US-OR", 44.4, -122.0),
    ("NA-US-PA", 40.6, -77.2), ("NA-US-RI", 41.7, -71.5), ("NA-US-SC", 33.9, -80.9), ("NA-US-SD", 44.2, -99.4),
    ("NA-US-TN", 35.8, -86.5), ("NA-US-TX", 31.2, -97.8), ("NA-US-UT", 39.8, -111.6), ("NA-US-VA", 37.6, -78.0),
    ("NA-US-VT", 44.0, -72.7), ("NA-US-WA", 47.4, -121.5), ("NA-US-WI", 43.9, -89.4), ("NA-US-WV", 38.6, -80.8),
    ("NA-US-WY", 42.6, -106.9), ("NA-VC", 13.2, -61.2), ("NA-VG", 18.4, -64.6), ("NA-VI", 18.0, -64.8),
    ("OC", -30.0, 150.0), ("OC-AS", -14.3, -170.7), ("OC-AU", -27.0, 140.0), ("OC-AU-ACT", -35.4, 149.1),
    ("OC-AU-NSW", -33.0, 149.5), ("OC-AU-NT", -15.0, 132.5), ("OC-AU-QLD", -24.0, 150.0), ("OC-AU-SA", -33.8, 138.0),
    ("OC-AU-TAS", -42.1, 146.7), ("OC-AU-VIC", -37.3, 145.0), ("OC-AU-WA", -30.5, 117.5), ("OC-CK", -21.2, -159.8),
    ("OC-CX", -10.5, 105.65), ("OC-FJ", -17.8, 178.0), ("OC-FM", 6.9, 158.2), ("OC-GU", 13.4, 144.8),
    ("OC-KI", 1.4, 173.0), ("OC-MH", 7.1, 171.1), ("OC-MP", 15.2, 145.7), ("OC-NC", -21.3, 165.5),
    ("OC-NF", -29.0, 167.95), ("OC-NR", -0.5, 166.9), ("OC-NU", -19.05, -169.9), ("OC-NZ", -40.5, 174.5),
    ("OC-PF", -17.7, -149.4), ("OC-PG", -6.5, 144.2), ("OC-PN", -25.07, -130.1), ("OC-PW", 7.5, 134.6),
    ("OC-SB", -9.0, 159.6), ("OC-TK", -9.2, -171.85), ("OC-TL", -8.8, 125.9), ("OC-TO", -21.2, -175.2),
    ("OC-TV", -8.5, 179.2), ("OC-UM", 19.3, 166.6), ("OC-VU", -16.2, 167.7), ("OC-WF", -13.3, -176.2),
    ("OC-WS", -13.8, -172.1), ("SA", -15.0, -57.0), ("SA-AR", -35.0, -64.5), ("SA-BO", -16.7, -64.7),
    ("SA-BR", -14.0, -49.0), ("SA-CL", -34.0, -71.0), ("SA-CO", 4.5, -73.5), ("SA-EC", -1.4, -78.8),
    ("SA-FK", -51.7, -59.4), ("SA-GF", 4.0, -53.0), ("SA-GY", 4.9, -58.9), ("SA-PE", -9.2, -75.5),
    ("SA-PY", -23.2, -58.4), ("SA-SR", 4.1, -55.9), ("SA-UY", -32.8, -56.0), ("SA-VE", 8.0, -66.5),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> GeoCode {
        text.parse().unwrap()
    }

    #[test]
    fn every_row_is_found_where_it_stands() {
        assert!(MIDDLES.is_sorted_by(|a, b| a.0 < b.0), "or the search misses some");
        for (text, latitude, longitude) in MIDDLES {
            assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0, "{text}");
            assert!(code(text).is_known() && code(text).middle() == Point::new(*latitude, *longitude), "{text}");
            assert_eq!(code(text).to_string(), *text);
        }
        assert_eq!(GeoCode::every().filter(|code| code.len() == 5).count(), 250);
    }

    #[test]
    fn what_does_not_exist_is_not_known() {
        for text in ["EU-JP", "EU-UK", "NA-US-ZZ", "OC-AU-CA", "AS-XX", "NA-MX-"] {
            assert!(!text.parse::<GeoCode>().is_ok_and(|code| code.is_known()), "{text}");
        }
        for text in ["EU-FR-75", "AS-JP-13", "EU-GB-ENG", "NA-US-TX", "SA"] {
            assert!(code(text).is_known(), "{text}");
        }
    }

    #[test]
    fn middles_lie_in_their_places_and_those_of_parts_unknown_are_their_countries() {
        for (text, latitude, longitude) in [
            ("EU-DE", 52.5, 13.4),
            ("AS-JP", 35.7, 139.7),
            ("SA-BR", -15.8, -47.9),
            ("AF-KE", -1.3, 36.8),
            ("OC-AU-NSW", -33.9, 151.2),
            ("NA-US-CA", 34.1, -118.2),
        ] {
            let away = code(text).middle().distance_km(Point::new(latitude, longitude));
            assert!(away < 450.0, "{text} is {away} km away");
        }
        assert_eq!(code("EU-FR-75").middle(), code("EU-FR").middle());
        assert_eq!(code("EU-ZZ").middle(), code("EU").middle());
    }
}
