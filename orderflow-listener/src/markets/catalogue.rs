//! Asking Gamma: by token, and by condition where the chain tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::{ConditionId, Market, TokenId};
use polygon::tokens::protocol_v2_condition;
use polymarket::{Listing, VenueError};
use store::markets::{self, Unknown};
use tokio::time::Instant;

use super::Descriptions;
use super::belief::believed;

/// "US-Iran nuclear deal before 2027?", Yes. It need not be listed, only be an id that Gamma takes.
const KNOWN: &str = "102936224134271070189104847090829839924697394514566827387181305960175107677216";

/// A Gamma that comes and goes must not make every unknown token's turn come each time.
const HURRY_AT_MOST_EVERY: Duration = Duration::from_secs(300);

/// A token whose market is not known, with what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traded {
    pub(super) token: TokenId,
    /// Its condition: prepared on the chain, or in the token's own bits.
    pub(super) condition: Option<ConditionId>,
    /// How often it has been asked for, this time included.
    pub(super) attempts: u32,
    /// Whether Gamma was asked this time, answered, and does not describe it.
    pub(super) is_unlisted: bool,
}

impl Descriptions {
    /// Adds the conditions that follow from the chain.
    pub(super) async fn with_conditions(&self, due: Vec<Unknown>) -> anyhow::Result<Vec<Traded>> {
        let tokens: Vec<TokenId> = due.iter().map(|due| due.token).collect();
        let prepared = markets::conditions_of_tokens(&mut *self.store.connection().await?, &tokens).await?;
        let prepared: BTreeMap<TokenId, ConditionId> = prepared.into_iter().collect();
        let traded = |Unknown { token, attempts }| {
            let condition = prepared.get(&token).copied().or_else(|| protocol_v2_condition(token));
            Traded { token, condition, attempts, is_unlisted: false }
        };
        Ok(due.into_iter().map(traded).collect())
    }

    /// After Gamma failed and had its rest: asks for anything at all. Tokens may wait an hour for their turn by
    /// then, and should not once it answers.
    pub(super) async fn try_gamma_again(&mut self) -> anyhow::Result<()> {
        if !self.gamma_rest.is_failing() || self.gamma_rest.is_on() {
            return Ok(());
        }
        match self.ask_for_a_known_one().await {
            Ok(()) => self.gamma_answers().await,
            Err(error) => {
                self.gamma_rest.begin(&error);
                tracing::warn!("markets still cannot be looked up: {error}");
                Ok(())
            }
        }
    }

    /// Asks Gamma for a token that nothing is wrong with: whoever fails even then is ill, whatever it is asked.
    async fn ask_for_a_known_one(&self) -> Result<(), VenueError> {
        let listing = self.gamma.markets_of_tokens(&[KNOWN.parse().unwrap_or_default()]).await?;
        listing.unanswered.error.map_or(Ok(()), Err)
    }

    async fn gamma_answers(&mut self) -> anyhow::Result<()> {
        if !self.gamma_rest.end() {
            return Ok(());
        }
        tracing::info!("markets can be looked up again");
        let now = Instant::now();
        if self.hurried.is_none_or(|hurried| HURRY_AT_MOST_EVERY <= now - hurried) {
            self.hurried = Some(now);
            markets::hurry_unknown(&mut *self.store.connection().await?).await?;
        }
        Ok(())
    }

    /// Takes in what Gamma describes; what is left without a description.
    pub(super) async fn ask_gamma(&mut self, unknown: Vec<Traded>) -> anyhow::Result<Vec<Traded>> {
        let tokens: Vec<TokenId> = unknown.iter().map(|unknown| unknown.token).collect();
        let Some(listing) = self.listed_tokens(&tokens).await? else {
            return Ok(unknown);
        };
        let unanswered = listing.unanswered.tokens.clone();
        let described = self.take_in(listing).await?;
        let mut left: Vec<Traded> =
            unknown.into_iter().filter(|unknown| !described.contains(&unknown.token)).collect();
        for unknown in &mut left {
            unknown.is_unlisted = !unanswered.contains(&unknown.token);
        }

        // Gamma may not find a position of Protocol V2 by its id, but by its condition.
        let of_condition = |unknown: &Traded| unknown.condition.filter(|_| unknown.is_unlisted);
        let conditions: BTreeSet<ConditionId> = left.iter().filter_map(of_condition).collect();
        let conditions: Vec<ConditionId> = conditions.into_iter().collect();
        if conditions.is_empty() {
            return Ok(left);
        }
        let Some(listing) = self.listed_conditions(&conditions).await? else {
            left.iter_mut().for_each(|unknown| unknown.is_unlisted &= unknown.condition.is_none());
            return Ok(left);
        };
        let unanswered = listing.unanswered.conditions.clone();
        let described = self.take_in(listing).await?;
        left.retain(|unknown| !described.contains(&unknown.token));
        for unknown in &mut left {
            unknown.is_unlisted &= unknown.condition.is_none_or(|one| !unanswered.contains(&one));
        }
        Ok(left)
    }

    /// What Gamma lists of tokens; `None` while it cannot be asked.
    async fn listed_tokens(&mut self, tokens: &[TokenId]) -> anyhow::Result<Option<Listing>> {
        if self.gamma_rest.is_on() {
            return Ok(None);
        }
        let answer = self.gamma.markets_of_tokens(tokens).await;
        self.heard(answer, tokens.len()).await
    }

    /// What Gamma lists of conditions; `None` while it cannot be asked.
    pub(super) async fn listed_conditions(
        &mut self,
        conditions: &[ConditionId],
    ) -> anyhow::Result<Option<Listing>> {
        if self.gamma_rest.is_on() {
            return Ok(None);
        }
        let answer = self.gamma.markets_of_conditions(conditions).await;
        self.heard(answer, conditions.len()).await
    }

    /// Notes how Gamma is.
    async fn heard(
        &mut self,
        answer: Result<Listing, VenueError>,
        asked: usize,
    ) -> anyhow::Result<Option<Listing>> {
        let listing = match answer {
            Ok(listing) => listing,
            Err(error) => {
                tracing::warn!(asked, "markets cannot be looked up and will be asked for again: {error}");
                // Without an outage it may be for the sake of what was asked, which keeps nobody else from asking.
                let illness = if error.is_outage() { Err(error) } else { self.ask_for_a_known_one().await };
                if let Err(illness) = illness {
                    self.gamma_rest.begin(&illness);
                }
                return Ok(None);
            }
        };
        if let Some(error) = &listing.unanswered.error {
            let unanswered = listing.unanswered.tokens.len() + listing.unanswered.conditions.len();
            tracing::warn!(asked, unanswered, "some markets could not be looked up: {error}");
        }
        match &listing.unanswered.error {
            Some(error) if error.is_outage() => self.gamma_rest.begin(error),
            _ => self.gamma_answers().await?,
        }
        Ok(Some(listing))
    }

    /// Takes in the markets of a listing that are believed; their tokens.
    pub(super) async fn take_in(&self, listing: Listing) -> anyhow::Result<BTreeSet<TokenId>> {
        for rejected in &listing.rejected {
            tracing::warn!(
                market = rejected.id,
                condition = rejected.condition,
                "a market's description makes no sense: {}",
                rejected.reason
            );
        }
        let described: Vec<Market> = believed(listing.markets);
        self.learn(&described).await?;
        Ok(described.into_iter().flat_map(|market| market.tokens).collect())
    }
}
