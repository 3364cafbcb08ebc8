//! The contracts that count, as data.
//!
//! Sources: docs.polymarket.com/resources/contracts, the deployment records of Polymarket's own repositories,
//! its published client packages, and l2beat's reading of the chain in 2026. Other projects fork this ABI, so
//! a log counts by its emitter first and by its topic second.

use alloy_primitives::{Address, B256, address};
use alloy_sol_types::SolEvent;
use domain::Exchange;

use crate::abi;

/// Polygon's number among the chains.
pub const CHAIN_ID: u64 = 137;

/// What a contract is to this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Matches orders.
    Exchange(Exchange),
    /// Takes and refunds the fees of exchange V1.
    FeeModule,
    /// Gnosis' conditional tokens, which hold the positions of all markets of the first protocol.
    ConditionalTokens,
    /// Splits, merges, converts and redeems neg-risk positions.
    NegRiskAdapter,
    /// Stands between pUSD and the conditional tokens.
    CollateralAdapter,
    /// Runs the markets of Protocol V2.
    Module(Module),
    /// Redeems for users.
    AutoRedeemer,
    /// Everything else of the protocol: money, oracles, factories, vaults, distributors. Emits nothing that
    /// this system reads, but is never a trader.
    Other,
}

/// The modules of Protocol V2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// Markets of one condition.
    Binary,
    /// Events of which one condition at most is true.
    NegRisk,
    /// Parlays.
    Combinatorial,
}

/// One contract of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contract {
    /// Where it is deployed.
    pub(crate) address: Address,
    /// What it is.
    pub(crate) kind: Kind,
    /// The block from which it counts: its deployment where that is known, else that of the contract without
    /// which it could do nothing; `None` where neither is known.
    pub(crate) since: Option<u64>,
    /// The last block in which it can count; `None` while it is in use.
    pub(crate) until: Option<u64>,
    /// What people call it.
    pub(crate) name: &'static str,
}

/// The oracle of neg-risk conditions on the conditional-token contract.
pub const NEG_RISK_ADAPTER: Address = address!("d91E80cF2E7be2e162c6513ceD06f1dD0dA35296");
/// Gnosis' conditional tokens.
pub const CONDITIONAL_TOKENS: Address = address!("4D97DCd97eC945f40cF65F87097ACe5EA0476045");
/// The bridged dollar that outcome tokens of ordinary markets hang on.
pub const USDC_E: Address = address!("2791Bca1f2de4661ED88A30C99A7a9449Aa84174");
/// The wrapped dollar that outcome tokens of neg-risk markets hang on.
pub const WRAPPED_COLLATERAL: Address = address!("3A3BD7bb9528E159577F7C2e685CC81A765002E2");
/// The dollar that is traded with since exchange V2.
pub const PUSD: Address = address!("C011a7E12a19f7B1f670d46F03B03f3342E82DFB");
/// Where exchanges V2 and V3 send their fees.
pub const FEE_RECEIVER: Address = address!("115F48DC2A731aA16251c6d6e1BEfC42f92Accc9");
/// Markets of one condition, Protocol V2.
pub(crate) const BINARY_MODULE: Address = address!("1000008dD9001B968442c1000017eaE6E0dA00Ba");
/// Neg-risk events, Protocol V2.
pub(crate) const NEG_RISK_MODULE: Address = address!("200000900045e3B6259600682756002200028933");
/// Holds the positions of Protocol V2.
pub(crate) const POSITION_MANAGER: Address = address!("006F54F7f9A22e0000CC2AB60031000000ae9fEF");
/// Parlays, Protocol V2.
pub(crate) const COMBINATORIAL_MODULE: Address = address!("30000034706C7d8e12009DAB006Be20000c031A8");

const V1: Address = address!("4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E");
const V1_NEG_RISK: Address = address!("C5d563A36AE78145C45a50134d48A1215220f80a");
const V2: Address = address!("E111180000d2663C0091e4f400237545B87B996B");
const V2_NEG_RISK: Address = address!("e2222d279d744050d28e00520010520000310F59");
const V2_NEG_RISK_B: Address = address!("e2222d002000Ba0053CEF3375333610F64600036");
const V3: Address = address!("e3333700cA9d93003F00f0F71f8515005F6c00Aa");

