//! The event ABIs, the only ones in the project.
//!
//! Sources: Polymarket's `ctf-exchange`, `ctf-exchange-v2`, `polymarket-v2-external`, `neg-risk-ctf-adapter`
//! and `exchange-fee-module`, and Gnosis' `conditional-tokens-contracts`. Names repeat between generations,
//! hence a module each.

/// Exchange V1 and its neg-risk sibling.
pub(crate) mod v1 {
    alloy_sol_types::sol! {
        event OrderFilled(
            bytes32 indexed orderHash,
            address indexed maker,
            address indexed taker,
            uint256 makerAssetId,
            uint256 takerAssetId,
            uint256 makerAmountFilled,
            uint256 takerAmountFilled,
            uint256 fee
        );
        event OrdersMatched(
            bytes32 indexed takerOrderHash,
            address indexed takerOrderMaker,
            uint256 makerAssetId,
            uint256 takerAssetId,
            uint256 makerAmountFilled,
            uint256 takerAmountFilled
        );
        event FeeCharged(address indexed receiver, uint256 tokenId, uint256 amount);
    }
}

/// Exchange V2, its neg-risk siblings, and exchange V3: one ABI, told apart by the emitter.
pub(crate) mod v2 {
    alloy_sol_types::sol! {
        event OrderFilled(
            bytes32 indexed orderHash,
            address indexed maker,
            address indexed taker,
            uint8 side,
            uint256 tokenId,
            uint256 makerAmountFilled,
            uint256 takerAmountFilled,
            uint256 fee,
            bytes32 builder,
            bytes32 metadata
        );
        event OrdersMatched(
            bytes32 indexed takerOrderHash,
            address indexed takerOrderMaker,
            uint8 side,
            uint256 tokenId,
            uint256 makerAmountFilled,
            uint256 takerAmountFilled
        );
        event FeeCharged(address indexed receiver, uint256 amount);
    }
}

/// The fee modules before exchange V1, as deployed last.
pub(crate) mod fee_module {
    alloy_sol_types::sol! {
        event FeeRefunded(
            bytes32 indexed orderHash,
            address indexed to,
            uint256 id,
            uint256 refund,
            uint256 indexed feeCharged
        );
    }
}

/// The first fee modules, whose refund names no order.
pub(crate) mod old_fee_module {
    alloy_sol_types::sol! {
        event FeeRefunded(address token, address to, uint256 id, uint256 amount);
    }
}

/// Gnosis' conditional tokens.
pub(crate) mod conditional_tokens {
    alloy_sol_types::sol! {
        event ConditionPreparation(
            bytes32 indexed conditionId,
            address indexed oracle,
            bytes32 indexed questionId,
            uint256 outcomeSlotCount
        );
        event ConditionResolution(
            bytes32 indexed conditionId,
            address indexed oracle,
            bytes32 indexed questionId,
            uint256 outcomeSlotCount,
            uint256[] payoutNumerators
        );
        event PositionSplit(
            address indexed stakeholder,
            address collateralToken,
            bytes32 indexed parentCollectionId,
            bytes32 indexed conditionId,
            uint256[] partition,
            uint256 amount
        );
        event PositionsMerge(
            address indexed stakeholder,
            address collateralToken,
            bytes32 indexed parentCollectionId,
            bytes32 indexed conditionId,
            uint256[] partition,
            uint256 amount
        );
        event PayoutRedemption(
            address indexed redeemer,
            address indexed collateralToken,
            bytes32 indexed parentCollectionId,
            bytes32 conditionId,
            uint256[] indexSets,
            uint256 payout
        );
    }
}

/// The standard in which the conditional tokens and Protocol V2 move positions (ERC-1155).
pub(crate) mod transfers {
    alloy_sol_types::sol! {
        event TransferSingle(
            address indexed operator,
            address indexed from,
            address indexed to,
            uint256 id,
            uint256 value
        );
        event TransferBatch(
            address indexed operator,
            address indexed from,
            address indexed to,
            uint256[] ids,
            uint256[] values
        );
    }
}

