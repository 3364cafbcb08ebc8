//! Signatures as the contracts check them: EIP-712 hashes made word by word, and who signed them.

use alloy_primitives::{Address, B256, Signature, U256, b256, keccak256};
use domain::{Exchange, Side};
use polygon::contracts::exchange_address;

use super::account::SignatureType;

/// Polygon.
const CHAIN: u64 = 137;

const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

/// The struct of both exchange generations.
const ORDER_TYPE: &str = "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,\
     uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)";

/// The hash of it, as the contracts hold it.
const ORDER_TYPE_HASH: B256 = b256!("bb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589");

/// What ERC-7739 wraps around it, so that a signature for one wallet is none for another.
const WRAPPER_TYPE: &str = "TypedDataSign(Order contents,string name,string version,uint256 chainId,\
     address verifyingContract,bytes32 salt)";

/// What a key's owner attests.
const ATTESTATION: &str = "This message attests that I control the given wallet";

/// The signed part of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedPart {
    pub(crate) salt: U256,
    pub(crate) maker: Address,
    pub(crate) signer: Address,
    pub(crate) token: U256,
    pub(crate) maker_amount: U256,
    pub(crate) taker_amount: U256,
    pub(crate) side: Side,
    pub(crate) kind: SignatureType,
    pub(crate) timestamp: U256,
    pub(crate) metadata: B256,
    pub(crate) builder: B256,
}

impl SignedPart {
    fn struct_hash(&self) -> B256 {
        let side = match self.side {
            Side::Buy => 0u8,
            Side::Sell => 1,
        };
        hash_words(&[
            ORDER_TYPE_HASH,
            word(self.salt),
            self.maker.into_word(),
            self.signer.into_word(),
            word(self.token),
            word(self.maker_amount),
            word(self.taker_amount),
            word(U256::from(side)),
            word(U256::from(self.kind.number())),
            word(self.timestamp),
            self.metadata,
            self.builder,
        ])
    }

    /// The order's id: its EIP-712 hash for the exchange it is meant for. `None` where there is no such exchange.
    pub(crate) fn id(&self, exchange: Exchange) -> Option<B256> {
        Some(digest(exchange_domain(exchange)?, self.struct_hash()))
    }

    /// Whether `owner`'s key signed it for that exchange, in the way of its signature type.
    pub(crate) fn is_signed_by(&self, owner: Address, exchange: Exchange, signature: &[u8]) -> bool {
        let Some(domain) = exchange_domain(exchange) else { return false };
        let contents = self.struct_hash();
        match self.kind {
            SignatureType::Eoa | SignatureType::Proxy | SignatureType::Safe => {
                recover(digest(domain, contents), signature) == Some(owner)
            }
            SignatureType::Poly1271 => self.is_wrapped_by(owner, domain, contents, signature),
        }
    }

    /// ERC-7739: the key's signature, the application's domain, the hash of the contents, their type, its length.
    fn is_wrapped_by(&self, owner: Address, domain: B256, contents: B256, signature: &[u8]) -> bool {
        let tail = [domain.as_slice(), contents.as_slice(), ORDER_TYPE.as_bytes()].concat();
        let length = u16::try_from(ORDER_TYPE.len()).unwrap_or(u16::MAX).to_be_bytes();
        let Some((inner, rest)) = signature.split_at_checked(65) else { return false };
        if rest.strip_suffix(length.as_slice()) != Some(tail.as_slice()) {
            return false;
        }
        let wrapper = keccak256([WRAPPER_TYPE, ORDER_TYPE].concat());
        let wrapped = hash_words(&[
            wrapper,
            contents,
            keccak256("DepositWallet"),
            keccak256("1"),
            word(U256::from(CHAIN)),
            self.maker.into_word(),
            B256::ZERO,
        ]);
        recover(digest(domain, wrapped), inner) == Some(owner)
    }
}

