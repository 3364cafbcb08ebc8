//! Chance that is the same in every run.

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below a bound: the upper half, scaled.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        u32::try_from(((mix(self.0) >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

/// Mixes every bit into every other one.
pub(crate) const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