/// The neg-risk adapter.
pub(crate) mod neg_risk_adapter {
    alloy_sol_types::sol! {
        event PositionSplit(address indexed stakeholder, bytes32 indexed conditionId, uint256 amount);
        event PositionsMerge(address indexed stakeholder, bytes32 indexed conditionId, uint256 amount);
        event PositionsConverted(
            address indexed stakeholder,
            bytes32 indexed marketId,
            uint256 indexed indexSet,
            uint256 amount
        );
        event PayoutRedemption(
            address indexed redeemer,
            bytes32 indexed conditionId,
            uint256[] amounts,
            uint256 payout
        );
    }
}

/// The collateral adapters that stand between pUSD and the conditional tokens.
pub(crate) mod collateral_adapter {
    alloy_sol_types::sol! {
        event PositionsRedeemed(
            address indexed initiator,
            bytes32 indexed conditionId,
            uint256[] amounts,
            uint256 payout
        );
    }
}

/// The modules of Protocol V2.
pub(crate) mod modules {
    alloy_sol_types::sol! {
        event PositionsSplit(
            address indexed initiator,
            bytes31 indexed conditionId,
            address indexed recipient0,
            address recipient1,
            uint256 amount
        );
        event PositionsMerged(
            address indexed initiator,
            bytes31 indexed conditionId,
            address indexed recipient,
            uint256 amount
        );
        event PositionRedeemed(
            address indexed initiator,
            uint256 indexed positionId,
            address indexed recipient,
            uint256 amount,
            uint256 payout
        );
        event ConditionResolved(bytes31 indexed conditionId, uint256[] result);
        event PositionConverted(
            address indexed initiator,
            bytes29 indexed eventId,
            address indexed recipient,
            uint256 conditionIndex,
            uint256 amount
        );
        event RemainingConditionsDerivableAsNo(bytes29 indexed eventId);
        event SyntheticConditionDerivableAsYes(bytes29 indexed eventId, bytes31 indexed conditionId);
    }
}

