//! How numbers become bytes: seven bits a byte, the small ones first, signs in the lowest bit; amounts without the
//! zeros they nearly always end with, and moments in whole seconds where they are.

use domain::{Shares, Side, Timestamp, Usd};

use super::Damaged;

/// The version that is written.
const VERSION: u8 = 1;
/// Amounts are mostly whole hundredths of dollars and shares.
const HUNDREDTH: i64 = 10_000;
const SECOND: i64 = 1_000_000;

/// Something that can be saved by itself.
pub(crate) trait Saved: Sized {
    fn save(&self, to: &mut Writer);
    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged>;
}

/// Bytes that grow.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

/// Bytes that are read.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    pub(crate) fn whole(&mut self, number: impl Into<u64>) {
        self.narrow(number.into());
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.whole(u64::try_from(length).unwrap_or(u64::MAX));
    }

    pub(crate) fn signed(&mut self, number: impl Into<i64>) {
        self.narrow(fold(number.into()));
    }

    /// An amount in millionths.
    pub(crate) fn amount(&mut self, micros: i64) {
        self.short(micros, HUNDREDTH);
    }

    /// How long after another moment one is; it may be before it.
    pub(crate) fn since(&mut self, earlier: Timestamp, at: Timestamp) {
        // Wraps and is wrapped back, so that every pair of moments can be written.
        self.short(at.micros().wrapping_sub(earlier.micros()), SECOND);
    }

    pub(crate) fn moment(&mut self, at: Timestamp) {
        self.short(at.micros(), SECOND);
    }

    pub(crate) fn float(&mut self, number: f64) {
        self.raw(&number.to_bits().to_le_bytes());
    }

    fn short(&mut self, number: i64, unit: i64) {
        let is_exact = number % unit != 0;
        let folded = fold(if is_exact { number } else { number / unit });
        let bit = u64::from(is_exact);
        match folded.checked_mul(2) {
            Some(doubled) => self.narrow(doubled | bit),
            None => self.wide(u128::from(folded) << 1 | u128::from(bit)),
        }
    }

    fn narrow(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.byte(low & 0x7f);
                return;
            }
            self.byte(low | 0x80);
        }
    }

    fn wide(&mut self, mut number: u128) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.byte(low & 0x7f);
                return;
            }
            self.byte(low | 0x80);
        }
    }
}

impl<'a> Reader<'a> {
    /// Reads bytes of the version that is known here.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Damaged> {
        let mut reader = Self(bytes);
        match reader.byte()? {
            VERSION => Ok(reader),
            other => Err(Damaged::Version(other)),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged::Long) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let (byte, rest) = self.0.split_first().ok_or(Damaged::Short)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(crate) fn raw<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(Damaged::Short)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Damaged> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Damaged::Mark(other)),
        }
    }

    pub(crate) fn whole<T: TryFrom<u128>>(&mut self) -> Result<T, Damaged> {
        let number = match self.narrow() {
            Some(number) => u128::from(number),
            None => self.wide()?,
        };
        T::try_from(number).map_err(|_| Damaged::Number)
    }

    pub(crate) fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, Damaged> {
        let number = match self.narrow() {
            Some(number) => unfold(number),
            None => unfold(u64::try_from(self.wide()?).map_err(|_| Damaged::Number)?),
        };
        T::try_from(number).map_err(|_| Damaged::Number)
    }

    pub(crate) fn amount(&mut self) -> Result<i64, Damaged> {
        self.short(HUNDREDTH)
    }

    pub(crate) fn usd(&mut self) -> Result<Usd, Damaged> {
        self.amount().map(Usd::from_micros)
    }

    pub(crate) fn shares(&mut self) -> Result<Shares, Damaged> {
        self.amount().map(Shares::from_micros)
    }

    pub(crate) fn since(&mut self, earlier: Timestamp) -> Result<Timestamp, Damaged> {
        Ok(Timestamp::from_micros(earlier.micros().wrapping_add(self.short(SECOND)?)))
    }

    pub(crate) fn moment(&mut self) -> Result<Timestamp, Damaged> {
        self.short(SECOND).map(Timestamp::from_micros)
    }

    pub(crate) fn float(&mut self) -> Result<f64, Damaged> {
        self.raw().map(|bytes| f64::from_bits(u64::from_le_bytes(bytes)))
    }

    /// A list of items, each of which takes at least a byte: what a damaged length costs is bounded by the bytes.
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Damaged>,
    ) -> Result<Vec<T>, Damaged> {
        let length: usize = self.whole()?;
        if self.0.len() < length {
            return Err(Damaged::Short);
        }
        let mut list = Vec::with_capacity(length);
        for _ in 0..length {
            list.push(item(self)?);
        }
        Ok(list)
    }

    fn short(&mut self, unit: i64) -> Result<i64, Damaged> {
        let (folded, is_exact) = match self.narrow() {
            Some(number) => (number >> 1, number & 1 == 1),
            None => {
                let number = self.wide()?;
                (u64::try_from(number >> 1).map_err(|_| Damaged::Number)?, number & 1 == 1)
            }
        };
        let value = unfold(folded);
        if is_exact { Ok(value) } else { value.checked_mul(unit).ok_or(Damaged::Number) }
    }

    /// A number of nine bytes at most, as nearly all are: a machine's word holds it, and reading wallets is mostly
    /// reading numbers.
    fn narrow(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for (place, byte) in self.0.iter().take(9).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.0 = &self.0[place + 1..];
                return Some(number);
            }
        }
        None
    }

    fn wide(&mut self) -> Result<u128, Damaged> {
        let mut number = 0u128;
        // Ten groups of seven bits hold 64 bits and six more.
        for place in 0..10 {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Damaged::Number)
    }
}