const FEE_MODULE: Address = address!("E3f18aCc55091e2c48d883fc8C8413319d4Ab7b0");
const FEE_MODULE_OLD: Address = address!("56C79347e95530c01A2FC76E732f9566dA16E113");
const FEE_MODULE_NEG_RISK: Address = address!("B768891e3130F6dF18214Ac804d4DB76c2C37730");
const FEE_MODULE_NEG_RISK_OLD: Address = address!("78769D50Be1763ed1CA0D5E878D93f05aabff29e");

pub(crate) const COLLATERAL_ADAPTER_OLD: Address = address!("ADa100874d00e3331D00F2007a9c336a65009718");
pub(crate) const COLLATERAL_ADAPTER: Address = address!("AdA100Db00Ca00073811820692005400218FcE1f");
pub(crate) const COLLATERAL_ADAPTER_NEG_RISK_OLD: Address =
    address!("AdA200001000ef00D07553cEE7006808F895c6F1");
pub(crate) const COLLATERAL_ADAPTER_NEG_RISK: Address = address!("adA2005600Dec949baf300f4C6120000bDB6eAab");

const ROUTER: Address = address!("12121212006e4CD160D18e3f00711DA5c3372600");

pub(crate) const AUTO_REDEEMER: Address = address!("a1200000d0002264C9a1698e001292D00E1b00af");

/// The deployment of pUSD: nothing that deals in it can have done anything before.
const PUSD_SINCE: u64 = 84_902_320;
const V1_SINCE: u64 = 33_605_403;
const V1_NEG_RISK_SINCE: u64 = 50_505_492;
/// The end of V1, with a day and a half to spare: its operators, who alone can match orders, left it for V2 at
/// about block 86,127,000, on 2026-04-28 at 11:00 UTC, and block 86,161,976 is of the morning after.
const V1_UNTIL: u64 = 86_200_000;

const fn contract(address: Address, kind: Kind, since: Option<u64>, name: &'static str) -> Contract {
    Contract { address, kind, since, until: None, name }
}

/// One of V1, which ended.
const fn of_v1(address: Address, kind: Kind, since: u64, name: &'static str) -> Contract {
    Contract { address, kind, since: Some(since), until: Some(V1_UNTIL), name }
}

const fn other(address: Address, name: &'static str) -> Contract {
    contract(address, Kind::Other, None, name)
}

