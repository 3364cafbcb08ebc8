//! What `/markets/keyset` says, and how much of it is a market.

use domain::{ConditionId, Market, NegRiskPlace, Oracle, Tick, Timestamp};
use serde::{Deserialize, Serialize};

use super::category::known_category;
use super::clob::{read_condition, read_fee, read_tick};
use super::flaw::{MarketFlaw, plain_texts, read_tokens};
use super::lenient::{exact, or_default};
use super::{Embedded, Number};

/// The answer of `/markets/keyset`. The markets stay raw, so that one bad market spoils no page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// The markets.
    pub markets: Vec<serde_json::Value>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One market; of some sixty fields, those that matter.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarketBody {
    /// Gamma's own id.
    pub id: Number,
    /// `v1` (conditional tokens) or `v2` (Protocol V2); absent on markets older than Protocol V2.
    #[serde(default)]
    pub version: Option<String>,
    /// 32 bytes, or 31 for `v2`.
    #[serde(default, deserialize_with = "or_default")]
    pub condition_id: String,
    /// What people read.
    #[serde(default, deserialize_with = "or_default")]
    pub question: String,
    /// The name in web addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
    /// The outcomes' names.
    #[serde(default)]
    pub outcomes: Embedded<String>,
    /// The outcomes' last prices; 1 and 0 once resolved.
    #[serde(default)]
    pub outcome_prices: Embedded<Number>,
    /// The tokens of a `v1` market.
    #[serde(default, deserialize_with = "exact")]
    pub clob_token_ids: Embedded<Number>,
    /// The tokens of a `v2` market; `v1` markets may carry it too.
    #[serde(
        default,
        deserialize_with = "exact",
        serialize_with = "plain",
        skip_serializing_if = "no_positions"
    )]
    pub position_ids: Embedded<Number>,
    /// When it is expected to end, RFC 3339.
    #[serde(default)]
    pub end_date: Option<String>,
    /// Whether it is shown.
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    /// Whether it is over.
    #[serde(default, deserialize_with = "or_default")]
    pub closed: bool,
    /// Whether the CLOB takes orders.
    #[serde(default, deserialize_with = "or_default")]
    pub accepting_orders: bool,
    /// Whether it has a book at all.
    #[serde(default, deserialize_with = "or_default")]
    pub enable_order_book: bool,
    /// How the oracle stands; absent until somebody proposes.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub uma_resolution_status: Option<String>,
    /// Whether it settles through the neg-risk contracts.
    #[serde(default)]
    pub neg_risk: Option<bool>,
    /// What it shares there with its siblings, 32 bytes; absent or empty on other markets.
    #[serde(default, rename = "negRiskMarketID", skip_serializing_if = "Option::is_none")]
    pub neg_risk_market_id: Option<String>,
    /// What its oracle is asked, 32 bytes; there, what it shares with its siblings and its number as the last byte.
    #[serde(default, rename = "questionID", skip_serializing_if = "Option::is_none")]
    pub question_id: Option<String>,
    /// The price grid.
    #[serde(default, serialize_with = "Number::bare_option")]
    pub order_price_min_tick_size: Option<Number>,
    /// The smallest order in shares.
    #[serde(default, serialize_with = "Number::bare_option")]
    pub order_min_size: Option<Number>,
    /// Whether takers pay.
    #[serde(default)]
    pub fees_enabled: Option<bool>,
    /// The name of the fee table, such as `sports_fees_v2`.
    #[serde(default)]
    pub fee_type: Option<String>,
    /// The fee itself; `null` for none.
    #[serde(default)]
    pub fee_schedule: Option<FeeSchedule>,
    /// The category, on old markets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The tags, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
    /// The events it belongs to; the first counts.
    #[serde(default)]
    pub events: Option<Vec<EventBody>>,
}

/// The fee of a market: `shares * rate * (p * (1 - p)) ^ exponent`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeSchedule {
    /// The rate.
    #[serde(serialize_with = "Number::bare")]
    pub rate: Number,
    /// The exponent; absent for 1.
    #[serde(default, serialize_with = "Number::bare_option")]
    pub exponent: Option<Number>,
    /// Whether only takers pay.
    #[serde(default, deserialize_with = "or_default")]
    pub taker_only: bool,
    /// The part makers get back.
    #[serde(default, serialize_with = "Number::bare_option", skip_serializing_if = "Option::is_none")]
    pub rebate_rate: Option<Number>,
}

/// A tag.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tag {
    /// Its name in web addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
    /// What people read.
    #[serde(default, deserialize_with = "or_default")]
    pub label: String,
}

/// The event a market belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventBody {
    /// Gamma's own id.
    #[serde(default)]
    pub id: Number,
    /// The name in web addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
    /// What people read.
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    /// The category, on old events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The tags, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
}

