//! The simulated venue: an order walks the book as it stood, level by level, and pays the market's fee.

mod paper;

use domain::{Book, Level, MICRO, Price, Rounding, Shares, Tick, Timestamp, TokenId, Usd};

pub use paper::{MIN_SHARES, Resting, execute, execute_above, is_held_back, turned_away};

/// What a purchase or a sale comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purchase {
    /// Shares that change hands.
    pub shares: Shares,
    /// Dollars for them, fee not included.
    pub usd: Usd,
    /// The taker fee.
    pub fee: Usd,
}

impl Purchase {
    /// The average price paid; `None` where nothing was bought.
    #[must_use]
    pub fn average(&self) -> Option<Price> {
        Price::average(self.usd, self.shares)
    }
}

/// Buys for at most `stake` dollars at `limit` or better, best offers first.
#[must_use]
pub fn walk(book: &Book, limit: Price, stake: Usd, fee_rate_ppm: u32) -> Purchase {
    let mut bought = Purchase::default();
    for level in book.asks.iter().take_while(|level| level.price <= limit) {
        let left = stake - bought.usd;
        let shares = left.buys_at(level.price).min(level.shares);
        if !shares.is_positive() {
            break;
        }
        bought.shares += shares;
        bought.usd += shares.at(level.price, Rounding::Up);
        bought.fee += taker_fee(shares, level.price, fee_rate_ppm);
    }
    bought
}

/// Buys at most `shares` at `limit` or better, best offers first: what an order that may rest takes at once.
#[must_use]
pub fn walk_asks(book: &Book, limit: Price, shares: Shares, fee_rate_ppm: u32) -> Purchase {
    let mut bought = Purchase::default();
    for level in book.asks.iter().take_while(|level| level.price <= limit) {
        let part = (shares - bought.shares).min(level.shares);
        if !part.is_positive() {
            break;
        }
        bought.shares += part;
        bought.usd += part.at(level.price, Rounding::Up);
        bought.fee += taker_fee(part, level.price, fee_rate_ppm);
    }
    bought
}

/// Sells at most `shares` at `floor` or better, best bids first. What is received is rounded down.
#[must_use]
pub fn walk_bids(book: &Book, floor: Price, shares: Shares, fee_rate_ppm: u32) -> Purchase {
    let mut sold = Purchase::default();
    for level in book.bids.iter().take_while(|level| floor <= level.price) {
        let part = (shares - sold.shares).min(level.shares);
        if !part.is_positive() {
            break;
        }
        sold.shares += part;
        sold.usd += part.at(level.price, Rounding::Down);
        sold.fee += taker_fee(part, level.price, fee_rate_ppm);
    }
    sold
}

/// The book that a tape implies after a print: offers a tick above it and bids a tick below, as deep as the
/// print was large. A tape has no books; this is the least a copier would have paid.
#[must_use]
pub fn implied_book(token: TokenId, at: Timestamp, print: Price, shares: Shares, tick: Tick) -> Book {
    let step = tick.ppm();
    let level = |ppm: u32, rounding| {
        let price = Price::from_ppm(ppm.clamp(1, 999_999))?.on_tick(tick, rounding);
        Some(Level { price, shares })
    };
    let ask = level(print.ppm() + step, Rounding::Up);
    let bid = level(print.ppm().saturating_sub(step), Rounding::Down);
    Book::new(token, at, tick, bid.into_iter().collect(), ask.into_iter().collect())
}

/// `shares · rate · p · (1 - p)`, to the nearest hundred-thousandth of a dollar and at least that where it is
/// not zero (docs.polymarket.com/trading/fees).
#[must_use]
pub fn taker_fee(shares: Shares, price: Price, fee_rate_ppm: u32) -> Usd {
    const QUANTUM: i128 = 10;
    let million = i128::from(MICRO);
    let ppm = i128::from(price.ppm());
    // Three factors in millionths: below 2^63 · 2^20 · 2^38, which 128 bits hold.
    let exact = i128::from(shares.micros()) * i128::from(fee_rate_ppm) * ppm * (million - ppm);
    let scale = million * million * million * QUANTUM;
    let quanta = (exact + scale / 2) / scale;
    let quanta = if exact > 0 { quanta.max(1) } else { quanta };
    Usd::from_micros(i64::try_from(quanta * QUANTUM).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn book(asks: &[(&str, i32)]) -> Book {
        let asks = asks
            .iter()
            .map(|(at, shares)| Level { price: price(at), shares: Shares::whole(*shares) })
            .collect();
        Book::new(TokenId::default(), Timestamp::default(), Tick::CENT, vec![], asks)
    }

    #[test]
    fn an_order_walks_the_book_and_stops_at_its_limit() {
        let book = book(&[("0.74", 100), ("0.75", 100), ("0.80", 1_000)]);
        let bought = walk(&book, price("0.76"), Usd::whole(1_000), 0);
        assert_eq!(bought.shares, Shares::whole(200));
        assert_eq!(bought.usd, Usd::whole(149));
        assert_eq!(bought.average(), Some(price("0.745")));
        assert_eq!(walk(&book, price("0.73"), Usd::whole(10), 0), Purchase::default());
    }

    /// The official table: 100 shares at 0.50 pay $1.75 in crypto, $1.00 in politics; and the live fill of
    /// block 86,161,976: 10 shares at 0.80 at 0.072 paid $0.1152.
    #[test]
    fn fees_are_the_venues_own() {
        assert_eq!(taker_fee(Shares::whole(100), price("0.5"), 70_000).cents(), "1.75");
        assert_eq!(taker_fee(Shares::whole(100), price("0.5"), 40_000).cents(), "1.00");
        assert_eq!(taker_fee(Shares::whole(10), price("0.8"), 72_000), Usd::from_micros(115_200));
        assert_eq!(taker_fee(Shares::from_micros(1), price("0.5"), 70_000), Usd::from_micros(10));
        assert_eq!(taker_fee(Shares::whole(100), price("0.5"), 0), Usd::ZERO);
    }

    proptest! {
        #[test]
        fn a_purchase_keeps_to_stake_limit_and_depth(
            levels in prop::collection::vec((1u32..100, 1i32..10_000), 0..12),
            limit in 1u32..100,
            stake in 0i64..10_000_000_000,
        ) {
            let levels: Vec<Level> = levels
                .into_iter()
                .map(|(cents, shares)| Level {
                    price: Price::from_ppm(cents * 10_000).unwrap(),
                    shares: Shares::whole(shares),
                })
                .collect();
            let depth: Shares = levels.iter().map(|level| level.shares).sum();
            let book = Book::new(TokenId::default(), Timestamp::default(), Tick::CENT, vec![], levels);
            let limit = Price::from_ppm(limit * 10_000).unwrap();
            let bought = walk(&book, limit, Usd::from_micros(stake), 50_000);
            prop_assert!(bought.usd.micros() <= stake);
            prop_assert!(bought.shares <= depth);
            prop_assert!(bought.average().is_none_or(|average| average <= limit));
        }
    }
}
