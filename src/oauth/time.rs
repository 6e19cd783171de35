//! Moments, as values: seconds since 1970-01-01 UTC. Nothing here looks at a clock.

/// A moment, in whole seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment and so many seconds.
    pub fn plus(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds))
    }

    /// How many seconds ago `earlier` was; negative when it is still to come.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `2026-11-21T10:00:00Z` (RFC 3339).
    pub fn rfc3339(self) -> String {
        let (year, month, day) = self.date();
        let second = self.0.rem_euclid(86_400);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
    }

    /// Reads a moment as RFC 3339, PostgreSQL and SQLite write it: `T` or a space between date and time, any fraction of a second,
    /// which is dropped, and `Z`, an offset or nothing, which is UTC.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let (date, time) = text.split_once(['T', ' '])?;
        let (date, time) = (numbers(date, "-", [4, 2, 2])?, time.strip_suffix('Z').unwrap_or(time));
        let (clock, zone) = match time.find(['+', '-']) {
            Some(at) => (&time[..at], &time[at..]),
            None => (time, "+00"),
        };
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let [hour, minute, second] = numbers(whole, ":", [2, 2, 2])?;
        let zone_digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
        let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if hour > 23 || minute > 59 || second > 60 || !is_plain(fraction) || !is_plain(&zone_digits) {
            return None;
        }
        let east = match zone_digits.len() {
            2 => zone_digits.parse::<i64>().ok()? * 3_600,
            4 => zone_digits[..2].parse::<i64>().ok()? * 3_600 + zone_digits[2..].parse::<i64>().ok()? * 60,
            _ => return None,
        };
        let day = Timestamp(days_since_1970(date) * 86_400);
        if day.date() != (date[0], date[1], date[2]) {
            return None; // there is no such day
        }
        Some(day.plus(hour * 3_600 + minute * 60 + second - if zone.starts_with('-') { -east } else { east }))
    }

    /// `2026-11-21T10:00:00.000000Z`, as Mastodon tells when a limit begins anew (C-RAT-02).
    pub fn microseconds(self) -> String {
        self.rfc3339().replace('Z', ".000000Z")
    }

    /// `2026-11-21`.
    pub fn day(self) -> String {
        let (year, month, day) = self.date();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// When its hour began: all that people need to know of a last use.
    pub fn hour(self) -> Timestamp {
        Timestamp(self.0 - self.0.rem_euclid(3_600))
    }

    /// Midnight of its day with milliseconds, as Mastodon tells when an account was made (C-ACC-02).
    pub fn midnight(self) -> String {
        format!("{}T00:00:00.000Z", self.day())
    }

    /// Year, month and day in the proleptic Gregorian calendar. Counts in eras of 400 years from 1 March of year 0,
    /// where the leap day is the last of the year and every era has 146,097 days.
    pub fn date(self) -> (i64, i64, i64) {
        let days = self.0.div_euclid(86_400) + 719_468; // 1970-01-01 is this many days after 0000-03-01
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        (year, month, day)
    }
}

/// Numbers of so many digits each.
fn numbers(text: &str, separator: &str, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// The other way round of [`Timestamp::date`], by the same eras.
fn days_since_1970([year, month, day]: [i64; 3]) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let year_of_era = year.rem_euclid(400);
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + (153 * month_from_march + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_read_as_databases_write_them() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29 00:00:00", Some(951_782_400)),
            ("2016-11-24T01:00:00.123456+01:00", Some(1_479_945_600)),
            ("2016-11-23 22:30:00.9-0130", Some(1_479_945_600)),
            ("2016-11-24 00:00:00+00", Some(1_479_945_600)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2023-02-29T00:00:00Z", None),
            ("2023-13-01T00:00:00Z", None),
            ("2023-01-01T24:00:00Z", None),
            ("2023-01-01", None),
            ("2023-01-01T00:00Z", None),
            ("2023-1-1T00:00:00Z", None),
            ("2023-01-01T00:00:00.Z", None),
            ("2023-01-01T00:00:00+1", None),
            ("+023-01-01T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::parse(text), expected.map(Timestamp), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(seconds in -62_135_596_800_i64..253_402_300_800) {
            prop_assert_eq!(Timestamp::parse(&Timestamp(seconds).rfc3339()), Some(Timestamp(seconds)));
        }

        #[test]
        fn any_text_is_a_moment_or_none(text in "[0-9:+TZé. -]{0,30}|.{0,20}") {
            let _ = Timestamp::parse(&text);
        }
    }

    #[test]
    fn moments_are_written_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_479_945_600, "2016-11-24T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp(seconds).rfc3339(), expected, "{seconds}");
        }
    }

    #[test]
    fn an_hour_is_told_without_its_minutes() {
        assert_eq!(Timestamp(1_479_945_600 + 3_599).hour(), Timestamp(1_479_945_600));
        assert_eq!(Timestamp(1_479_945_600 + 86_399).hour(), Timestamp(1_479_945_600 + 82_800));
    }

    #[test]
    fn midnight_is_the_start_of_its_day() {
        assert_eq!(Timestamp(1_479_945_600 + 86_399).midnight(), "2016-11-24T00:00:00.000Z");
    }

    #[test]
    fn a_moment_is_also_written_with_microseconds() {
        assert_eq!(Timestamp(1_767_225_900).microseconds(), "2026-01-01T00:05:00.000000Z");
    }
}
