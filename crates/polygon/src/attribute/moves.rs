//! Who gave or got the shares of a deed, by the transfers in its transaction's receipt.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use domain::TokenId;

use super::deed::{Deed, DeedKind};
use crate::abi::transfers::{TransferBatch, TransferSingle};
use crate::contracts::{CONDITIONAL_TOKENS, POSITION_MANAGER, is_protocol_contract};
use crate::log::RawLog;

const WORD: usize = 32;

/// Why the transfers do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untold {
    #[error("and no user's shares moved with it")]
    Nobody,
    #[error("and the shares of {0} users moved with it")]
    Several(usize),
    #[error("and the shares that moved with it are not as many")]
    OtherAmounts,
}

/// The user whose shares moved to the deed's actor, or for a split from it.
///
/// Shares are given before a deed and handed on after it, so where a transaction holds several deeds of a kind
/// (`twins` are their indices, this one's among them), the transfers between two of them belong to one.
pub(super) fn user_of(
    deed: &Deed<'_>,
    twins: impl Iterator<Item = u32>,
    receipt: &[RawLog],
) -> Result<Address, Untold> {
    let index = deed.log.log_index;
    let gets = deed.kind == DeedKind::Split;
    let (mut before, mut after) = (None, None);
    for twin in twins {
        if twin < index {
            before = before.max(Some(twin));
        } else if twin > index {
            after = Some(after.map_or(twin, |after: u32| after.min(twin)));
        }
    }
    let is_near = |log: &RawLog| {
        if gets {
            log.log_index > index && after.is_none_or(|after| log.log_index < after)
        } else {
            log.log_index < index && before.is_none_or(|before| log.log_index > before)
        }
    };
    let tokens = deed.tokens();
    let mut moved: BTreeMap<Address, Vec<U256>> = BTreeMap::new();
    let ledger = deed.ledger();
    let is_ours = |log: &&RawLog| log.address == ledger && log.tx_hash == deed.log.tx_hash && is_near(log);
    for transfer in receipt.iter().filter(is_ours).flat_map(read) {
        let (contract, user) = if gets { (transfer.from, transfer.to) } else { (transfer.to, transfer.from) };
        let place = tokens.iter().position(|token| *token == transfer.token);
        if contract != deed.actor || is_protocol_contract(user) || transfer.value.is_zero() {
            continue;
        }
        if let Some(place) = place {
            let sums = moved.entry(user).or_insert_with(|| vec![U256::ZERO; tokens.len()]);
            if let Some(sum) = sums.get_mut(place) {
                *sum = sum.saturating_add(transfer.value);
            }
        }
    }
    let several = moved.len();
    let Some((user, sums)) = moved.pop_first() else { return Err(Untold::Nobody) };
    if several > 1 {
        return Err(Untold::Several(several));
    }
    // Of a redemption the event says what was paid, not what was given.
    let amount = U256::from(deed.amount.unsigned_abs());
    if deed.kind != DeedKind::Redemption && sums.iter().any(|sum| *sum != amount) {
        return Err(Untold::OtherAmounts);
    }
    Ok(user)
}

/// The contracts that keep shares.
pub(crate) const LEDGERS: [Address; 2] = [CONDITIONAL_TOKENS, POSITION_MANAGER];
/// The events in which they tell that shares moved.
pub(crate) const TRANSFERS: [B256; 2] = [TransferSingle::SIGNATURE_HASH, TransferBatch::SIGNATURE_HASH];

/// Whether a log may tell that shares moved.
pub(crate) fn is_transfer(log: &RawLog) -> bool {
    LEDGERS.contains(&log.address) && log.topics.first().is_some_and(|topic| TRANSFERS.contains(topic))
}

/// Shares that went from one wallet to another.
struct Transfer {
    from: Address,
    to: Address,
    token: TokenId,
    value: U256,
}

/// The transfers that a log tells of; none where it is another event or damaged.
fn read(log: &RawLog) -> Vec<Transfer> {
    let [topic, _operator, from, to] = *log.topics else { return vec![] };
    let pairs = match topic {
        TransferSingle::SIGNATURE_HASH => single(&log.data),
        TransferBatch::SIGNATURE_HASH => batch(&log.data),
        _ => None,
    };
    let (from, to) = (Address::from_word(from), Address::from_word(to));
    let transfer = |(token, value)| Transfer { from, to, token: TokenId(token), value };
    pairs.unwrap_or_default().into_iter().map(transfer).collect()
}

fn single(data: &[u8]) -> Option<Vec<(U256, U256)>> {
    match words(data)?.as_slice() {
        [id, value] => Some(vec![(*id, *value)]),
        _ => None,
    }
}

/// Two arrays of one length behind their offsets, in the one form that Solidity emits.
fn batch(data: &[u8]) -> Option<Vec<(U256, U256)>> {
    let words = words(data)?;
    let ([ids_at, values_at, count], rest) = words.split_first_chunk::<3>()?;
    let count = usize::try_from(*count).ok().filter(|count| *count < rest.len())?;
    let (ids, rest) = rest.split_at_checked(count)?;
    let (values_count, values) = rest.split_first()?;
    let second = U256::from((3 + count) * WORD);
    let is_canonical = *ids_at == U256::from(2 * WORD)
        && *values_at == second
        && *values_count == U256::from(count)
        && values.len() == count;
    is_canonical.then(|| ids.iter().copied().zip(values.iter().copied()).collect())
}

fn words(data: &[u8]) -> Option<Vec<U256>> {
    let (words, rest) = data.as_chunks::<WORD>();
    rest.is_empty().then(|| words.iter().map(|word| B256::new(*word).into()).collect())
}
