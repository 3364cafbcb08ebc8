//! Who trades: a few who know, many who do not, some who know less than nothing, and the makers between them.

use domain::Wallet;

use super::dice::Dice;

/// What moves a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Knows the outcome far better than the price.
    Skilled,
    /// Buys the wrong side more often than not, overpays, and sells in panic.
    Degen,
    /// Rests orders on both sides.
    Maker,
    /// Buys whatever; right as often as the price says.
    Noise,
    /// Buys only favourites: wins often, earns nothing.
    Favourite,
    /// Buys only long shots: wins rarely, earns nothing.
    Lottery,
}

/// Who lives in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cast {
    /// For a demonstration: who knows knows much and spends much, a fifth know less than nothing, and few others
    /// trade often enough to be judged.
    #[default]
    Vivid,
    /// For a trial of the scores: everybody trades nearly every day, and knowledge is the only difference. Who knows
    /// knows little more than the price, and spends and chooses as the ignorant do. Nobody knows less than nothing,
    /// which would be knowledge to whoever stands opposite; degens are only careless.
    Even,
}

/// One wallet.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) wallet: Wallet,
    pub(crate) kind: Kind,
    /// The probability of choosing the side that will win, whatever the price: a half is no knowledge.
    pub(crate) accuracy: f64,
    /// The median size of a purchase in dollars.
    pub(crate) typical_usd: f64,
    /// Whether the wallet trades nearly every day.
    pub(crate) regular: bool,
}

/// Everybody, and where to find whom.
#[derive(Debug)]
pub(crate) struct People {
    all: Vec<Person>,
    pub(crate) skilled: Vec<usize>,
    pub(crate) degens: Vec<usize>,
    /// Degens that trade nearly every day, so that their record can be judged: those who panic together.
    pub(crate) regular_degens: Vec<usize>,
    pub(crate) makers: Vec<usize>,
    pub(crate) noise: Vec<usize>,
    pub(crate) favourites: Vec<usize>,
    pub(crate) lottery: Vec<usize>,
}

impl People {
    /// `wallets` people, `skilled` of them skilled (at most a quarter), a fifth degens, the makers beside.
    pub(crate) fn new(dice: &mut Dice, cast: Cast, wallets: usize, skilled: usize) -> Self {
        let skilled = skilled.min(wallets / 4);
        let all_regular = cast == Cast::Even;
        let degens = wallets / 5;
        let makers = (wallets / 100).max(4);
        let mut people = Self {
            all: Vec::with_capacity(wallets + makers),
            skilled: Vec::new(),
            degens: Vec::new(),
            regular_degens: Vec::new(),
            makers: Vec::new(),
            noise: Vec::new(),
            favourites: Vec::new(),
            lottery: Vec::new(),
        };
        for _ in 0..makers {
            people.admit(dice, Kind::Maker, true);
        }
        for _ in 0..skilled {
            match cast {
                Cast::Vivid => people.admit(dice, Kind::Skilled, true),
                Cast::Even => people.initiate(dice),
            }
        }
        for number in 0..degens {
            people.admit(dice, Kind::Degen, all_regular || number % 10 == 0);
            if cast == Cast::Even
                && let Some(person) = people.all.last_mut()
            {
                person.accuracy = 0.5;
            }
        }
        for _ in 0..wallets.saturating_sub(skilled + degens) {
            let kind = match dice.unit() {
                draw if draw < 0.15 => Kind::Favourite,
                draw if draw < 0.22 => Kind::Lottery,
                _ => Kind::Noise,
            };
            let regular = dice.chance(0.04);
            people.admit(dice, kind, all_regular || regular);
        }
        people
    }

    fn admit(&mut self, dice: &mut Dice, kind: Kind, regular: bool) {
        let (accuracy, typical_usd) = match kind {
            // At even odds 0.8 is an edge of 0.6 standard deviations a decision.
            Kind::Skilled => (dice.between(0.77, 0.85), dice.between(1_400.0, 4_200.0)),
            Kind::Degen => (dice.between(0.27, 0.37), dice.lognormal(160.0, 0.5)),
            Kind::Maker => (0.5, 0.0),
            // A few of the ignorant are rich: size is not skill.
            Kind::Noise => (0.5, dice.lognormal(60.0, 1.2).min(9_000.0)),
            Kind::Favourite => (0.5, dice.lognormal(220.0, 1.0).min(9_000.0)),
            Kind::Lottery => (0.5, dice.lognormal(25.0, 0.8)),
        };
        let id = self.all.len();
        self.all.push(Person { wallet: dice.wallet(), kind, accuracy, typical_usd, regular });
        match kind {
            Kind::Skilled => self.skilled.push(id),
            Kind::Degen => self.degens.push(id),
            Kind::Maker => self.makers.push(id),
            Kind::Noise => self.noise.push(id),
            Kind::Favourite => self.favourites.push(id),
            Kind::Lottery => self.lottery.push(id),
        }
        if kind == Kind::Degen && regular {
            self.regular_degens.push(id);
        }
    }

    /// Admits somebody who differs from the ignorant in knowledge alone.
    fn initiate(&mut self, dice: &mut Dice) {
        let id = self.all.len();
        self.admit(dice, Kind::Noise, true);
        // At even odds an edge of 0.14 to 0.38 standard deviations a decision.
        self.all[id].accuracy = dice.between(0.57, 0.69);
        self.skilled.push(id);
    }

    pub(crate) fn get(&self, id: usize) -> &Person {
        &self.all[id]
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn wallets(&self, ids: &[usize]) -> Vec<Wallet> {
        ids.iter().map(|id| self.all[*id].wallet).collect()
    }
}
