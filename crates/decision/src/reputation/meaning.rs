//! What a fact means: what it asks of which wallet, what of it has to wait until more is known, and what cannot be done
//! before everything that came before it.

use std::sync::Arc;

use domain::{ChainEvent, ConditionId, FeeKind, Fill, Payouts, Shares, TokenId, Usd, Wallet};

use super::History;
use super::act::{Act, Conversion, Deed, Own, Standing, Trade, Whom};
use super::catalogue::Seat;
use super::fold::{Looked, Mode, Stop};
use super::interner::Spread as _;
use super::late::{Ended, Item, Print};

impl History {
    /// Adds what a fact asks for; what asks for everybody at once is given back.
    pub(super) fn understand<'a>(
        &mut self,
        fact: Looked<'a>,
        mode: &Mode,
        acts: &mut Vec<Act>,
    ) -> Option<Stop<'a>> {
        let mut own = |wallet: Wallet, own: Own| {
            let deed = Deed::Own { wallet, spread: wallet.spread(), own };
            let is_new = matches!(mode, Mode::New);
            acts.push(Act { seq: fact.seq, at: fact.at, is_new, deed });
        };
        match fact.event {
            ChainEvent::Fill(fill) => {
                let deed = self.trade(fill, fact, mode);
                let is_new = matches!(mode, Mode::New);
                acts.push(Act { seq: fact.seq, at: fact.at, is_new, deed });
            }
            ChainEvent::Split { wallet, condition, amount } => {
                self.pairs(fact, *wallet, *condition, *amount).into_iter().for_each(|act| own(*wallet, act));
            }
            ChainEvent::Merge { wallet, condition, amount } => {
                self.pairs(fact, *wallet, *condition, -*amount).into_iter().for_each(|act| own(*wallet, act));
            }
            ChainEvent::Fee { kind: FeeKind::Refunded, receiver, token, micros, .. } => {
                self.refund(fact, *receiver, *token, *micros).into_iter().for_each(|act| own(*receiver, act));
            }
            ChainEvent::Redemption { wallet, condition, token, payout } => {
                let collected = self.collect(fact, *wallet, *condition, *token, *payout);
                collected.into_iter().for_each(|act| own(*wallet, act));
            }
            ChainEvent::Conversion { wallet, market, index_set, amount } => {
                let siblings = self.catalogue.siblings_of(*market);
                if !self.waits(siblings, fact, *wallet) {
                    match self.catalogue.siblings(siblings).all(*index_set) {
                        Some((against, others)) => {
                            let conversion = Conversion { against, others, amount: *amount };
                            own(*wallet, Own::Convert(Arc::new(conversion)));
                        }
                        None => return Some(Stop::Wait { siblings, fact, wallet: *wallet }),
                    }
                }
            }
            ChainEvent::Resolution { condition, payouts } => {
                self.remember(fact, *condition, payouts, mode);
                return self.resolve(fact, *condition, payouts, mode, acts);
            }
            ChainEvent::Derivable { yes: Some(condition), .. } => {
                let payouts = Payouts::winner(0, 2)?;
                self.remember(fact, *condition, &payouts, mode);
                return self.resolve(fact, *condition, &payouts, mode, acts);
            }
            ChainEvent::Derivable { event, yes: None } => {
                let siblings = self.catalogue.siblings_of(*event);
                let since = &mut self.catalogue.siblings_mut(siblings).rest_is_no;
                since.get_or_insert((fact.seq, fact.at));
                let payouts = Payouts::winner(1, 2)?;
                for question in self.catalogue.siblings(siblings).questions.clone().into_values() {
                    let condition = self.catalogue.question(question).condition;
                    self.resolve(fact, condition, &payouts, mode, acts);
                }
            }
            // Matches and fees charged repeat what the fills say. What is prepared is described elsewhere.
            ChainEvent::Match { .. }
            | ChainEvent::Fee { kind: FeeKind::Charged, .. }
            | ChainEvent::Preparation { .. } => {}
        }
        None
    }

    fn trade(&mut self, fill: &Fill, fact: Looked<'_>, mode: &Mode) -> Deed {
        let spread = fill.token.spread();
        let seat = self.catalogue.seat_of(fill.token, spread);
        let trade = Trade::of(fill, spread, fact.at, seat);
        let Some(Seat { question, .. }) = seat else {
            self.late.tokens.entry(fill.token).or_default().push(fact.item());
            return Deed::Trade { trade, price: None, standing: Standing::Bare(fill.token) };
        };
        let price = seat.and_then(|seat| seat.price_of(fill));
        let mut is_ripe = true;
        if let Some(siblings) = self.catalogue.question(question).siblings
            && !matches!(mode, Mode::Released(_))
        {
            is_ripe = !self.waits(siblings, fact, fill.wallet);
            if let Some(ppm) = price {
                let print = Print { seq: fact.seq, at: fact.at, question, ppm };
                self.catalogue.siblings_mut(siblings).see(print);
            }
        }
        let price = price.filter(|_| !matches!(mode, Mode::Released(_)));
        let trade = Trade { tells: price.is_some(), ..trade };
        Deed::Trade { trade, price, standing: if is_ripe { Standing::Ripe } else { Standing::Waits } }
    }

    fn pairs(
        &mut self,
        fact: Looked<'_>,
        wallet: Wallet,
        condition: ConditionId,
        amount: Shares,
    ) -> Option<Own> {
        let Some(questions) = self.catalogue.questions(condition) else {
            self.late.conditions.entry(condition).or_default().push(fact.item());
            return None;
        };
        let waits = self.question_waits(questions.start, fact, wallet);
        (!waits).then_some(Own::Pairs { questions, amount })
    }

    /// A fee given back: shares that were bought after all, or dollars that the sale brought after all.
    fn refund(
        &mut self,
        fact: Looked<'_>,
        wallet: Wallet,
        token: Option<TokenId>,
        micros: i64,
    ) -> Option<Own> {
        let Some(token) = token else { return Some(Own::Dollars(Usd::from_micros(micros))) };
        let shares = Shares::from_micros(micros);
        let Some(seat) = self.catalogue.seat(token) else {
            self.late.tokens.entry(token).or_default().push(fact.item());
            return Some(Own::Bare { token, shares });
        };
        let waits = self.question_waits(seat.question, fact, wallet);
        (!waits).then_some(Own::Shares { seat, shares })
    }

    /// A redemption pays what the resolution already booked: only what goes beyond is news.
    fn collect(
        &mut self,
        fact: Looked<'_>,
        wallet: Wallet,
        condition: Option<ConditionId>,
        token: Option<TokenId>,
        payout: Usd,
    ) -> Option<Own> {
        let question = match (condition, token) {
            (Some(condition), _) => {
                let Some(questions) = self.catalogue.questions(condition) else {
                    self.late.conditions.entry(condition).or_default().push(fact.item());
                    return None;
                };
                // Of a condition of many outcomes nobody says which were collected.
                (questions.len() == 1).then_some(questions.start)?
            }
            (None, Some(token)) => {
                let Some(seat) = self.catalogue.seat(token) else {
                    self.late.tokens.entry(token).or_default().push(fact.item());
                    return None;
                };
                seat.question
            }
            (None, None) => return None,
        };
        let waits = self.question_waits(question, fact, wallet);
        (!waits).then_some(Own::Collect { question, payout })
    }

    /// Keeps the first result of a condition, which may be described only later.
    fn remember(&mut self, fact: Looked<'_>, condition: ConditionId, payouts: &Payouts, mode: &Mode) {
        if !matches!(mode, Mode::New) {
            return;
        }
        let Looked { seq, at, .. } = fact;
        let ended = || Ended { seq, at, payouts: payouts.clone() };
        self.late.results.entry(condition).or_insert_with(ended);
    }

    /// Gives a condition its result, unless it has one.
    fn resolve(
        &mut self,
        fact: Looked<'_>,
        condition: ConditionId,
        payouts: &Payouts,
        mode: &Mode,
        acts: &mut Vec<Act>,
    ) -> Option<Stop<'static>> {
        let Looked { seq, at, .. } = fact;
        let questions = self.catalogue.questions(condition)?;
        let payouts = Arc::new(payouts.clone());
        let is_over = self.catalogue.question(questions.start).is_over;
        let siblings = self.catalogue.question(questions.start).siblings;
        let mut whom = Whom::All;
        match mode {
            Mode::Released(those) => whom = Whom::Only(Arc::clone(those)),
            _ if is_over => return None,
            _ => {
                for question in questions.clone() {
                    self.catalogue.question_mut(question).is_over = true;
                    self.beliefs.note_result(question, at);
                }
                if let Some(siblings) = siblings.map(|number| self.catalogue.siblings_mut(number))
                    && !siblings.waiters.is_empty()
                {
                    let event = ChainEvent::Resolution { condition, payouts: (*payouts).clone() };
                    siblings.waiting.push(Item { seq, at, event });
                    whom = Whom::Except(Arc::new(siblings.waiters.keys().copied().collect()));
                } else if !payouts.is_whole() {
                    return Some(Stop::Divide { condition, seq, at, payouts });
                }
            }
        }
        for question in questions {
            let first = self.catalogue.question(question).first;
            let deed = Deed::Settle { question, payouts: Arc::clone(&payouts), first, whom: whom.clone() };
            acts.push(Act { seq, at, is_new: matches!(mode, Mode::New), deed });
        }
        None
    }

    fn question_waits(&mut self, question: u32, fact: Looked<'_>, wallet: Wallet) -> bool {
        let siblings = self.catalogue.question(question).siblings;
        siblings.is_some_and(|siblings| self.waits(siblings, fact, wallet))
    }

    /// Whether a wallet's facts among siblings wait; if so, this one does too.
    fn waits(&mut self, siblings: u32, fact: Looked<'_>, wallet: Wallet) -> bool {
        let siblings = self.catalogue.siblings_mut(siblings);
        let waits = !siblings.waiters.is_empty() && siblings.holds(wallet, fact.seq);
        if waits {
            siblings.waiting.push(fact.item());
        }
        waits
    }
}