impl Saved for Option<Timestamp> {
    fn save(&self, to: &mut Writer) {
        to.flag(self.is_some());
        if let Some(at) = self {
            to.moment(*at);
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        if from.flag()? { from.moment().map(Some) } else { Ok(None) }
    }
}

impl Saved for Side {
    fn save(&self, to: &mut Writer) {
        to.flag(*self == Self::Sell);
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(if from.flag()? { Self::Sell } else { Self::Buy })
    }
}

/// The sign in the lowest bit.
const fn fold(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

const fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<T>(
        write: impl FnOnce(&mut Writer),
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Damaged>,
    ) -> T {
        let mut writer = Writer::new();
        write(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes).unwrap();
        let value = read(&mut reader).unwrap();
        reader.end().unwrap();
        value
    }

    #[test]
    fn the_ends_of_the_numbers_come_back() {
        for number in [0, 1, -1, 10_000, -10_000, i64::MAX, i64::MIN, i64::MAX / 10_000 * 10_000] {
            assert_eq!(read(|to| to.signed(number), |from| from.signed::<i64>()), number);
            assert_eq!(read(|to| to.amount(number), |from| from.amount()), number);
            let at = Timestamp::from_micros(number);
            assert_eq!(read(|to| to.moment(at), |from| from.moment()), at);
            for earlier in [i64::MIN, -7, 0, i64::MAX].map(Timestamp::from_micros) {
                assert_eq!(read(|to| to.since(earlier, at), |from| from.since(earlier)), at);
            }
        }
        assert_eq!(read(|to| to.whole(u64::MAX), |from| from.whole::<u64>()), u64::MAX);
    }

    #[test]
    fn what_is_not_a_number_is_an_error() {
        assert_eq!(Reader::new(&[]).unwrap_err(), Damaged::Short);
        assert_eq!(Reader::new(&[9]).unwrap_err(), Damaged::Version(9));
        let over = [VERSION, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
        assert_eq!(Reader::new(&over).unwrap().whole::<u64>(), Err(Damaged::Number));
        assert_eq!(Reader::new(&[VERSION, 0x80, 0x04]).unwrap().whole::<u8>(), Err(Damaged::Number));
        // A list that says it has two thousand million items.
        let long = [VERSION, 0xff, 0xff, 0xff, 0xff, 7];
        assert_eq!(Reader::new(&long).unwrap().list(Reader::byte), Err(Damaged::Short));
        assert_eq!(Reader::new(&[VERSION, 2]).unwrap().flag(), Err(Damaged::Mark(2)));
    }

    proptest! {
        #[test]
        fn numbers_come_back(number in any::<i64>(), whole in any::<u64>(), float in any::<f64>()) {
            prop_assert_eq!(read(|to| to.signed(number), |from| from.signed::<i64>()), number);
            prop_assert_eq!(read(|to| to.amount(number), |from| from.amount()), number);
            prop_assert_eq!(read(|to| to.whole(whole), |from| from.whole::<u64>()), whole);
            prop_assert_eq!(read(|to| to.float(float), |from| from.float()).to_bits(), float.to_bits());
        }
    }
}
