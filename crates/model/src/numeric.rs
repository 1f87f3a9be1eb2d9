//! How long the decimal numbers of a column are: whether an engine can compute with them exactly.

use crate::{Batch, ColumnType};
use std::collections::BTreeMap;

/// The longest numbers among the values of a `numeric` column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct NumericExtent {
    /// Digits in front of the point.
    pub whole: u32,
    /// Digits behind it.
    pub scale: u32,
    /// Whether there is a NaN, an infinity or a number with an exponent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub special: bool,
}

impl NumericExtent {
    /// Takes in a value as PostgreSQL prints it.
    pub fn see(&mut self, value: &[u8]) {
        let digits = value.strip_prefix(b"-").unwrap_or(value);
        let point = digits.iter().position(|&byte| byte == b'.');
        let (whole, fraction) = match point {
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits, &[][..]),
        };
        let mut all = whole.iter().chain(fraction);
        if all.all(u8::is_ascii_digit) && !digits.is_empty() {
            self.whole = self.whole.max(whole.len() as u32);
            self.scale = self.scale.max(fraction.len() as u32);
        } else {
            self.special = true;
        }
    }

    /// Most digits of a decimal: 256 bits hold 76, and the sum of ten thousand million rows has to fit as well.
    pub const DIGITS: u32 = 66;

    /// Returns digits in all and digits behind the point of decimals that hold every value; `None` if they are too
    /// long or no numbers.
    pub fn decimal(&self) -> Option<(u8, i8)> {
        let digits = self.whole.checked_add(self.scale)?;
        let fits = !self.special && digits <= Self::DIGITS;
        let digits = u8::try_from(digits.max(1)).ok()?;
        Some((digits, i8::try_from(self.scale).ok()?)).filter(|_| fits)
    }

    /// Takes in the `numeric` columns of a batch, by name.
    pub fn see_batch(extents: &mut BTreeMap<String, NumericExtent>, batch: &Batch) {
        for column in &batch.columns {
            if column.column_type != ColumnType::Numeric {
                continue;
            }
            if !extents.contains_key(&column.name) {
                extents.insert(column.name.clone(), NumericExtent::default());
            }
            let Some(extent) = extents.get_mut(&column.name) else {
                continue;
            };
            for value in (0..column.len()).filter_map(|row| column.bytes(row)) {
                extent.see(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(values: &[&str]) -> NumericExtent {
        let mut extent = NumericExtent::default();
        values.iter().for_each(|value| extent.see(value.as_bytes()));
        extent
    }

    #[test]
    fn numbers_are_as_long_as_they_are() {
        assert_eq!(extent(&["0"]).decimal(), Some((1, 0)));
        assert_eq!(extent(&["-12", "0.125", "7"]).decimal(), Some((5, 3)));
        assert_eq!(extent(&[]).decimal(), Some((1, 0)));
        for special in ["NaN", "Infinity", "-Infinity", "1e5", "", "-", "1.2.3"] {
            assert_eq!(extent(&["1", special]).decimal(), None, "{special}");
        }
    }

    #[test]
    fn what_may_not_fit_is_not_promised() {
        let nines = |digits| "9".repeat(digits);
        assert_eq!(extent(&[&nines(66)]).decimal(), Some((66, 0)));
        assert_eq!(extent(&[&nines(67)]).decimal(), None);
        // Long in front here, long behind there: a decimal has both.
        assert_eq!(extent(&[&nines(60), "0.1234567"]).decimal(), None);
    }
}
