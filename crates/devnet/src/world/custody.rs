//! Contracts that act for users: who splits, merges or redeems through them appears in the conditional tokens'
//! events only as the contract, and as a user only in the transfers of the same transaction.

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use domain::{ChainEvent, Shares, TokenId, Usd, Wallet};
use polygon::contracts::CONDITIONAL_TOKENS;
use polygon::encode::{self, LogBody};

use super::market::SimMarket;
use super::tx::Tx;

/// Splits and merges for the exchange and for users go through it, since trading moved to pUSD.
pub(crate) const COLLATERAL_ADAPTER: Address = address!("AdA100Db00Ca00073811820692005400218FcE1f");

/// Redeems for users without being asked each time.
pub(crate) const AUTO_REDEEMER: Address = address!("a1200000d0002264C9a1698e001292D00E1b00af");

/// Who turns a winner's shares into dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redeemer {
    /// The winner, at the conditional tokens.
    Themselves,
    /// The winner, through the adapter that pays in pUSD.
    Adapter,
    /// The auto-redeemer, through that adapter.
    Automatic,
}

/// Dollars of a user become both outcomes, through the adapter.
pub(super) fn split(market: &SimMarket, wallet: Wallet, amount: Shares) -> Option<Tx> {
    let (_, collateral) = market.ctf()?;
    let said = encode::position_split(Wallet(COLLATERAL_ADAPTER), collateral, market.condition, amount)?;
    let mut tx = Tx::default();
    tx.note(both(market, Address::ZERO, COLLATERAL_ADAPTER, amount)?);
    tx.tell(said, ChainEvent::Split { wallet, condition: market.condition, amount });
    tx.note(both(market, COLLATERAL_ADAPTER, wallet.0, amount)?);
    Some(tx)
}

/// Both outcomes of a user become dollars, through the adapter.
pub(super) fn merge(market: &SimMarket, wallet: Wallet, amount: Shares) -> Option<Tx> {
    let (_, collateral) = market.ctf()?;
    let said = encode::positions_merge(Wallet(COLLATERAL_ADAPTER), collateral, market.condition, amount)?;
    let mut tx = Tx::default();
    tx.note(both(market, wallet.0, COLLATERAL_ADAPTER, amount)?);
    tx.note(both(market, COLLATERAL_ADAPTER, Address::ZERO, amount)?);
    tx.tell(said, ChainEvent::Merge { wallet, condition: market.condition, amount });
    Some(tx)
}

/// Shares of the winning outcome become dollars.
pub(super) fn redeem(market: &SimMarket, wallet: Wallet, won: Shares, by: Redeemer) -> Option<Tx> {
    let (_, collateral) = market.ctf()?;
    let (condition, payout) = (market.condition, Usd::from_micros(won.micros()));
    let event = ChainEvent::Redemption { wallet, condition: Some(condition), token: None, payout };
    let mut tx = Tx::default();
    if by == Redeemer::Themselves {
        let said = encode::payout_redemption(wallet, collateral, condition, payout)?;
        tx.tell(said, event);
        return Some(tx);
    }
    let token = market.tokens[market.winner];
    // From hand to hand until the adapter burns them.
    let mut hands = vec![wallet.0, COLLATERAL_ADAPTER, Address::ZERO];
    if by == Redeemer::Automatic {
        hands.insert(1, AUTO_REDEEMER);
    }
    for hand in hands.windows(2) {
        let operator = if hand[0] == AUTO_REDEEMER || hand[1] == AUTO_REDEEMER {
            AUTO_REDEEMER
        } else {
            COLLATERAL_ADAPTER
        };
        tx.note(transfer_single(operator, hand[0], hand[1], token, won)?);
    }
    tx.note(encode::payout_redemption(Wallet(COLLATERAL_ADAPTER), collateral, condition, payout)?);
    let mut amounts = [0; 2];
    amounts[market.winner] = won.micros();
    let redeemed = |initiator| positions_redeemed(initiator, condition.0, amounts, payout);
    if by == Redeemer::Automatic {
        tx.note(redeemed(AUTO_REDEEMER)?);
        tx.tell(binary_redemption(wallet.0, condition.0, payout)?, event);
    } else {
        tx.tell(redeemed(wallet.0)?, event);
    }
    Some(tx)
}

/// The same amount of both outcomes changes hands at the adapter's hand.
fn both(market: &SimMarket, from: Address, to: Address, amount: Shares) -> Option<LogBody> {
    let [first, second] = market.tokens.map(|token| token.0);
    let amount = word(amount.micros())?;
    // Two arrays behind their offsets.
    let data =
        [U256::from(0x40), U256::from(0xa0), U256::from(2), first, second, U256::from(2), amount, amount];
    let topics = [COLLATERAL_ADAPTER, from, to].map(|address| address.into_word());
    Some(log(
        CONDITIONAL_TOKENS,
        "TransferBatch(address,address,address,uint256[],uint256[])",
        &topics,
        &data,
    ))
}

fn transfer_single(
    operator: Address,
    from: Address,
    to: Address,
    token: TokenId,
    amount: Shares,
) -> Option<LogBody> {
    let topics = [operator, from, to].map(|address| address.into_word());
    let data = [token.0, word(amount.micros())?];
    let signature = "TransferSingle(address,address,address,uint256,uint256)";
    Some(log(CONDITIONAL_TOKENS, signature, &topics, &data))
}

fn positions_redeemed(
    initiator: Address,
    condition: B256,
    amounts: [i64; 2],
    payout: Usd,
) -> Option<LogBody> {
    let (first, second) = (word(amounts[0])?, word(amounts[1])?);
    let data = [U256::from(0x40), word(payout.micros())?, U256::from(2), first, second];
    let topics = [initiator.into_word(), condition];
    let signature = "PositionsRedeemed(address,bytes32,uint256[],uint256)";
    Some(log(COLLATERAL_ADAPTER, signature, &topics, &data))
}

fn binary_redemption(from: Address, condition: B256, payout: Usd) -> Option<LogBody> {
    let signature = "BinaryRedemption(address,bytes32,uint256)";
    Some(log(AUTO_REDEEMER, signature, &[from.into_word(), condition], &[word(payout.micros())?]))
}

/// These events are read by `polygon`'s decoder, which must not be its own witness: so they are written here by
/// hand, a word each.
fn log(address: Address, signature: &str, indexed: &[B256], data: &[U256]) -> LogBody {
    let mut topics = vec![keccak256(signature)];
    topics.extend(indexed);
    let data: Vec<u8> = data.iter().flat_map(U256::to_be_bytes::<32>).collect();
    LogBody { address, topics, data: Bytes::from(data) }
}

fn word(micros: i64) -> Option<U256> {
    u64::try_from(micros).ok().map(U256::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;

    /// As the chain has them.
    #[test]
    fn the_signatures_are_those_on_the_chain() {
        for (signature, topic) in [
            (
                "TransferSingle(address,address,address,uint256,uint256)",
                b256!("c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"),
            ),
            (
                "TransferBatch(address,address,address,uint256[],uint256[])",
                b256!("4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"),
            ),
            (
                "PositionsRedeemed(address,bytes32,uint256[],uint256)",
                b256!("1daec0b1f629de29b749a189499f43104a80df46a9f34d9ccf73aa59b85fc0c0"),
            ),
            (
                "BinaryRedemption(address,bytes32,uint256)",
                b256!("b434294b5904213c83a167af0068ab82637c6fd4fac945e2abc74ed8d3f4d52a"),
            ),
        ] {
            assert_eq!(log(Address::ZERO, signature, &[], &[]).topics, [topic], "{signature}");
        }
    }
}
