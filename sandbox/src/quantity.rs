//! Amounts such as `250m`, `1.5` or `64Mi`: parsed, added, and written in the one form that Kubernetes keeps them in.

use std::{fmt, ops::AddAssign};

/// Amounts are held in billionths, which is as fine as they get.
const ONE: i128 = 1_000_000_000;
/// No amount is larger than this.
const LARGEST: i128 = i64::MAX as i128 * ONE;
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// An amount in thousandths, rounded up; nothing where it is negative.
pub(crate) fn millis(text: &str) -> Option<u128> {
    Quantity::parse(text).ok().map(Quantity::millis)
}

/// An amount, and the kind of suffix that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity {
    billionths: i128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Decimal,
    Binary,
    Exponent,
}

/// Why a text is no amount, in Kubernetes' words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// It does not look like one.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// Its suffix means nothing.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(Malformed::Format);
        }
        let (form, times, divided_by) = scale(suffix)?;
        let places = 10_u128.saturating_pow(u32::try_from(fraction.len()).unwrap_or(u32::MAX));
        let exact = digits(whole.bytes().chain(fraction.bytes()))
            .saturating_mul(times)
            .saturating_mul(ONE.unsigned_abs());
        // Whatever is finer than a billionth counts as a whole one.
        let amount = exact.div_ceil(divided_by.saturating_mul(places));
        let mut billionths = i128::try_from(amount).unwrap_or(LARGEST).min(LARGEST);
        if text.starts_with('-') {
            billionths = -billionths;
        }
        Ok(Self { billionths, form })
    }

    fn millis(self) -> u128 {
        u128::try_from(self.billionths)
            .unwrap_or_default()
            .div_ceil(1_000_000)
    }
}

/// What a suffix stands for: a factor and a divisor.
fn scale(suffix: &str) -> Result<(Form, u128, u128), Malformed> {
    if let Some(index) = DECIMAL.iter().position(|s| *s == suffix) {
        let power = |by: usize| 1000_u128.pow(u32::try_from(by).unwrap_or_default());
        return Ok((
            Form::Decimal,
            power(index.saturating_sub(3)),
            power(3_usize.saturating_sub(index)),
        ));
    }
    if let Some(index) = BINARY.iter().position(|s| *s == suffix) {
        return Ok((Form::Binary, 1 << (10 * index), 1));
    }
    if let Some(exponent) = suffix.strip_prefix(['e', 'E']) {
        let exponent = exponent.parse::<i32>().map_err(|_| Malformed::Suffix)?;
        let power = |by: i32| 10_u128.pow(by.clamp(0, 30).unsigned_abs());
        return Ok((Form::Exponent, power(exponent), power(exponent.saturating_neg())));
    }
    let known = |c: char| c.is_ascii_digit() || "eEinumkKMGTP+-".contains(c);
    Err(if suffix.chars().all(known) {
        Malformed::Suffix
    } else {
        Malformed::Format
    })
}

/// As many digits as any amount can have.
fn digits(text: impl Iterator<Item = u8>) -> u128 {
    text.fold(0, |sum: u128, digit| {
        sum.saturating_mul(10).saturating_add(u128::from(digit - b'0'))
    })
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        self.billionths = (self.billionths + other.billionths).clamp(-LARGEST, LARGEST);
    }
}

/// With the largest suffix that needs no fraction.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.billionths % ONE == 0;
        if self.form == Form::Binary && whole && self.billionths.abs() >= 1024 * ONE {
            let (number, index) = reduce(self.billionths / ONE, 1024, BINARY.len());
            return write!(f, "{number}{}", BINARY[index]);
        }
        if self.billionths == 0 {
            return f.write_str("0");
        }
        let (number, index) = reduce(self.billionths, 1000, DECIMAL.len());
        match (self.form, index as i32 * 3 - 9) {
            (Form::Exponent, 0) => write!(f, "{number}"),
            (Form::Exponent, exponent) => write!(f, "{number}e{exponent}"),
            _ => write!(f, "{number}{}", DECIMAL[index]),
        }
    }
}

fn reduce(mut number: i128, by: i128, most: usize) -> (i128, usize) {
    let mut index = 0;
    while index + 1 < most && number % by == 0 {
        number /= by;
        index += 1;
    }
    (number, index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_kubernetes_writes_them() {
        for (text, wanted) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("64Mi", "64Mi"),
            ("1024Mi", "1Gi"),
            ("1000", "1k"),
            ("100000k", "100M"),
            ("1023Ki", "1023Ki"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("2048", "2048"),
            ("0", "0"),
            ("0Gi", "0"),
            (".5", "500m"),
            ("5.", "5"),
            ("+3", "3"),
            ("-200m", "-200m"),
            ("1e3", "1e3"),
            ("12E6", "12e6"),
            ("1500e-3", "1500e-3"),
            ("100n", "100n"),
            ("0.0000000001", "1n"),
            ("1.25Ki", "1280"),
            ("9223372036854775807", "9223372036854775807"),
            ("99999999999999999999", "9223372036854775807"),
            ("8Ei", "9223372036854775807"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().to_string(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_said_to_be_none() {
        for (text, why) in [
            ("", Malformed::Format),
            ("x", Malformed::Format),
            ("1.2.3", Malformed::Format),
            (".", Malformed::Format),
            ("1 Gi", Malformed::Format),
            ("1Zi", Malformed::Format),
            ("1KiB", Malformed::Format),
            ("1ki", Malformed::Suffix),
            ("1mm", Malformed::Suffix),
            ("1e", Malformed::Suffix),
        ] {
            assert_eq!(Quantity::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn amounts_add_up() {
        let mut sum = Quantity::parse("64Mi").unwrap();
        sum += Quantity::parse("1G").unwrap();
        sum += Quantity::parse("960Mi").unwrap();
        assert_eq!(sum.millis(), (1024 * 1024 * 1024 + 1_000_000_000) * 1000);
        sum += Quantity::parse("-1G").unwrap();
        assert_eq!(sum.to_string(), "1Gi");
        assert_eq!(Quantity::parse("100n").unwrap().millis(), 1);
    }
}