/// Every contract of the protocol, those that emit most first: a look-up walks this list from the front.
pub(crate) const CONTRACTS: &[Contract] = &[
    contract(V2, Kind::Exchange(Exchange::V2), Some(84_902_353), "CTF exchange V2"),
    contract(V2_NEG_RISK, Kind::Exchange(Exchange::V2NegRisk), Some(85_058_176), "neg-risk exchange V2"),
    contract(V3, Kind::Exchange(Exchange::V3), Some(PUSD_SINCE), "exchange V3"),
    of_v1(V1, Kind::Exchange(Exchange::V1), V1_SINCE, "CTF exchange V1"),
    of_v1(V1_NEG_RISK, Kind::Exchange(Exchange::V1NegRisk), V1_NEG_RISK_SINCE, "neg-risk exchange V1"),
    // Replaced within three days of April 2026; listened to because other lists still carry it.
    contract(V2_NEG_RISK_B, Kind::Exchange(Exchange::V2NegRisk), Some(PUSD_SINCE), "neg-risk exchange V2 B"),
    contract(CONDITIONAL_TOKENS, Kind::ConditionalTokens, Some(4_023_686), "conditional tokens"),
    contract(NEG_RISK_ADAPTER, Kind::NegRiskAdapter, Some(50_505_403), "neg-risk adapter"),
    contract(BINARY_MODULE, Kind::Module(Module::Binary), Some(PUSD_SINCE), "binary module"),
    contract(NEG_RISK_MODULE, Kind::Module(Module::NegRisk), Some(PUSD_SINCE), "neg-risk module"),
    contract(
        COMBINATORIAL_MODULE,
        Kind::Module(Module::Combinatorial),
        Some(PUSD_SINCE),
        "combinatorial module",
    ),
    contract(AUTO_REDEEMER, Kind::AutoRedeemer, Some(PUSD_SINCE), "auto-redeemer"),
    contract(COLLATERAL_ADAPTER, Kind::CollateralAdapter, Some(PUSD_SINCE), "collateral adapter"),
    contract(
        COLLATERAL_ADAPTER_NEG_RISK,
        Kind::CollateralAdapter,
        Some(PUSD_SINCE),
        "neg-risk collateral adapter",
    ),
    contract(
        COLLATERAL_ADAPTER_OLD,
        Kind::CollateralAdapter,
        Some(PUSD_SINCE),
        "collateral adapter of April 2026",
    ),
    contract(
        COLLATERAL_ADAPTER_NEG_RISK_OLD,
        Kind::CollateralAdapter,
        Some(PUSD_SINCE),
        "neg-risk collateral adapter of April 2026",
    ),
    of_v1(FEE_MODULE, Kind::FeeModule, 75_253_526, "fee module"),
    of_v1(FEE_MODULE_NEG_RISK, Kind::FeeModule, 75_253_721, "neg-risk fee module"),
    of_v1(FEE_MODULE_OLD, Kind::FeeModule, V1_SINCE, "first fee module"),
    of_v1(FEE_MODULE_NEG_RISK_OLD, Kind::FeeModule, V1_NEG_RISK_SINCE, "first neg-risk fee module"),
    other(ROUTER, "router"),
    other(POSITION_MANAGER, "position manager"),
    other(address!("71523d0f655B41E805Cec45b17163f528B59B820"), "neg-risk operator, old"),
    other(address!("661992aebf6BecF7BA5abB66f6b0Bf62Aa7a2E93"), "neg-risk operator"),
    other(address!("7f67327E88c258932D7d8f72950bE0d46975E11D"), "neg-risk fee vault"),
    other(USDC_E, "USDC.e"),
    other(WRAPPED_COLLATERAL, "neg-risk wrapped collateral"),
    contract(PUSD, Kind::Other, Some(PUSD_SINCE), "pUSD"),
    other(address!("3c499c542cEF5E3811e1192ce70d8cC03d5c3359"), "USDC"),
    other(address!("C417fD8E9661c0d2120B64a04Bb3278C17E99DB1"), "pUSD vault"),
    other(address!("93070a847efEf7F70739046A929D47a521F5B8ee"), "collateral on-ramp"),
    other(address!("2957922Eb93258b93368531d39fAcCA3B4dC5854"), "collateral off-ramp"),
    other(address!("ebC2459Ec962869ca4c0bd1E06368272732BCb08"), "collateral permissioned ramp"),
    other(FEE_RECEIVER, "fee receiver"),
    contract(
        address!("8B9805A2f595B6705e74F7310829f2d299D21522"),
        Kind::Other,
        Some(4_023_693),
        "market maker factory before the order book",
    ),
    other(address!("F60CA007115A47A11295F053156d913D83fed095"), "exchange V2 before release"),
    other(address!("93f0A57b6F7D1e765cA2674ab2Ecb6Ff6406B3C3"), "neg-risk exchange V2 before release"),
    other(address!("0A0a0A0A8B00C51b7D810501b03F230028C04a87"), "oracle aggregator"),
    other(address!("000012e0009c84078c4924fba808a41b9f67527f"), "optimistic-oracle reporter module"),
    other(address!("c12EC12E0000326890Ca5560dEf5EB5C22b16814"), "Chainlink reporter"),
    other(address!("8Ef9D6d668798b1f363b305D916F30739d2b0419"), "account reporter"),
    other(address!("53703Dd6129d723066b6362510E5aE2fECd48218"), "optimistic-oracle reporter"),
    other(address!("2C0367a9DB231dDeBd88a94b4f6461a6e47C58B1"), "managed optimistic oracle"),
    other(address!("65070BE91477460D8A7AeEb94ef92fe056C2f2A7"), "UMA adapter"),
    other(address!("69c47De9D4D3Dad79590d61b9e05918E03775f24"), "neg-risk UMA adapter"),
    contract(
        address!("b97455fcf78eb37375e8be6f26df895341ca073d"),
        Kind::Other,
        Some(29_838_630),
        "UMA adapter 1.0.1",
    ),
    other(address!("CB1822859cEF82Cd2Eb4E6276C7916e692995130"), "UMA adapter, early"),
    contract(
        address!("6A9D222616C90FcA5754cd1333cFD9b7fb6a4F74"),
        Kind::Other,
        Some(34_876_144),
        "UMA adapter 2",
    ),
    contract(
        address!("71392E133063CC0D16F40E1F9B60227404Bc03f7"),
        Kind::Other,
        Some(43_375_847),
        "UMA adapter 3.0",
    ),
    contract(
        address!("157Ce2d672854c848c9b79C49a8Cc6cc89176a49"),
        Kind::Other,
        Some(46_755_254),
        "UMA adapter 3.1",
    ),
    other(address!("2F5e3684cb1F318ec51b00Edba38d79Ac2c0aA9d"), "neg-risk UMA adapter, old"),
    contract(
        address!("b21182d0494521Cf45DbbeEbb5A3ACAAb6d22093"),
        Kind::Other,
        Some(68_931_384),
        "UMA sports oracle",
    ),
    contract(
        address!("aB45c5A4B0c941a2F231C04C3f49182e1A254052"),
        Kind::Other,
        Some(4_022_827),
        "proxy wallet factory",
    ),
    other(address!("44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f"), "proxy wallet implementation"),
    contract(
        address!("aacFeEa03eb1561C4e67d661e40682Bd20E3541b"),
        Kind::Other,
        Some(19_426_226),
        "Safe factory",
    ),
    other(address!("00000000000Fb5C9ADea0298D729A0CB3823Cc07"), "deposit wallet factory"),
    other(address!("7A18EDfe055488A3128f01F563e5B479D92ffc3a"), "deposit wallet beacon"),
    other(address!("58CA52ebe0DadfdF531Cde7062e76746de4Db1eB"), "deposit wallet implementation"),
    contract(address!("D216153c06E857cD7f72665E0aF1d7D82172F494"), Kind::Other, Some(3_764_531), "relay hub"),
    other(address!("3dcE0a29139A851Da1dFCa56Af8e8a6440b4D952"), "admin Safe"),
    other(address!("47EbFAC3353314C788B96CDCbf41daadfE03629C"), "timelock"),
    other(address!("dd8db71ce3be8d71ff148b2163d64da181a29e8b"), "rewards"),
    other(address!("f21a25DD01ccA63A96adF862F4002d1A186DecB2"), "V1 fee wallet"),
    other(address!("d4AA6F8E91cFEa29B66A48ebfF523AaFBdbbd40c"), "V1 fee wallet"),
    other(address!("525e4001f6DaD9406dFd84f3331D2B9b95c40b73"), "V1 fee wallet"),
    other(address!("3a9418b2651c8164DB5EBc56F12008137865e0f7"), "maker rebates"),
    other(address!("fdB1b8dC7f5789a0c9A398026585B8B10FbA5507"), "maker rebates"),
    other(address!("520BF77D9d34C34a6A9723f50E1Dcb887eD238C5"), "taker rebates"),
    other(address!("c288480574783BD7615170660d71753378159c47"), "liquidity rewards"),
    other(address!("2c2795EA295d5Eb51F9121B728eD2eA4e936a709"), "liquidity rewards"),
    other(address!("C536633Ff12ee52e280b2aF2594031060C5aAf41"), "holding rewards"),
    other(Address::ZERO, "nobody: minting and burning"),
    // The first 20 bytes of keccak256("NO_TOKEN_BURN_ADDRESS").
    other(address!("a5ef39c3d3e10d0b270233af41cac69796b12966"), "where converted NO shares are burned"),
];

