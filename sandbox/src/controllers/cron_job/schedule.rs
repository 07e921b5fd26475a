//! Schedules as cron knows them: five fields, or one of the words for usual ones; by the clocks of some time zone.

use std::{fs, path::Path, str::FromStr};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// Days that are looked at before a schedule is taken for one that never comes, such as 30 February.
const HORIZON: usize = 8 * 366;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Where the machine keeps what it knows of time zones.
const ZONES: &str = "/usr/share/zoneinfo";

/// The time zone of this name, such as `Europe/Berlin`.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "UTC" | "Etc/UTC") {
        return Some(TimeZone::UTC);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    let rules =
        fs::read(Path::new(ZONES).join(Some(name).filter(|n| n.chars().all(plain) && !n.starts_with('/'))?));
    TimeZone::tzif(name, &rules.ok()?).ok()
}

/// When something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
    zone: TimeZone,
}

/// The values of one field, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    bits: u64,
    /// It does not restrict anything.
    any: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| (self.bits >> value) & 1 == 1)
    }

    /// `*/15`, `1-5`, `MON,WED`; `names` stand for numbers from `first` on.
    fn read(text: &str, (least, most): (u32, u32), names: &[&str], first: u32) -> Option<Self> {
        let number = |text: &str| -> Option<u32> {
            let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
            let value = match named {
                Some(at) => first + u32::try_from(at).ok()?,
                None => text.parse().ok()?,
            };
            (least..=most).contains(&value).then_some(value)
        };
        let mut field = Self { bits: 0, any: false };
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|s| *s > 0)?)),
                None => (part, None),
            };
            let (from, to) = match (range, range.split_once('-')) {
                ("*" | "?", _) => {
                    field.any |= step.is_none();
                    (least, most)
                }
                (_, Some((from, to))) => (number(from)?, number(to)?),
                (one, None) => {
                    let one = number(one)?;
                    // `5/15` goes on to the end.
                    (one, if step.is_some() { most } else { one })
                }
            };
            if from > to {
                return None;
            }
            let step = usize::try_from(step.unwrap_or(1)).ok()?;
            field.bits = (from..=to)
                .step_by(step)
                .fold(field.bits, |bits, n| bits | (1 << n));
        }
        Some(field)
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("schedule {text:?} is not understood");
        let usual = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            own => own,
        };
        let parts: Vec<&str> = usual.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = parts[..] else {
            return Err(refuse());
        };
        let read =
            |text, range, names: &[&str], first| Field::read(text, range, names, first).ok_or_else(refuse);
        Ok(Self {
            minutes: read(minutes, (0, 59), &[], 0)?,
            hours: read(hours, (0, 23), &[], 0)?,
            days: read(days, (1, 31), &[], 0)?,
            months: read(months, (1, 12), &MONTHS, 1)?,
            weekdays: read(weekdays, (0, 6), &DAYS, 0)?,
            zone: TimeZone::UTC,
        })
    }
}

impl Schedule {
    /// The same, by the clocks of a time zone.
    pub(super) fn within(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The next time after this one; `None` when there is none. What clocks leave out, when they are put forward, does not
    /// come, and what they show twice comes twice.
    pub(super) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let mut at = Timestamp::from_second((time.as_second().div_euclid(60) + 1) * 60).ok()?;
        let mut date = self.zone.to_datetime(at).date();
        for _ in 0..HORIZON {
            let next = date.checked_add(1.day()).ok()?;
            let end = next.to_zoned(self.zone.clone()).ok()?.timestamp();
            while at < end && self.falls_on(date) {
                let shown = self.zone.to_datetime(at);
                let step = match (self.hours.has(shown.hour()), self.minutes.has(shown.minute())) {
                    (true, true) => return Some(at),
                    (true, false) => 1,
                    (false, _) => 60 - i64::from(shown.minute()),
                };
                at = at.checked_add(step.minutes()).ok()?;
            }
            (at, date) = (at.max(end), next);
        }
        None
    }

    /// Where both kinds of days are given, either is enough.
    fn falls_on(&self, date: Date) -> bool {
        let (day, weekday) = (
            self.days.has(date.day()),
            self.weekdays.has(date.weekday().to_sunday_zero_offset()),
        );
        let fits = if self.days.any || self.weekdays.any {
            day && weekday
        } else {
            day || weekday
        };
        self.months.has(date.month()) && fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> Option<String> {
        let schedule: Schedule = schedule.parse().unwrap();
        schedule.after(after.parse().unwrap()).map(|t| t.to_string())
    }

    #[test]
    fn times_come_as_cron_has_them() {
        for (schedule, after, due) in [
            ("* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"),
            ("*/15 * * * *", "2026-01-01T00:46:00Z", "2026-01-01T01:00:00Z"),
            ("5/20 2 * * *", "2026-01-01T02:25:00Z", "2026-01-01T02:45:00Z"),
            (
                "0 9-17/4 * * MON-FRI",
                "2026-01-02T17:00:00Z",
                "2026-01-05T09:00:00Z",
            ),
            ("30 6 1,15 * *", "2026-01-01T06:30:00Z", "2026-01-15T06:30:00Z"),
            // The first of a month, and every Sunday.
            ("0 0 1 * SUN", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("0 0 29 feb ?", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("@hourly", "2026-01-01T23:59:59Z", "2026-01-02T00:00:00Z"),
            ("@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(next(schedule, after).as_deref(), Some(due), "{schedule}");
        }
        assert_eq!(next("0 0 30 2 *", "2026-01-01T00:00:00Z"), None);
    }

    #[test]
    fn clocks_of_a_time_zone_count_and_their_turns() {
        let berlin = zone("Europe/Berlin").expect("the machine knows time zones");
        let next = |schedule: &str, after: &str| {
            let schedule = schedule.parse::<Schedule>().unwrap().within(berlin.clone());
            schedule.after(after.parse().unwrap()).map(|t| t.to_string())
        };
        for (schedule, after, due) in [
            ("0 9 * * *", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00Z"),
            ("0 9 * * *", "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z"),
            ("0 0 * * MON", "2026-01-01T00:00:00Z", "2026-01-04T23:00:00Z"),
            // 02:30 is left out on 29 March, and comes twice on 25 October.
            ("30 2 * * *", "2026-03-28T02:00:00Z", "2026-03-30T00:30:00Z"),
            ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ] {
            assert_eq!(
                next(schedule, after).as_deref(),
                Some(due),
                "{schedule} after {after}"
            );
        }
        for nowhere in [
            "Europe/Nowhere",
            "../zoneinfo/UTC",
            "/etc/localtime",
            "Europe",
            "",
        ] {
            assert!(zone(nowhere).is_none(), "{nowhere}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for nonsense in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "@never",
            "* * * * * *",
        ] {
            assert!(nonsense.parse::<Schedule>().is_err(), "{nonsense}");
        }
    }
}