/// Whether `address` signed the attestation that makes or reads an API key.
pub(crate) fn attests(address: Address, timestamp: &str, nonce: u64, signature: &[u8]) -> bool {
    let domain = hash_words(&[
        keccak256("EIP712Domain(string name,string version,uint256 chainId)"),
        keccak256("ClobAuthDomain"),
        keccak256("1"),
        word(U256::from(CHAIN)),
    ]);
    let said = hash_words(&[
        keccak256("ClobAuth(address address,string timestamp,uint256 nonce,string message)"),
        address.into_word(),
        keccak256(timestamp),
        word(U256::from(nonce)),
        keccak256(ATTESTATION),
    ]);
    recover(digest(domain, said), signature) == Some(address)
}

/// The domain of an exchange's orders; the first generation takes no orders any more.
fn exchange_domain(exchange: Exchange) -> Option<B256> {
    let version = match exchange {
        Exchange::V2 | Exchange::V2NegRisk => "2",
        Exchange::V3 => "3",
        Exchange::V1 | Exchange::V1NegRisk | Exchange::Tape => return None,
    };
    Some(hash_words(&[
        keccak256(DOMAIN_TYPE),
        keccak256("Polymarket CTF Exchange"),
        keccak256(version),
        word(U256::from(CHAIN)),
        exchange_address(exchange)?.into_word(),
    ]))
}

fn digest(domain: B256, contents: B256) -> B256 {
    keccak256([&[0x19, 0x01], domain.as_slice(), contents.as_slice()].concat())
}

/// Who signed; `None` for what is no signature, or one whose twin the contracts ask for.
fn recover(hash: B256, signature: &[u8]) -> Option<Address> {
    // The recovery byte is 27 or 28 on the chain; the library takes other conventions too.
    let signature =
        Signature::from_raw(signature).ok().filter(|_| matches!(signature.last(), Some(27 | 28)))?;
    if signature.normalize_s().is_some() {
        return None;
    }
    signature.recover_address_from_prehash(&hash).ok()
}

fn hash_words(words: &[B256]) -> B256 {
    keccak256(words.concat())
}