/// The contracts whose events are decoded: today's emitters, and those of V1 for history.
const WATCHED: &[Address] = &[
    V2,
    V2_NEG_RISK,
    V2_NEG_RISK_B,
    V3,
    CONDITIONAL_TOKENS,
    NEG_RISK_ADAPTER,
    COLLATERAL_ADAPTER,
    COLLATERAL_ADAPTER_NEG_RISK,
    BINARY_MODULE,
    NEG_RISK_MODULE,
    COMBINATORIAL_MODULE,
    AUTO_REDEEMER,
    V1,
    V1_NEG_RISK,
    FEE_MODULE,
    FEE_MODULE_NEG_RISK,
    FEE_MODULE_OLD,
    FEE_MODULE_NEG_RISK_OLD,
];

/// What the contract at `address` is; `None` where it does not belong to the protocol.
#[must_use]
pub fn kind_of(address: Address) -> Option<Kind> {
    CONTRACTS.iter().find(|contract| contract.address == address).map(|contract| contract.kind)
}

/// The exchange at `address`.
#[must_use]
pub fn exchange_of(address: Address) -> Option<Exchange> {
    match kind_of(address)? {
        Kind::Exchange(exchange) => Some(exchange),
        _ => None,
    }
}

/// Where an exchange is deployed; for the neg-risk exchange V2 the deployment that is in use.
/// `None` for a tape, which no contract wrote.
#[must_use]
pub const fn exchange_address(exchange: Exchange) -> Option<Address> {
    match exchange {
        Exchange::V1 => Some(V1),
        Exchange::V1NegRisk => Some(V1_NEG_RISK),
        Exchange::V2 => Some(V2),
        Exchange::V2NegRisk => Some(V2_NEG_RISK),
        Exchange::V3 => Some(V3),
        Exchange::Tape => None,
    }
}

