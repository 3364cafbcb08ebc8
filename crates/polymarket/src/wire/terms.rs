//! A market as the CLOB describes it: what trading needs, with few words.

use domain::{ConditionId, Market, NegRiskPlace, Timestamp};

use super::category::known_category;
use super::clob::{TermsBody, WordsBody, read_condition, read_fee, read_tick};
use super::flaw::{MarketFlaw, plain_texts, read_tokens};

impl TermsBody {
    /// The market of `condition`. Where there are no words, the condition's own text stands for title and slug.
    ///
    /// The CLOB knows no events. Siblings on the neg-risk contracts are grouped by the id they share there; any
    /// other market is its own event, under its condition's text.
    ///
    /// # Errors
    /// The first flaw found; nothing is guessed.
    pub fn into_market(self, condition: ConditionId, words: Option<WordsBody>) -> Result<Market, MarketFlaw> {
        if let Some(said) = &self.condition
            && read_condition(said) != Ok(condition)
        {
            return Err(MarketFlaw::Condition(format!("it is about condition `{said:.80}`")));
        }
        let protocol_v2 = match self.version.as_deref() {
            None | Some("v1") => false,
            Some("v2") => true,
            Some(_) => return Err(MarketFlaw::Version(self.version)),
        };
        let (ids, outcomes): (Vec<String>, Vec<String>) =
            self.tokens.into_iter().map(|outcome| (outcome.token, outcome.outcome)).unzip();
        let tokens = read_tokens(ids.iter().map(String::as_str), outcomes.len())?;
        let fee = self.fee.map_or(Ok(0), |fee| read_fee(&fee.rate, fee.exponent.as_ref()));
        // Another market's words are worse than none.
        let words = words.filter(|words| read_condition(&words.condition_id) == Ok(condition));
        let words = words.unwrap_or_default();
        let or_condition = |text: String| if text.is_empty() { condition.to_string() } else { text };
        let market = Market {
            condition,
            title: or_condition(words.question),
            slug: or_condition(words.market_slug),
            event: read_condition(&words.neg_risk_market_id).unwrap_or(condition).to_string(),
            category: known_category(words.tags.iter().map(String::as_str)),
            outcomes,
            tokens,
            neg_risk: self.neg_risk,
            // The CLOB says nothing of the question's number; a Protocol V2 condition has it in its own bits.
            place: NegRiskPlace::of_condition(condition).filter(|_| protocol_v2),
            protocol_v2,
            tick: read_tick(&self.tick_size).map_err(MarketFlaw::Tick)?,
            fee_rate_ppm: fee.map_err(MarketFlaw::Fee)?,
            end: words.end_date_iso.and_then(|text| Timestamp::parse_rfc3339(&text).ok()),
            oracle: None,
        };
        let texts = [("title", &market.title), ("slug", &market.slug)].into_iter();
        plain_texts(texts.chain(market.outcomes.iter().map(|name| ("outcomes", name))))?;
        Ok(market)
    }
}