/// The contract that redeems on behalf of users.
pub(crate) mod auto_redeemer {
    alloy_sol_types::sol! {
        event Redemption(address indexed from, uint256 indexed positionId, uint256 payout);
        event BinaryRedemption(address indexed from, bytes32 indexed conditionId, uint256 payout);
        event NegRiskRedemption(address indexed from, bytes32 indexed conditionId, uint256 payout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, b256};
    use alloy_sol_types::SolEvent;

    /// The hashes are those seen on the chain, so an event whose signature was mistyped fails here.
    #[test]
    fn every_topic_is_the_one_on_chain() {
        let topics: [(B256, B256); 30] = [
            (
                v1::OrderFilled::SIGNATURE_HASH,
                b256!("d0a08e8c493f9c94f29311604c9de1b4e8c8d4c06bd0c789af57f2d65bfec0f6"),
            ),
            (
                v1::OrdersMatched::SIGNATURE_HASH,
                b256!("63bf4d16b7fa898ef4c4b2b6d90fd201e9c56313b65638af6088d149d2ce956c"),
            ),
            (
                v1::FeeCharged::SIGNATURE_HASH,
                b256!("acffcc86834d0f1a64b0d5a675798deed6ff0bcfc2231edd3480e7288dba7ff4"),
            ),
            (
                v2::OrderFilled::SIGNATURE_HASH,
                b256!("d543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"),
            ),
            (
                v2::OrdersMatched::SIGNATURE_HASH,
                b256!("174b3811690657c217184f89418266767c87e4805d09680c39fc9c031c0cab7c"),
            ),
            (
                v2::FeeCharged::SIGNATURE_HASH,
                b256!("55bb3cade9d43b798a4fe5ffdd05024b2d7870df53920673bfc7e68047cd0ab1"),
            ),
            (
                fee_module::FeeRefunded::SIGNATURE_HASH,
                b256!("b608d2bf25d8b4b744ba23ce2ea9802ea955e216c064a62f42152fbf98958d24"),
            ),
            (
                conditional_tokens::ConditionPreparation::SIGNATURE_HASH,
                b256!("ab3760c3bd2bb38b5bcf54dc79802ed67338b4cf29f3054ded67ed24661e4177"),
            ),
            (
                conditional_tokens::ConditionResolution::SIGNATURE_HASH,
                b256!("b44d84d3289691f71497564b85d4233648d9dbae8cbdbb4329f301c3a0185894"),
            ),
            (
                conditional_tokens::PositionSplit::SIGNATURE_HASH,
                b256!("2e6bb91f8cbcda0c93623c54d0403a43514fabc40084ec96b6d5379a74786298"),
            ),
            (
                conditional_tokens::PositionsMerge::SIGNATURE_HASH,
                b256!("6f13ca62553fcc2bcd2372180a43949c1e4cebba603901ede2f4e14f36b282ca"),
            ),
            (
                conditional_tokens::PayoutRedemption::SIGNATURE_HASH,
                b256!("2682012a4a4f1973119f1c9b90745d1bd91fa2bab387344f044cb3586864d18d"),
            ),
            (
                transfers::TransferSingle::SIGNATURE_HASH,
                b256!("c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"),
            ),
            (
                transfers::TransferBatch::SIGNATURE_HASH,
                b256!("4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"),
            ),
            (
                neg_risk_adapter::PositionSplit::SIGNATURE_HASH,
                b256!("bbed930dbfb7907ae2d60ddf78345610214f26419a0128df39b6cc3d9e5df9b0"),
            ),
            (
                neg_risk_adapter::PositionsMerge::SIGNATURE_HASH,
                b256!("ba33ac50d8894676597e6e35dc09cff59854708b642cd069d21eb9c7ca072a04"),
            ),
            (
                neg_risk_adapter::PositionsConverted::SIGNATURE_HASH,
                b256!("b03d19dddbc72a87e735ff0ea3b57bef133ebe44e1894284916a84044deb367e"),
            ),
            (
                neg_risk_adapter::PayoutRedemption::SIGNATURE_HASH,
                b256!("9140a6a270ef945260c03894b3c6b3b2695e9d5101feef0ff24fec960cfd3224"),
            ),
            (
                collateral_adapter::PositionsRedeemed::SIGNATURE_HASH,
                b256!("1daec0b1f629de29b749a189499f43104a80df46a9f34d9ccf73aa59b85fc0c0"),
            ),
            (
                modules::PositionsSplit::SIGNATURE_HASH,
                b256!("b6a6b8b17a43b07b9359dd12d304e42077eede9e672f8646144842c8604582a4"),
            ),
            (
                modules::PositionsMerged::SIGNATURE_HASH,
                b256!("f233f7be4ce81130a78e8eb2fa626497586c56094d27bfec2e196471e9c60301"),
            ),
            (
                modules::PositionRedeemed::SIGNATURE_HASH,
                b256!("4fd474b703f46b453536518b4cbc159dfbea6fd663233763d321a9bc8ccdf97f"),
            ),
            (
                modules::ConditionResolved::SIGNATURE_HASH,
                b256!("e560c1a2847d4cf2e66de11fe592605556989449f38cc3ab96e2e287daa68caa"),
            ),
            (
                modules::PositionConverted::SIGNATURE_HASH,
                b256!("975e919c2cacb75b8a9fc78ddf455a5211812df2f388c877c8d3adfe156e2779"),
            ),
            (
                modules::RemainingConditionsDerivableAsNo::SIGNATURE_HASH,
                b256!("7b4e633936952f2babe4b4b548a8ccb384cdfdf1a95247fbacd18e387b490502"),
            ),
            (
                modules::SyntheticConditionDerivableAsYes::SIGNATURE_HASH,
                b256!("5bea118d92630445b0b401b6883731630ed870edf2f259980efe977dfc128b36"),
            ),
            (
                auto_redeemer::Redemption::SIGNATURE_HASH,
                b256!("eebddeddf4ae1ee54a48517af27958e7666d69c7ba2e3e7c2b0ff87ef5f4491e"),
            ),
            (
                auto_redeemer::BinaryRedemption::SIGNATURE_HASH,
                b256!("b434294b5904213c83a167af0068ab82637c6fd4fac945e2abc74ed8d3f4d52a"),
            ),
            (
                auto_redeemer::NegRiskRedemption::SIGNATURE_HASH,
                b256!("74a51ebefec30281ec6849b727ec7916f9b1a3e5e148d6771d98315215b38b96"),
            ),
            // No log of the old fee module was at hand: this one is the keccak of its published signature.
            (
                old_fee_module::FeeRefunded::SIGNATURE_HASH,
                alloy_primitives::keccak256("FeeRefunded(address,address,uint256,uint256)"),
            ),
        ];
        for (ours, chain) in topics {
            assert_eq!(ours, chain);
        }
    }
}