impl MarketBody {
    /// The market.
    ///
    /// # Errors
    /// The first flaw found. What a market lacks because it is old is completed; nothing else is guessed.
    pub fn into_market(self) -> Result<Market, MarketFlaw> {
        let protocol_v2 = self.protocol_v2()?;
        let condition = read_condition(&self.condition_id).map_err(MarketFlaw::Condition)?;
        let ids = if protocol_v2 { &self.position_ids } else { &self.clob_token_ids };
        let ids = ids.0.iter().map(|id| id.0.as_str());
        let tokens = read_tokens(ids, self.outcomes.0.len())?;
        // A grid that is not given must not keep the bets on a market from being settled. The cent is the
        // usual one, and a wrong one costs nothing: orders go by the grid that the book itself names.
        let tick = self.order_price_min_tick_size.as_ref().map_or(Ok(Tick::CENT), read_tick);
        let fee_rate_ppm = self.fee_rate_ppm().map_err(MarketFlaw::Fee)?;
        let category = self.category();
        let place = self.place(condition, protocol_v2);
        let oracle = self.oracle();
        let event = self.events.and_then(|events| events.into_iter().next()).map(|event| event.slug);
        // The category needs no look: it is one of a known list.
        let texts = [("title", &self.question), ("slug", &self.slug)];
        let texts = texts.into_iter().chain(event.iter().map(|slug| ("event", slug)));
        plain_texts(texts.chain(self.outcomes.0.iter().map(|name| ("outcomes", name))))?;
        Ok(Market {
            condition,
            event: event.filter(|slug| !slug.is_empty()).unwrap_or_else(|| self.slug.clone()),
            title: self.question,
            slug: self.slug,
            category,
            outcomes: self.outcomes.0,
            tokens,
            neg_risk: self.neg_risk.unwrap_or(false),
            place,
            protocol_v2,
            tick: tick.map_err(MarketFlaw::Tick)?,
            fee_rate_ppm,
            end: self.end_date.and_then(|text| Timestamp::parse_rfc3339(&text).ok()),
            oracle,
        })
    }

    /// Whether it is a market of Protocol V2.
    ///
    /// Every market older than Protocol V2 may lack the version, and has conditional tokens alone. To refuse
    /// those would leave the bets of their wallets open for ever. With positions beside them, or without
    /// either, a missing version is not the age's fault.
    fn protocol_v2(&self) -> Result<bool, MarketFlaw> {
        match self.version.as_deref() {
            Some("v1") => Ok(false),
            Some("v2") => Ok(true),
            None if !self.clob_token_ids.0.is_empty() && self.position_ids.0.is_empty() => Ok(false),
            _ => Err(MarketFlaw::Version(self.version.clone())),
        }
    }

    /// Its place among its siblings. Ids that do not fit together are as good as none: the market can be traded and
    /// settled all the same, and only conversions wait for a better description.
    fn place(&self, condition: ConditionId, protocol_v2: bool) -> Option<NegRiskPlace> {
        if protocol_v2 {
            return NegRiskPlace::of_condition(condition);
        }
        let bytes = |id: &Option<String>| id.as_deref().and_then(|text| read_condition(text).ok());
        let (market, question) = (bytes(&self.neg_risk_market_id)?, bytes(&self.question_id)?);
        NegRiskPlace::of_question(market.0, question.0)
    }

    /// How far the oracle is. A word that is not known says nothing: that is no reason to do without the market.
    fn oracle(&self) -> Option<Oracle> {
        match self.uma_resolution_status.as_deref().map(str::trim).unwrap_or_default() {
            // Asked anew after a dispute, it is as open as at first.
            "" | "requested" | "initialized" => Some(Oracle::Open),
            "proposed" => Some(Oracle::Proposed),
            "disputed" | "challenged" => Some(Oracle::Disputed),
            "resolved" | "settled" => Some(Oracle::Settled),
            _ => None,
        }
    }

    /// A fee of another form is refused even on an old market: there is nothing to complete, and a wrong fee
    /// is a wrong price.
    fn fee_rate_ppm(&self) -> Result<u32, String> {
        match &self.fee_schedule {
            Some(fee) if self.fees_enabled != Some(false) => read_fee(&fee.rate, fee.exponent.as_ref()),
            _ => Ok(0),
        }
    }

    /// The category the tags tell, else the category fields, else the fee's name.
    fn category(&self) -> Option<String> {
        let event = self.events.as_ref().and_then(|events| events.first());
        let tags = [self.tags.as_ref(), event.and_then(|event| event.tags.as_ref())];
        let tags = tags.into_iter().flatten().flatten().map(|tag| tag.slug.as_str());
        let named = [self.category.as_deref(), event.and_then(|event| event.category.as_deref())];
        let fee = self.fee_type.as_deref().and_then(|name| name.split('_').next());
        known_category(tags)
            .or_else(|| known_category(named.into_iter().flatten()))
            .or_else(|| known_category(fee))
    }
}

/// `positionIds` is a list of texts, not a text with a list.
fn plain<S: serde::Serializer>(ids: &Embedded<Number>, serializer: S) -> Result<S::Ok, S::Error> {
    ids.0.serialize(serializer)
}

fn no_positions(ids: &Embedded<Number>) -> bool {
    ids.0.is_empty()
}