/// The addresses a listener asks for.
#[must_use]
pub const fn watched_addresses() -> &'static [Address] {
    WATCHED
}

/// Those of the watched addresses that can have emitted something in the blocks `from` to `to`: a history asks
/// for no others, because a node's search gets no cheaper by addresses that were not there yet.
#[must_use]
pub(crate) fn watched_between(from: u64, to: u64) -> Vec<Address> {
    let was_there = |address: &Address| {
        let contract = CONTRACTS.iter().find(|contract| contract.address == *address);
        contract.is_some_and(|contract| {
            contract.since.is_none_or(|since| since <= to) && contract.until.is_none_or(|until| from <= until)
        })
    };
    WATCHED.iter().copied().filter(was_there).collect()
}

/// The first topics a listener asks for: every event that [`decode`](crate::decode) understands and that moves a
/// position, or tells what came of a condition. Matches and fees charged are in the fills already, and would be
/// a good part of all that is sent.
#[must_use]
pub fn watched_topics() -> Vec<B256> {
    vec![
        abi::v1::OrderFilled::SIGNATURE_HASH,
        abi::v2::OrderFilled::SIGNATURE_HASH,
        abi::fee_module::FeeRefunded::SIGNATURE_HASH,
        abi::old_fee_module::FeeRefunded::SIGNATURE_HASH,
        abi::conditional_tokens::ConditionPreparation::SIGNATURE_HASH,
        abi::conditional_tokens::ConditionResolution::SIGNATURE_HASH,
        abi::conditional_tokens::PositionSplit::SIGNATURE_HASH,
        abi::conditional_tokens::PositionsMerge::SIGNATURE_HASH,
        abi::conditional_tokens::PayoutRedemption::SIGNATURE_HASH,
        abi::neg_risk_adapter::PositionSplit::SIGNATURE_HASH,
        abi::neg_risk_adapter::PositionsMerge::SIGNATURE_HASH,
        abi::neg_risk_adapter::PositionsConverted::SIGNATURE_HASH,
        abi::neg_risk_adapter::PayoutRedemption::SIGNATURE_HASH,
        abi::collateral_adapter::PositionsRedeemed::SIGNATURE_HASH,
        abi::modules::PositionsSplit::SIGNATURE_HASH,
        abi::modules::PositionsMerged::SIGNATURE_HASH,
        abi::modules::PositionRedeemed::SIGNATURE_HASH,
        abi::modules::ConditionResolved::SIGNATURE_HASH,
        abi::modules::PositionConverted::SIGNATURE_HASH,
        abi::modules::RemainingConditionsDerivableAsNo::SIGNATURE_HASH,
        abi::modules::SyntheticConditionDerivableAsYes::SIGNATURE_HASH,
        abi::auto_redeemer::Redemption::SIGNATURE_HASH,
        abi::auto_redeemer::BinaryRedemption::SIGNATURE_HASH,
        abi::auto_redeemer::NegRiskRedemption::SIGNATURE_HASH,
    ]
}

