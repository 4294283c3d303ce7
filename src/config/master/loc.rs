//! LOC record data (RFC 1876).

/// The equator and the prime meridian, in thousandths of a second of arc.
const MIDDLE: u32 = 1 << 31;
/// Altitude counts from 100,000 m below the reference, in centimetres.
const BELOW: i64 = 10_000_000;

/// Wire form of `52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m`; the number of the token at fault otherwise.
pub(super) fn read(tokens: &[&str]) -> Result<[u8; 16], (usize, String)> {
    let mut at = 0;
    let latitude = angle(tokens, &mut at, ["N", "S"], 90)?;
    let longitude = angle(tokens, &mut at, ["E", "W"], 180)?;
    let altitude = tokens.get(at).ok_or_else(|| (at, "an altitude is missing".to_owned()))?;
    let altitude = centimetres(altitude).ok_or_else(|| (at, "an altitude is in metres, as in 10m".to_owned()))? + BELOW;
    let altitude = u32::try_from(altitude).map_err(|_| (at, "the altitude is out of range".to_owned()))?;
    // Size, horizontal and vertical precision with their defaults (RFC 1876 section 3).
    let mut sizes = [precision(100), precision(1_000_000), precision(1000)];
    for size in &mut sizes {
        at += 1;
        let Some(token) = tokens.get(at) else { break };
        let wrong = || (at, "a size is in metres, at most 90000000m".to_owned());
        let metres = centimetres(token).and_then(|size| u64::try_from(size).ok()).ok_or_else(wrong)?;
        *size = (metres <= 9_000_000_000).then(|| precision(metres)).ok_or_else(wrong)?;
    }
    if tokens.len() > at + 1 {
        return Err((at + 1, "something follows the vertical precision".into()));
    }
    let mut wire = [0; 16];
    wire[1..4].copy_from_slice(&sizes);
    wire[4..8].copy_from_slice(&latitude.to_be_bytes());
    wire[8..12].copy_from_slice(&longitude.to_be_bytes());
    wire[12..].copy_from_slice(&altitude.to_be_bytes());
    Ok(wire)
}

/// Degrees, minutes and seconds up to the letter of a hemisphere.
fn angle(tokens: &[&str], at: &mut usize, signs: [&str; 2], most: u32) -> Result<u32, (usize, String)> {
    let mut thousandths = 0_u32;
    for (unit, limit) in [(3_600_000, most + 1), (60_000, 60), (1000, 60)] {
        let Some(token) = tokens.get(*at) else { break };
        if signs.contains(token) {
            break;
        }
        let wrong = || (*at, format!("`{token}` is not a part of an angle"));
        let part = match unit {
            1000 => decimal(token, 3).and_then(|value| u32::try_from(value).ok()),
            unit => token.parse::<u32>().ok().filter(|value| *value < limit).map(|value| value * unit),
        };
        thousandths += part.filter(|part| *part < unit * limit).ok_or_else(wrong)?;
        *at += 1;
    }
    let sign = tokens.get(*at).filter(|token| signs.contains(token));
    let sign = sign.ok_or_else(|| (*at, format!("{} or {} is missing", signs[0], signs[1])))?;
    if thousandths > most * 3_600_000 {
        return Err((*at, format!("more than {most} degrees")));
    }
    *at += 1;
    Ok(if *sign == signs[0] { MIDDLE + thousandths } else { MIDDLE - thousandths })
}

fn centimetres(text: &str) -> Option<i64> {
    decimal(text.strip_suffix('m').unwrap_or(text), 2)
}

/// A decimal fraction as a whole number of its last place.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || fraction.len() > places || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse::<i64>().ok().map(|value| sign * value)
}

/// Centimetres as one digit and a power of ten.
fn precision(mut centimetres: u64) -> u8 {
    let mut power = 0;
    while centimetres >= 10 {
        centimetres /= 10;
        power += 1;
    }
    u8::try_from(centimetres << 4 | power).expect("one digit and a power up to 9")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_1876_examples_are_read() {
        let read = |text: &str| read(&text.split(' ').collect::<Vec<_>>());
        // RFC 1876 appendix C, cambridge-net.kei.com., with the defaults written out by hand.
        let wire = read("42 21 54 N 71 06 18 W -24m 30m").unwrap();
        assert_eq!(data_encoding::HEXUPPER.encode(&wire), "0033161389172DD070BE15F000988D20");
        assert!(read("52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m").is_ok());
        for bad in ["", "42 N", "91 N 1 E 1m", "42 60 N 1 E 1m", "42 N 71 W", "1 N 1 E 1m 1m 1m 1m 1m", "x N 1 E 1m"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
