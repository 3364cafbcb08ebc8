//! A contract that says what it is told to: it stands where the exchange does and emits any log.

use polygon::encode::LogBody;

/// Its code, put together by hand. Called with a word that counts topics (1 to 4), the topics, and data, it emits
/// the log of these; called with anything else it fails.
///
/// ```text
/// 00  60 20           PUSH1 0x20
/// 02  36              CALLDATASIZE
/// 03  03              SUB                     What follows the count is that long
/// 04  60 20           PUSH1 0x20              and begins there;
/// 06  60 00           PUSH1 0x00
/// 08  37              CALLDATACOPY            it goes to the beginning of the memory.
/// 09  60 00           PUSH1 0x00
/// 0b  35              CALLDATALOAD            The count stays on the stack.
/// 0c  80 60 01 14     DUP1, PUSH1 1, EQ
/// 10  60 28 57        PUSH1 0x28, JUMPI       One topic?
/// 13  80 60 02 14     DUP1, PUSH1 2, EQ
/// 17  60 34 57        PUSH1 0x34, JUMPI       Two?
/// 1a  80 60 03 14     DUP1, PUSH1 3, EQ
/// 1e  60 43 57        PUSH1 0x43, JUMPI       Three?
/// 21  60 04 14        PUSH1 4, EQ
/// 24  60 55 57        PUSH1 0x55, JUMPI       Four?
/// 27  fe              INVALID
/// ```
///
/// Each of the four loads its topics, the last one first, and emits with them what lies behind them:
///
/// ```text
/// 28  5b              JUMPDEST
/// 29  60 00 51        PUSH1 0x00, MLOAD       the first topic
/// 2c  60 40 36 03     PUSH1 0x40, CALLDATASIZE, SUB   how long the data is
/// 30  60 20           PUSH1 0x20              where it begins
/// 32  a1 00           LOG1, STOP
///
/// 34  5b              JUMPDEST
/// 35  60 20 51        PUSH1 0x20, MLOAD       the second topic
/// 38  60 00 51        PUSH1 0x00, MLOAD       the first
/// 3b  60 60 36 03     PUSH1 0x60, CALLDATASIZE, SUB
/// 3f  60 40           PUSH1 0x40
/// 41  a2 00           LOG2, STOP
///
/// 43  5b              JUMPDEST
/// 44  60 40 51        PUSH1 0x40, MLOAD       the third topic
/// 47  60 20 51        PUSH1 0x20, MLOAD       the second
/// 4a  60 00 51        PUSH1 0x00, MLOAD       the first
/// 4d  60 80 36 03     PUSH1 0x80, CALLDATASIZE, SUB
/// 51  60 60           PUSH1 0x60
/// 53  a3 00           LOG3, STOP
///
/// 55  5b              JUMPDEST
/// 56  60 60 51        PUSH1 0x60, MLOAD       the fourth topic
/// 59  60 40 51        PUSH1 0x40, MLOAD       the third
/// 5c  60 20 51        PUSH1 0x20, MLOAD       the second
/// 5f  60 00 51        PUSH1 0x00, MLOAD       the first
/// 62  60 a0 36 03     PUSH1 0xa0, CALLDATASIZE, SUB
/// 66  60 80           PUSH1 0x80
/// 68  a4 00           LOG4, STOP
/// ```
pub(crate) const CODE: &str = concat!(
    "0x",
    "602036036020600037600035",
    "80600114602857",
    "80600214603457",
    "80600314604357",
    "600414605557fe",
    "5b600051604036036020a100",
    "5b602051600051606036036040a200",
    "5b604051602051600051608036036060a300",
    "5b60605160405160205160005160a036036080a400",
);

/// The call that makes it emit a log.
pub(crate) fn call(log: &LogBody) -> String {
    let mut words = vec![0; 31];
    words.push(u8::try_from(log.topics.len()).unwrap());
    log.topics.iter().for_each(|topic| words.extend_from_slice(topic.as_slice()));
    words.extend_from_slice(&log.data);
    alloy_primitives::hex::encode_prefixed(words)
}
