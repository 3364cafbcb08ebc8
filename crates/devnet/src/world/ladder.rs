//! What rests in the book: both sides of a market, made from its price and its depth.

use domain::{Price, Timestamp};

use super::dice::whole;
use super::market::SimMarket;

/// Levels on either side.
const LEVELS: u32 = 12;

/// Hundredths of a share in millionths: sizes lie on that grid, prices on the cent, so that every product
/// is a whole number of millionths of a dollar.
pub(crate) const LOT: i64 = 10_000;

/// One side of a book, best first.
pub(crate) type Side = Vec<Rung>;

/// Shares at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rung {
    pub(crate) cents: u32,
    /// Millionths of a share.
    pub(crate) micros: i64,
}

/// Bids and asks of one outcome of a market at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    pub(crate) bids: Side,
    pub(crate) asks: Side,
}

impl Ladder {
    /// The first outcome's.
    pub(crate) fn of(market: &SimMarket, at: Timestamp) -> Self {
        let (bid, ask) = market.touch(at);
        let rung = |cents: u32, place: u32| {
            // The same dollars must rest on the other outcome's book, which is this one's mirror.
            let cheaper = f64::from(cents.min(100 - cents)) / 100.0;
            let profile = 1.0 + 0.25 * f64::from(place);
            let lots = market.depth_usd * profile * jitter(market.id, cents) / cheaper * 100.0;
            Rung { cents, micros: whole(lots).max(500) * LOT }
        };
        Self {
            bids: (0..LEVELS.min(bid)).map(|place| rung(bid - place, place)).collect(),
            asks: (0..LEVELS.min(100 - ask)).map(|place| rung(ask + place, place)).collect(),
        }
    }

    /// The other outcome's: who bids for one sells the other.
    pub(crate) fn mirrored(&self) -> Self {
        let turn = |side: &Side| {
            side.iter().map(|rung| Rung { cents: 100 - rung.cents, micros: rung.micros }).collect()
        };
        Self { bids: turn(&self.asks), asks: turn(&self.bids) }
    }
}

/// A price in cents as the domain has it; `None` for 0 and 100.
pub(crate) fn price(cents: u32) -> Option<Price> {
    Price::from_ppm(cents * 10_000)
}

/// Between 0.6 and 1.4, always the same for a price of a market, so that a level keeps its size while the
/// market moves around it.
fn jitter(market: usize, cents: u32) -> f64 {
    let mixed = (market as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ u64::from(cents).wrapping_mul(0xD1B5_4A32_D192_ED03);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    #[expect(clippy::cast_precision_loss, reason = "sixteen bits")]
    let unit = (mixed >> 48) as f64 / 65_536.0;
    0.6 + 0.8 * unit
}
