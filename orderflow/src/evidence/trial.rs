//! One simulated past, from its making to what is believed about everybody in it.

use std::collections::BTreeSet;

use anyhow::anyhow;
use decision::{Eligibility, History};
use devnet::world::{Cast, NewBlock, SimMarket, World, WorldConfig};
use domain::{ChainEvent, Fact, Probability, Tier, Timestamp, Wallet};

/// The moment the past ends at: any would do, but it must not be the clock's. A week begins there, so that what is
/// believed of wallets at large at a week's start is believed of this whole past.
const END: Timestamp = Timestamp::from_seconds(1_795_046_400);

/// Progress is told of every so many days.
const TOLD_EVERY: i64 = 15;

/// What the strategy asks of a wallet before it judges it (`ORDER_FLOW_STRATEGY.md` §2).
pub(super) const ELIGIBILITY: Eligibility = Eligibility { decisions: 30, events: 15, active_days: 21 };

/// What kind of past, and from which chance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) name: &'static str,
    pub(super) seed: u64,
    pub(super) wallets: usize,
    pub(super) skilled: usize,
    pub(super) days: u32,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    /// Wallets with a fill.
    pub(super) wallets: usize,
    pub(super) markets: usize,
    pub(super) fills: usize,
    /// Wallets that know more than the price.
    pub(super) planted: usize,
    /// Those with enough history to be judged, by address.
    pub(super) judged: Vec<Judged>,
}

/// A wallet with enough history, and what is believed about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Whether it knows more than the price: the truth, which no score sees.
    pub(super) is_planted: bool,
    pub(super) tier: Tier,
    /// The strategy's score as it was asked for.
    pub(super) score: f64,
    /// The same factors and weights with calibrated inputs.
    pub(super) calibrated: f64,
    /// κ̂.
    pub(super) kappa: f64,
    /// The evidence in standard errors, before it is shrunken.
    pub(super) z: f64,
    /// P(κ > 0).
    pub(super) probability: Probability,
    pub(super) win_rate: f64,
    pub(super) is_copyable: bool,
    pub(super) is_verified: bool,
}

impl Trial {
    /// Makes the past and judges everybody in it; `say` hears how far it is.
    pub(super) fn run(&self, say: impl Fn(&str)) -> anyhow::Result<Findings> {
        let config = WorldConfig {
            speed: 1.0,
            wallets: self.wallets,
            skilled: self.skilled,
            history_days: self.days,
            cast: Cast::Even,
        };
        let mut reader = Reader::default();
        say("inventing people, markets and plans");
        let world =
            World::telling(self.seed, config, END, |markets, block| reader.read(markets, &block, &say));
        let Reader { mut history, wallets, fills, flaw, .. } = reader.finish();
        if let Some(flaw) = flaw {
            return Err(flaw);
        }
        say("judging");
        history.pass(END);
        let planted: BTreeSet<Wallet> = world.skilled().into_iter().collect();
        let judged = wallets.iter().filter_map(|wallet| judge(&history, *wallet, &planted)).collect();
        say("done");
        Ok(Findings {
            wallets: wallets.len(),
            markets: world.markets().len(),
            fills,
            planted: planted.len(),
            judged,
        })
    }
}

/// Folds the past day by day while it is made.
struct Reader {
    history: History,
    wallets: BTreeSet<Wallet>,
    fills: usize,
    /// The day that is being read, and what happened in it so far.
    day: Option<i64>,
    facts: Vec<Fact>,
    /// How many markets are known already.
    described: usize,
    flaw: Option<anyhow::Error>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            history: History::new(ELIGIBILITY),
            wallets: BTreeSet::new(),
            fills: 0,
            day: None,
            facts: Vec::new(),
            described: 0,
            flaw: None,
        }
    }
}

impl Reader {
    fn read(&mut self, markets: &[SimMarket], block: &NewBlock, say: &impl Fn(&str)) {
        for market in markets.iter().skip(self.described) {
            match market.described() {
                Ok(market) => self.history.learn(&market),
                Err(flaw) => self.flaw = Some(anyhow!(flaw).context(format!("the market `{}`", market.slug))),
            }
        }
        self.described = markets.len();
        let day = block.at.day();
        if self.day != Some(day) {
            self.fold();
            self.day = Some(day);
            if day % TOLD_EVERY == 0 {
                say(&format!("{} days to go, {} fills so far", END.day() - day, self.fills));
            }
        }
        for fact in block.facts() {
            if let ChainEvent::Fill(fill) = &fact.event {
                self.wallets.insert(fill.wallet);
                self.fills += 1;
            }
            self.facts.push(fact);
        }
    }

    fn fold(&mut self) {
        self.history.apply_batch(&self.facts);
        self.facts.clear();
    }

    fn finish(mut self) -> Self {
        self.fold();
        self
    }
}

/// What is believed about a wallet; `None` where it has too little history.
fn judge(history: &History, wallet: Wallet, planted: &BTreeSet<Wallet>) -> Option<Judged> {
    let belief = history.assess(wallet, END)?;
    if belief.verdict.tier == Tier::Unrated {
        return None;
    }
    Some(Judged {
        is_planted: planted.contains(&wallet),
        tier: belief.verdict.tier,
        score: belief.verdict.score,
        calibrated: belief.calibrated.total(),
        kappa: belief.verdict.skill.kappa,
        z: belief.skill.map_or(0.0, |skill| skill.z),
        probability: belief.verdict.skill_probability,
        win_rate: belief.verdict.win_rate?,
        is_copyable: belief.flags.is_empty(),
        is_verified: belief.is_verified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A week as `Timestamp::week` counts.
    #[test]
    fn a_week_begins_where_the_past_ends() {
        assert_eq!(END.week(), END.plus_micros(-1).week() + 1);
    }
}
