//! Why bytes are not what was saved.

use std::fmt;

use domain::Wallet;

/// Why saved bytes cannot be read, or not now. Nothing has changed where this is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// They end too early.
    Short,
    /// They go on behind what they say.
    Long,
    /// They begin with a version that is not known here.
    Version(u8),
    /// A number is larger than what it stands for can be.
    Number,
    /// A list is not in its order.
    Order,
    /// A mark that stands for nothing.
    Mark(u8),
    /// They name a question that has not been described: markets are described before anything is loaded.
    Question(u32),
    /// The wallet is in memory already.
    Present(Wallet),
    /// Something has happened already: questions and the world are loaded before the first fact.
    Late,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "the saved bytes end too early"),
            Self::Long => write!(f, "the saved bytes go on behind what they say"),
            Self::Version(version) => write!(f, "the saved bytes are of version {version}"),
            Self::Number => write!(f, "a number in the saved bytes is too large"),
            Self::Order => write!(f, "a list in the saved bytes is not in order"),
            Self::Mark(mark) => write!(f, "the mark {mark} in the saved bytes stands for nothing"),
            Self::Question(number) => {
                write!(f, "the saved bytes name question {number}, which is not described")
            }
            Self::Present(wallet) => write!(f, "wallet {wallet} is loaded already"),
            Self::Late => write!(f, "facts were folded before the world was loaded"),
        }
    }
}

impl std::error::Error for Damaged {}
