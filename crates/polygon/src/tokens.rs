//! How conditions and outcome tokens get their ids.
//!
//! A token of the conditional-token contract is a hash, so the way leads only from condition to token;
//! a Protocol V2 position carries its condition in its own bits.

use alloy_primitives::{Address, B256, U256, keccak256, uint};
use domain::{ConditionId, TokenId};

/// The field of the curve alt_bn128, over which the conditional-token contract combines collections.
const FIELD: U256 = uint!(21888242871839275222246405745257275088696311157297823662689037894645226208583_U256);
/// `(FIELD + 1) / 4`: the exponent of a square root, as the field is 3 modulo 4.
const ROOT_EXPONENT: U256 =
    uint!(5472060717959818805561601436314318772174077789324455915672259473661306552146_U256);
/// The curve is `y² = x³ + 3`.
const CURVE_B: U256 = uint!(3_U256);
/// The bit of a collection id that keeps the parity of `y`.
const PARITY_BIT: usize = 254;

/// The id of a condition of the conditional-token contract: `keccak256(oracle ++ question ++ outcomes)`.
#[must_use]
pub fn condition_id(oracle: Address, question_id: B256, outcomes: u64) -> ConditionId {
    let mut packed = [0u8; 84];
    packed[..20].copy_from_slice(oracle.as_slice());
    packed[20..52].copy_from_slice(question_id.as_slice());
    packed[76..].copy_from_slice(&outcomes.to_be_bytes());
    ConditionId(keccak256(packed))
}

/// The token of one outcome of a condition, held by the conditional-token contract without a parent
/// collection.
///
/// The collateral is USDC.e, or the wrapped one for neg-risk markets; never pUSD, because ids did not change
/// when trading moved to it. An outcome beyond 255 does not exist on the contract and gives an id nobody holds.
#[must_use]
pub fn ctf_token(collateral: Address, condition: ConditionId, outcome: u32) -> TokenId {
    let collection = collection_id(condition, outcome);
    let mut packed = [0u8; 52];
    packed[..20].copy_from_slice(collateral.as_slice());
    packed[20..].copy_from_slice(collection.as_slice());
    TokenId(keccak256(packed).into())
}

/// The condition a Protocol V2 position belongs to, padded right to 32 bytes; `None` where the bits say that
/// the token is not such a position.
///
/// The bits, most significant first: module (8), base hash (128), arity (16), reserved (64), resolution chain
/// (16), condition index (16), outcome index (8). A hash passes for a position once in about 2^77.
#[must_use]
pub fn protocol_v2_condition(token: TokenId) -> Option<ConditionId> {
    let mut bytes: [u8; 32] = token.0.to_be_bytes();
    let module_exists = (1..=3).contains(&bytes[0]);
    let reserved_is_empty = bytes[19..27].iter().all(|byte| *byte == 0);
    let outcome_exists = bytes[31] <= 1;
    if !(module_exists && reserved_is_empty && outcome_exists) {
        return None;
    }
    bytes[31] = 0;
    Some(ConditionId(B256::from(bytes)))
}

/// The Protocol V2 position of an outcome, 0 for YES and 1 for NO; `None` for another outcome and for a
/// condition that is not of Protocol V2.
#[must_use]
pub fn protocol_v2_token(condition: ConditionId, outcome: u8) -> Option<TokenId> {
    let mut bytes = condition.0.0;
    if bytes[31] != 0 || outcome > 1 {
        return None;
    }
    bytes[31] = outcome;
    let token = TokenId(U256::from_be_bytes(bytes));
    protocol_v2_condition(token).map(|_| token)
}