fn word(value: U256) -> B256 {
    B256::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{address, hex, uint};

    const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    const TOKEN: U256 =
        uint!(15871154585880608648532107628464183779895785213830018178010423617714102767076_U256);
    const POSITION: U256 =
        uint!(663574927012476832975694178961957910328055987427402067619466963999000625152_U256);

    fn order(token: U256, kind: SignatureType) -> SignedPart {
        let wallet = match kind {
            SignatureType::Poly1271 => Address::repeat_byte(0x11),
            _ => OWNER,
        };
        SignedPart {
            salt: U256::from(479_249_096_354u64),
            maker: wallet,
            signer: wallet,
            token,
            maker_amount: U256::from(5_200_000),
            taker_amount: U256::from(10_000_000),
            side: Side::Buy,
            kind,
            timestamp: U256::from(1_790_000_000_000u64),
            metadata: B256::ZERO,
            builder: B256::ZERO,
        }
    }

    /// The official clients' signatures, made with the first well-known key.
    const PLAIN: [(Exchange, U256, &str, &str); 3] = [
        (
            Exchange::V2,
            TOKEN,
            "89da86bf10752a4f85bb1342f6c18e52e75fd1c210e4334171103ae45c0f7cfd",
            "3093216f02d8b6b1d1bebe24678963b95caa929cc6f198834e0417ddf98f835d64168f8cdd41d37f3ce80ba0528ca5ad874cf22e22793dd87d7b93afbf2749631c",
        ),
        (
            Exchange::V2NegRisk,
            TOKEN,
            "e504d05977f75c6e792f8d250ea6fbfcc71a884376ff16e695fc8c2705524e61",
            "323eeb93614c5f6c9de2e7ac2d71ef56035e8cf2c20065bf84e759e7ee09779113c5d3443b7d435145cd1200e226db9918425116f9a4f80f66c31d4cdb8bf2d31b",
        ),
        (
            Exchange::V3,
            POSITION,
            "4dc1459498888eb01999cc3e082558ee44072ca6ee718b9cba97b6fed4a48cdc",
            "2f5f4003fc374eec90c68d5935c5ec01624ec4fa981254a83754f82a476700ea19cb93846aec94eb8fa311bacb0df61796855e0cbebe16e5bfbf16dbeb92f4561c",
        ),
    ];

    /// The same for a deposit wallet: the id, and the 65 bytes inside.
    const WRAPPED: [(Exchange, U256, &str, &str); 2] = [
        (
            Exchange::V2,
            TOKEN,
            "7dbcc2945923d41ea81f64ececa84c79c615829c223058e03464d4ef5dd2cd0f",
            "433422e88f254e06a6421a2b765ca719a4597471cbd4394a2818d3c0ddb307f7248d98b5b3f1a65da67ddc7a52daded8c908a16c1fb1bf72eaaf04cea19be0171c",
        ),
        (
            Exchange::V3,
            POSITION,
            "d496c82bd594c57d9d15808c3414f98b380785b73d01d2b590e15cd6c91c9d78",
            "9596faa03274dd3d599849cb255c588f99ea9452a9539c9a13556ceeb47d8f07418dcf17cf890a032776cbd798debe4cf0968dfd0fd2da30071670daf3b6ad9a1b",
        ),
    ];

    #[test]
    fn the_type_is_the_contracts() {
        assert_eq!(keccak256(ORDER_TYPE), ORDER_TYPE_HASH);
        assert_eq!(ORDER_TYPE.len(), 186);
    }

    #[test]
    fn official_orders_of_plain_keys_verify_on_their_exchange_alone() {
        for (exchange, token, id, signature) in PLAIN {
            let order = order(token, SignatureType::Eoa);
            assert_eq!(order.id(exchange).unwrap().to_string(), format!("0x{id}"));
            let signature = hex::decode(signature).unwrap();
            for other in [Exchange::V2, Exchange::V2NegRisk, Exchange::V3] {
                assert_eq!(order.is_signed_by(OWNER, other, &signature), other == exchange, "{other:?}");
            }
            let changed = SignedPart { taker_amount: order.taker_amount + U256::from(1), ..order.clone() };
            assert!(!changed.is_signed_by(OWNER, exchange, &signature));
            assert!(!order.is_signed_by(Address::ZERO, exchange, &signature));
            assert!(!order.is_signed_by(OWNER, exchange, &signature[..64]));
        }
    }

    #[test]
    fn official_orders_of_deposit_wallets_verify_wrapped_alone() {
        for (exchange, token, id, inner) in WRAPPED {
            let order = order(token, SignatureType::Poly1271);
            assert_eq!(order.id(exchange).unwrap().to_string(), format!("0x{id}"));
            let domain = exchange_domain(exchange).unwrap();
            let inner = hex::decode(inner).unwrap();
            let whole = [
                inner.as_slice(),
                domain.as_slice(),
                order.struct_hash().as_slice(),
                ORDER_TYPE.as_bytes(),
                &[0, 186],
            ]
            .concat();
            assert_eq!(whole.len(), 317);
            assert!(order.is_signed_by(OWNER, exchange, &whole));
            assert!(!order.is_signed_by(OWNER, exchange, &inner));
            let elsewhere = SignedPart { maker: OWNER, signer: OWNER, ..order.clone() };
            assert!(!elsewhere.is_signed_by(OWNER, exchange, &whole));
        }
    }

    #[test]
    fn domains_are_those_seen_on_the_chain() {
        for (exchange, domain) in [
            (Exchange::V2, "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2"),
            (Exchange::V2NegRisk, "9b858f53327b0bd13af8ec14cfb35234fb9eb7b0504d1a4e61f433840d30e81a"),
            (Exchange::V3, "466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b"),
        ] {
            assert_eq!(exchange_domain(exchange).unwrap().to_string(), format!("0x{domain}"));
        }
    }

    #[test]
    fn the_official_attestation_verifies() {
        let signature = hex!(
            "fdfb5abf512e439ea61c8595c18e527e718bf16010acf57cef51d09e15893098275d3c6f73038f36ec0cd0ce55436fca14dc64b11611f4dce896e354207508cc1b"
        );
        assert!(attests(OWNER, "100000", 0, &signature));
        assert!(!attests(OWNER, "100001", 0, &signature));
        assert!(!attests(OWNER, "100000", 1, &signature));
    }
}