/// The contracts that hold shares for a moment on a user's behalf while others name them as the doer: only the
/// transfers from and to them tell who it was. An exchange and the neg-risk adapter do too, and much more often, but
/// tell whose deed it is themselves.
#[must_use]
pub(crate) fn hiding_users() -> Vec<Address> {
    let hides = |contract: &&Contract| matches!(contract.kind, Kind::CollateralAdapter | Kind::AutoRedeemer);
    CONTRACTS.iter().filter(hides).map(|contract| contract.address).chain([ROUTER]).collect()
}

/// Whether an address belongs to the protocol itself, and so is never a trader to be scored or copied.
#[must_use]
pub fn is_protocol_contract(address: Address) -> bool {
    kind_of(address).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_contract_stands_twice() {
        let distinct: BTreeSet<_> = CONTRACTS.iter().map(|contract| contract.address).collect();
        assert_eq!(distinct.len(), CONTRACTS.len());
        let watched: BTreeSet<_> = WATCHED.iter().collect();
        assert_eq!(watched.len(), WATCHED.len());
        let topics: BTreeSet<_> = watched_topics().into_iter().collect();
        assert_eq!(topics.len(), watched_topics().len());
    }

    #[test]
    fn everything_watched_is_known_and_every_exchange_is_watched() {
        for address in WATCHED {
            assert!(matches!(kind_of(*address), Some(kind) if kind != Kind::Other), "{address}");
        }
        for contract in CONTRACTS {
            if matches!(contract.kind, Kind::Exchange(_) | Kind::Module(_)) {
                assert!(WATCHED.contains(&contract.address), "{}", contract.name);
            }
        }
    }

    #[test]
    fn everything_watched_counts_from_some_block() {
        for contract in CONTRACTS.iter().filter(|contract| WATCHED.contains(&contract.address)) {
            assert!(contract.since.is_some(), "{}", contract.name);
            assert!(contract.until.is_none_or(|until| Some(until) > contract.since), "{}", contract.name);
        }
    }

    #[test]
    fn only_what_was_there_is_asked_for() {
        assert!(watched_between(0, 4_000_000).is_empty());
        assert_eq!(watched_between(0, 4_023_686), [CONDITIONAL_TOKENS]);
        // The first fill of V1, the first of V2, the time when both were used, and today.
        let of_2022 = watched_between(35_896_869, 35_896_869);
        assert_eq!(of_2022, [CONDITIONAL_TOKENS, V1, FEE_MODULE_OLD]);
        let both = watched_between(85_050_371, 85_058_176);
        assert_eq!(both, WATCHED);
        assert!(!watched_between(85_050_371, 85_050_372).contains(&V2_NEG_RISK));
        let today = watched_between(95_000_000, u64::MAX);
        assert!(today.contains(&V3) && !today.contains(&V1) && !today.contains(&FEE_MODULE));
    }

    #[test]
    fn exchanges_are_where_they_say() {
        for exchange in Exchange::ALL {
            match exchange_address(exchange) {
                Some(address) => assert_eq!(exchange_of(address), Some(exchange)),
                None => assert_eq!(exchange, Exchange::Tape),
            }
        }
        let superseded = address!("e2222d002000Ba0053CEF3375333610F64600036");
        assert_eq!(exchange_of(superseded), Some(Exchange::V2NegRisk));
        assert_eq!(exchange_of(CONDITIONAL_TOKENS), None);
    }

    #[test]
    fn the_protocol_is_no_trader() {
        for address in [V3, NEG_RISK_ADAPTER, FEE_RECEIVER, PUSD, Address::ZERO] {
            assert!(is_protocol_contract(address));
        }
        assert!(!is_protocol_contract(address!("0e8d61f16a2373931ffbfc2993f046e33286dfcc")));
    }

    #[test]
    fn the_burn_address_is_the_hash_of_its_name() {
        let hash = alloy_primitives::keccak256("NO_TOKEN_BURN_ADDRESS");
        assert!(is_protocol_contract(Address::from_slice(&hash[..20])));
    }
}
