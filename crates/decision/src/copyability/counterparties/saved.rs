//! The counterparties as bytes. Their order is kept: among equals the first one gives way.

use domain::{Side, Timestamp};

use super::{Counterparties, Counterparty, KEPT, Last};
use crate::reputation::saved::{Damaged, Reader, Saved, Writer};

impl Saved for Counterparties<u32, u32> {
    fn save(&self, to: &mut Writer) {
        to.amount(self.volume.micros());
        to.amount(self.round_trips.micros());
        to.length(self.kept.len());
        let mut before = Timestamp::from_micros(0);
        for (known, last) in self.kept.iter().zip(&self.last) {
            to.raw(&known.wallet.to_le_bytes());
            to.amount(known.usd.micros());
            to.amount(known.error.micros());
            to.since(before, last.at);
            before = last.at;
            to.raw(&last.token.to_le_bytes());
            last.side.save(to);
            to.amount(last.usd.micros());
        }
    }

    fn load(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let (volume, round_trips) = (from.usd()?, from.usd()?);
        let mut before = Timestamp::from_micros(0);
        let both = from.list(|from| {
            let wallet = u32::from_le_bytes(from.raw()?);
            let known = Counterparty { wallet, usd: from.usd()?, error: from.usd()? };
            let at = from.since(before)?;
            before = at;
            let token = u32::from_le_bytes(from.raw()?);
            Ok((known, Last { at, token, side: Side::load(from)?, usd: from.usd()? }))
        })?;
        if KEPT < both.len() {
            return Err(Damaged::Number);
        }
        let (kept, last) = both.into_iter().unzip();
        Ok(Self { volume, round_trips, kept, last })
    }
}