/// The contract hashes condition and index set onto the curve: from the hash upward to the first `x` that
/// lies on it, with the parity of `y` taken from the hash's top bit.
fn collection_id(condition: ConditionId, outcome: u32) -> B256 {
    let index_set = U256::ONE.checked_shl(usize::try_from(outcome).unwrap_or(usize::MAX)).unwrap_or_default();
    let mut packed = [0u8; 64];
    packed[..32].copy_from_slice(condition.0.as_slice());
    packed[32..].copy_from_slice(&index_set.to_be_bytes::<32>());
    let hash: U256 = keccak256(packed).into();
    let odd = hash.bit(255);
    let mut x = hash % FIELD;
    loop {
        x = x.add_mod(U256::ONE, FIELD);
        let square = x.mul_mod(x, FIELD).mul_mod(x, FIELD).add_mod(CURVE_B, FIELD);
        let root = square.pow_mod(ROOT_EXPONENT, FIELD);
        if root.mul_mod(root, FIELD) != square {
            continue;
        }
        // One of the two roots is odd, the other even, and the contract takes the one whose parity the hash
        // asks for. `x` is below 2^254, so the bit that keeps the parity is free.
        x.set_bit(PARITY_BIT, odd);
        return B256::from(x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{NEG_RISK_ADAPTER, USDC_E, WRAPPED_COLLATERAL};
    use alloy_primitives::{address, b256};

    fn tokens(collateral: Address, condition: &str) -> [String; 2] {
        let condition = condition.parse().unwrap();
        [0, 1].map(|outcome| ctf_token(collateral, condition, outcome).to_string())
    }

    #[test]
    fn binary_tokens_are_those_the_subgraph_tests_expect() {
        assert_eq!(
            tokens(USDC_E, "0xfc690d5069b296bb9278af0cba42c02666e0999e4a4009ed97ea4a885f045457"),
            [
                "73716170047628147940237270507900673332129573201293655532643868111690843426372",
                "2890213445014127424511466931609154310536269586265875141655148162320150952197"
            ]
        );
    }

    #[test]
    fn neg_risk_tokens_hang_on_the_wrapped_collateral() {
        assert_eq!(
            tokens(WRAPPED_COLLATERAL, "0xbf5ba08b3a0c4dd741f00759282e38e9bfa9ad59aa623ed13d26a8786c1e5afc"),
            [
                "84121562275746951169805992721206824933074826856805500029198362509460400440947",
                "6492254133524731704185750998715576231739345323060925006131340263114065023619"
            ]
        );
    }

    #[test]
    fn a_neg_risk_condition_follows_from_market_and_question() {
        // Market 0xcc47…3000, question 7: the question's id is the market's with the index in the last byte.
        let question = b256!("cc4727a6394620b9c8ae82db3db50a34d5ca9828675547bcc4cddf5e86b63007");
        let condition = condition_id(NEG_RISK_ADAPTER, question, 2);
        let expected = "0x332a94e571f787be90c3db5bd66e00c471a556371786b4622912c90edb46c044";
        assert_eq!(condition.to_string(), expected);
        assert_eq!(
            tokens(WRAPPED_COLLATERAL, expected),
            [
                "96833685517457790753237027711749956491556223430098771101130535462280443103710",
                "112683192116716745370273337699109698649408967993699289993927321945615517688893"
            ]
        );
    }

    #[test]
    fn a_market_traded_in_pusd_keeps_its_usdc_e_tokens() {
        assert_eq!(
            tokens(USDC_E, "0x182390641d3b1b47cc64274b9da290efd04221c586651ba190880713da6347d9"),
            [
                "102936224134271070189104847090829839924697394514566827387181305960175107677216",
                "45763018441764333771124945243746174684578244015331389396782339063349542289693"
            ]
        );
    }

    #[test]
    fn collections_are_those_of_the_contract() {
        let condition = "0xda558eddf6eb57760bd5371fb313167f871d823a16e9d66fccb292baf2a117c0".parse().unwrap();
        assert_eq!(
            collection_id(condition, 0),
            b256!("45ca66c3edbdbf0fbd03366cf395d3663ee3b34c4db07964bb60e3c7ca7e20e2")
        );
        assert_eq!(
            collection_id(condition, 1),
            b256!("416929e8901456139abeec231eba635f911a240961f78919665280c69288ee0d")
        );
    }

    #[test]
    fn an_outcome_that_cannot_exist_still_gives_an_id() {
        let condition = condition_id(address!("00000000000000000000000000000000000000aa"), B256::ZERO, 2);
        assert_ne!(ctf_token(USDC_E, condition, 256), ctf_token(USDC_E, condition, 0));
        assert_eq!(ctf_token(USDC_E, condition, 256), ctf_token(USDC_E, condition, u32::MAX));
    }

    #[test]
    fn a_position_carries_its_condition() {
        let condition: ConditionId =
            "0x01000102030405060708090a0b0c0d0e0f000200000000000000000000000700".parse().unwrap();
        let yes = protocol_v2_token(condition, 0).unwrap();
        let no = protocol_v2_token(condition, 1).unwrap();
        assert_eq!(no.0, yes.0 ^ U256::ONE);
        assert_eq!(protocol_v2_condition(yes), Some(condition));
        assert_eq!(protocol_v2_condition(no), Some(condition));
        assert_eq!(protocol_v2_token(condition, 2), None);
    }

    #[test]
    fn a_hash_is_not_a_position() {
        let hashed: TokenId =
            "102936224134271070189104847090829839924697394514566827387181305960175107677216".parse().unwrap();
        assert_eq!(protocol_v2_condition(hashed), None);
        // The right module and outcome, but something in the reserved bits.
        let reserved = TokenId((U256::from(1) << 248) | (U256::from(1) << 64));
        assert_eq!(protocol_v2_condition(reserved), None);
        assert_eq!(protocol_v2_condition(TokenId(U256::from(1) << 248)).map(|id| id.0[0]), Some(1));
        // Modules 0 and 4 do not exist.
        assert_eq!(protocol_v2_condition(TokenId(U256::ZERO)), None);
        assert_eq!(protocol_v2_condition(TokenId(U256::from(4) << 248)), None);
    }
}
