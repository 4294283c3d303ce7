//! Times and lengths of time as people read them in a line.

use std::time::Duration;

use crate::model::Wall;

/// The two largest units: `4m12s`, `38m`, `2h5m`, `3d4h`, `0s`.
pub(super) fn short(length: Duration) -> String {
    let seconds = length.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, each)| seconds >= *each).unwrap_or(units.len() - 1);
    let mut text = String::new();
    let mut left = seconds;
    for (name, each) in units.iter().skip(first).take(2) {
        let count = left / each;
        left -= count * each;
        if count > 0 || text.is_empty() {
            text.push_str(&format!("{count}{name}"));
        }
    }
    text
}

/// `10:41:58Z` today, with the date otherwise; nothing where no time is known.
pub(super) fn clock(at: Option<Wall>, now: Wall) -> String {
    let Some(at) = at else { return String::new() };
    let (text, today) = (whole(at), whole(now));
    match (text.split_once('T'), today.split_once('T')) {
        (Some((day, time)), Some((today, _))) if day == today => time.into(),
        (Some((day, time)), _) => format!("{day} {time}"),
        (None, _) => text,
    }
}

/// How long ago, or nothing where no time is known.
pub(super) fn ago(at: Option<Wall>, now: Wall) -> String {
    at.map(|at| short(now.since(at))).unwrap_or_default()
}

/// RFC 3339 in whole seconds.
pub(super) fn whole(at: Wall) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_two_units() {
        let rows =
            [(0, "0s"), (59, "59s"), (60, "1m"), (252, "4m12s"), (3600, "1h"), (3661, "1h1m"), (273_600, "3d4h")];
        for (seconds, text) in rows {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn today_needs_no_date() {
        let now: Wall = "2026-11-23T10:46:10Z".parse().unwrap();
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(clock(at("2026-11-23T10:41:58.204Z"), now), "10:41:58Z");
        assert_eq!(clock(at("2026-11-22T23:59:59Z"), now), "2026-11-22 23:59:59Z");
        assert_eq!(clock(None, now), "");
        assert_eq!(ago(at("2026-11-23T10:41:58.204Z"), now), "4m11s");
    }
}
