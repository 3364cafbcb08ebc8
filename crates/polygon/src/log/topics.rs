//! The indexed words of a log.

use std::fmt;
use std::ops::{Deref, DerefMut};

use alloy_primitives::B256;
use serde::ser::{Serialize, Serializer};

/// The most indexed words a log has: the machine that emits them knows no instruction for five.
const MOST: usize = 4;

/// The indexed words of a log, the event's signature first; a log may have none, and has four at most. They
/// stand in the value itself, because logs come by the million and each would cost an allocation.
#[derive(Clone, Copy, Default)]
pub struct Topics {
    words: [B256; MOST],
    count: u8,
}

/// More words than a log can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} topics, where a log has four at most")]
pub struct TooManyTopics {
    /// How many there are.
    pub found: usize,
}

impl Topics {
    /// Adds a word; whether there was room for it.
    pub(super) fn push(&mut self, word: B256) -> bool {
        let Some(free) = self.words.get_mut(usize::from(self.count)) else { return false };
        *free = word;
        self.count += 1;
        true
    }
}

impl Deref for Topics {
    type Target = [B256];

    fn deref(&self) -> &[B256] {
        self.words.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl DerefMut for Topics {
    fn deref_mut(&mut self) -> &mut [B256] {
        self.words.get_mut(..usize::from(self.count)).unwrap_or_default()
    }
}

impl TryFrom<&[B256]> for Topics {
    type Error = TooManyTopics;

    fn try_from(words: &[B256]) -> Result<Self, TooManyTopics> {
        let mut topics = Self::default();
        match words.iter().all(|word| topics.push(*word)) {
            true => Ok(topics),
            false => Err(TooManyTopics { found: words.len() }),
        }
    }
}

impl TryFrom<Vec<B256>> for Topics {
    type Error = TooManyTopics;

    fn try_from(words: Vec<B256>) -> Result<Self, TooManyTopics> {
        words.as_slice().try_into()
    }
}

/// Of words whose number is known to fit: five do not compile.
impl<const N: usize> From<[B256; N]> for Topics {
    fn from(words: [B256; N]) -> Self {
        const { assert!(N <= MOST, "a log has four topics at most") };
        let mut topics = Self::default();
        for word in words {
            topics.push(word);
        }
        topics
    }
}

impl<'a> IntoIterator for &'a Topics {
    type Item = &'a B256;
    type IntoIter = std::slice::Iter<'a, B256>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Topics {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Topics {}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Serialize for Topics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_four_words_at_most() {
        let words: Vec<B256> = (1..=5).map(B256::with_last_byte).collect();
        assert_eq!(Topics::try_from(words.as_slice()), Err(TooManyTopics { found: 5 }));
        let four = Topics::try_from(&words[..4]).unwrap();
        assert_eq!(&*four, &words[..4]);
        assert_eq!(Topics::try_from(words[..4].to_vec()), Ok(four));
        assert_eq!(Topics::try_from(words), Err(TooManyTopics { found: 5 }));
        assert!(!four.clone().push(B256::ZERO));
        assert!(Topics::from([]).is_empty());
    }

    #[test]
    fn what_stands_behind_the_last_word_does_not_count() {
        let mut longer = Topics::from([B256::ZERO, B256::ZERO]);
        let shorter = Topics::from([B256::ZERO]);
        assert_ne!(longer, shorter);
        longer[1] = B256::with_last_byte(1);
        assert_eq!(longer[1], B256::with_last_byte(1));
        assert_eq!(format!("{:?}", shorter).matches("0x").count(), 1);
    }
}
