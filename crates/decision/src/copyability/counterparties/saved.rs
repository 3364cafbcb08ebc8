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
        for known @ Counterparty { last, .. } in &self.kept {
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
        let kept = from.list(|from| {
            let wallet = u32::from_le_bytes(from.raw()?);
            let (usd, error) = (from.usd()?, from.usd()?);
            let at = from.since(before)?;
            before = at;
            let token = u32::from_le_bytes(from.raw()?);
            let last = Last { at, token, side: Side::load(from)?, usd: from.usd()? };
            Ok(Counterparty { wallet, last, usd, error })
        })?;
        if KEPT < kept.len() {
            return Err(Damaged::Number);
        }
        Ok(Self { volume, round_trips, kept: kept.into_iter().collect() })
    }
}
