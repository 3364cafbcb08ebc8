//! What keeps a description from being a market, the same for both services that describe them.

use domain::TokenId;

/// Why something that is listed cannot be traded or scored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarketFlaw {
    /// Not the JSON of a market.
    #[error("it is not a market: {0}")]
    Json(String),
    /// Neither `v1` nor `v2`, nor plainly older than both: which tokens and which exchange count is unknown.
    #[error("its version is {}", .0.as_deref().unwrap_or("not given"))]
    Version(Option<String>),
    /// The condition is no 31 or 32 bytes.
    #[error("{0}")]
    Condition(String),
    /// Tokens are missing, or too many, or no numbers, or the same twice.
    #[error("its tokens do not match its {outcomes} outcomes: {reason}")]
    Tokens {
        /// How many outcomes it names.
        outcomes: usize,
        /// What is wrong.
        reason: String,
    },
    /// A text with control characters: PostgreSQL stores no NUL, and a terminal obeys others.
    #[error("its {field} has control characters")]
    Text {
        /// Which text.
        field: &'static str,
    },
    /// The price grid is unknown.
    #[error("{0}")]
    Tick(String),
    /// The fee is not of the known form.
    #[error("{0}")]
    Fee(String),
}

/// Reads the tokens of as many outcomes: two or more, each once.
pub(super) fn read_tokens<'a>(
    ids: impl IntoIterator<Item = &'a str>,
    outcomes: usize,
) -> Result<Vec<TokenId>, MarketFlaw> {
    let flaw = |reason: String| MarketFlaw::Tokens { outcomes, reason };
    let tokens: Vec<TokenId> = ids
        .into_iter()
        .map(|id| id.parse().map_err(|error| flaw(format!("{error}"))))
        .collect::<Result<_, _>>()?;
    if tokens.len() != outcomes || outcomes < 2 {
        return Err(flaw(format!("there are {}", tokens.len())));
    }
    let twice = (1..tokens.len()).find(|index| tokens[..*index].contains(&tokens[*index]));
    match twice {
        Some(index) => Err(flaw(format!("{} is there twice", tokens[index]))),
        None => Ok(tokens),
    }
}

/// Refuses the first text with control characters.
pub(super) fn plain_texts<'a>(
    texts: impl IntoIterator<Item = (&'static str, &'a String)>,
) -> Result<(), MarketFlaw> {
    let flawed = texts.into_iter().find(|(_, text)| text.contains(char::is_control));
    flawed.map_or(Ok(()), |(field, _)| Err(MarketFlaw::Text { field }))
}
