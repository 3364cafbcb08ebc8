//! What is asked: events of one to three markets, with words that read like the venue's, and how their
//! outcomes hang together.

use domain::Timestamp;

use super::dice::{Dice, whole};

/// A market before anybody trades it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) title: String,
    pub(crate) outcomes: [&'static str; 2],
    /// The probability of the first outcome when it opens.
    pub(crate) probability: f64,
    /// Whether the first outcome will win.
    pub(crate) first_wins: bool,
}

/// Questions that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) title: String,
    pub(crate) category: Category,
    /// Whether at most one of the questions can come true, settled by the neg-risk contracts.
    pub(crate) neg_risk: bool,
    pub(crate) questions: Vec<Question>,
}

/// A category, with the taker fee the venue takes in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Crypto,
    Sports,
    Politics,
    Economics,
    Tech,
    Geopolitics,
}

impl Category {
    pub(crate) const fn slug(self) -> &'static str {
        match self {
            Self::Crypto => "crypto",
            Self::Sports => "sports",
            Self::Politics => "politics",
            Self::Economics => "economics",
            Self::Tech => "tech",
            Self::Geopolitics => "geopolitics",
        }
    }

    /// The fee's rate in parts per million.
    pub(crate) const fn fee_rate_ppm(self) -> u32 {
        match self {
            Self::Crypto => 70_000,
            Self::Sports | Self::Economics => 50_000,
            Self::Politics | Self::Tech => 40_000,
            Self::Geopolitics => 0,
        }
    }
}

const YES_NO: [&str; 2] = ["Yes", "No"];
const COINS: [(&str, f64); 5] =
    [("Bitcoin", 98_000.0), ("Ethereum", 3_400.0), ("Solana", 180.0), ("XRP", 2.4), ("Dogecoin", 0.31)];
const TEAMS: [&str; 20] = [
    "Boston",
    "Denver",
    "Milwaukee",
    "Phoenix",
    "Dallas",
    "Miami",
    "Toronto",
    "Memphis",
    "Atlanta",
    "Chicago",
    "Seattle",
    "Houston",
    "Detroit",
    "Portland",
    "Orlando",
    "Utah",
    "Cleveland",
    "Indiana",
    "Oakland",
    "Brooklyn",
];
const RACES: [&str; 10] = [
    "the Ashford by-election",
    "the Ohio Senate recount",
    "the Lisbon mayoral race",
    "the Kansas governor race",
    "the Porto Alegre runoff",
    "the Victoria state election",
    "the party leadership vote",
    "the Bavarian state election",
    "the speaker vote",
    "the Montréal mayoral race",
];
const CANDIDATES: [&str; 3] = ["the incumbent", "the challenger", "an independent"];
const REGIONS: [&str; 6] =
    ["the Red Sea", "the South Caucasus", "the Sahel", "the Strait of Hormuz", "the Black Sea", "Kivu"];
const FIRMS: [&str; 8] = ["NVIDIA", "Apple", "Microsoft", "Alphabet", "Meta", "Tesla", "Amazon", "Broadcom"];

impl Event {
    /// Some event whose questions will be answered at `closes`.
    pub(crate) fn draw(dice: &mut Dice, closes: Timestamp) -> Self {
        let date = date(closes);
        match dice.unit() {
            draw if draw < 0.28 => coin_levels(dice, &date),
            draw if draw < 0.36 => coin_direction(dice, closes),
            draw if draw < 0.58 => game(dice),
            draw if draw < 0.76 => race(dice),
            draw if draw < 0.86 => statistic(dice, &date),
            draw if draw < 0.92 => launch(dice, &date),
            _ => region(dice, &date),
        }
    }
}

/// A probability as markets open with: mostly undecided, sometimes nearly settled.
fn opening(dice: &mut Dice) -> f64 {
    if dice.chance(0.22) {
        let sure = dice.between(0.80, 0.94);
        if dice.chance(0.5) { sure } else { 1.0 - sure }
    } else {
        dice.between(0.30, 0.70)
    }
}

fn single(dice: &mut Dice, category: Category, title: String, outcomes: [&'static str; 2]) -> Event {
    let probability = opening(dice);
    let first_wins = dice.chance(probability);
    let question = Question { title: title.clone(), outcomes, probability, first_wins };
    Event { title, category, neg_risk: false, questions: vec![question] }
}

/// Levels of one quantity: what is above the higher level is above the lower one too, so one draw decides all.
fn levels(dice: &mut Dice, category: Category, title: String, ask: impl Fn(usize) -> String) -> Event {
    let number = 1 + dice.below(3);
    let mut probability = dice.between(0.45, 0.80);
    let draw = dice.unit();
    let mut questions = Vec::with_capacity(number);
    for level in 0..number {
        let first_wins = draw < probability;
        questions.push(Question { title: ask(level), outcomes: YES_NO, probability, first_wins });
        probability *= dice.between(0.55, 0.80);
    }
    Event { title, category, neg_risk: false, questions }
}

fn coin_levels(dice: &mut Dice, date: &str) -> Event {
    let (coin, around) = COINS[dice.below(COINS.len())];
    let base = around * dice.between(0.85, 1.15);
    levels(dice, Category::Crypto, format!("{coin} above ___ on {date}?"), |level| {
        let step = [0.98, 1.0, 1.02][level.min(2)];
        format!("Will {coin} be above {} on {date}?", dollars(base * step))
    })
}

fn coin_direction(dice: &mut Dice, closes: Timestamp) -> Event {
    let (coin, _) = COINS[dice.below(COINS.len())];
    let moment = closes.to_offset_date_time();
    let title = format!(
        "{coin} Up or Down - {}, {:02}:{:02}:{:02} UTC",
        date(closes),
        moment.hour(),
        moment.minute(),
        moment.second()
    );
    single(dice, Category::Crypto, title, ["Up", "Down"])
}

fn game(dice: &mut Dice) -> Event {
    let home = dice.below(TEAMS.len());
    let away = (home + 1 + dice.below(TEAMS.len() - 1)) % TEAMS.len();
    let (home, away) = (TEAMS[home], TEAMS[away]);
    let mut event = single(dice, Category::Sports, format!("{home} vs. {away}"), [home, away]);
    if dice.chance(0.5) {
        let total = whole(dice.between(205.0, 238.0));
        let title = format!("{home} vs. {away}: O/U {total}.5");
        event.questions.append(&mut single(dice, Category::Sports, title, ["Over", "Under"]).questions);
    }
    event
}

/// At most one candidate wins; the rest of the probability is somebody else's.
fn race(dice: &mut Dice) -> Event {
    let race = RACES[dice.below(RACES.len())];
    let number = 2 + dice.below(2);
    let mut shares: Vec<f64> = (0..=number).map(|_| dice.between(0.25, 1.0)).collect();
    // Whoever is not named is the smallest.
    shares[number] *= 0.3;
    let total: f64 = shares.iter().sum();
    let draw = dice.unit();
    let mut below = 0.0;
    let questions = CANDIDATES[..number]
        .iter()
        .zip(&shares)
        .map(|(candidate, share)| {
            let probability = share / total;
            let first_wins = (below..below + probability).contains(&draw);
            below += probability;
            Question {
                title: format!("Will {candidate} win {race}?"),
                outcomes: YES_NO,
                probability,
                first_wins,
            }
        })
        .collect();
    Event { title: format!("Who will win {race}?"), category: Category::Politics, neg_risk: true, questions }
}

fn statistic(dice: &mut Dice, date: &str) -> Event {
    let name = ["US CPI", "US unemployment", "Euro area inflation", "the 10-year yield"][dice.below(4)];
    let base = dice.between(1.9, 4.6);
    levels(dice, Category::Economics, format!("{name} on {date}?"), |level| {
        let offset = [0.0, 0.1, 0.2][level.min(2)];
        format!("Will {name} come in above {:.1}% on {date}?", base + offset)
    })
}

fn launch(dice: &mut Dice, date: &str) -> Event {
    let firm = FIRMS[dice.below(FIRMS.len())];
    let title = if dice.chance(0.5) {
        format!("Will {firm} be the largest company on {date}?")
    } else {
        format!("Will {firm} announce a new model by {date}?")
    };
    single(dice, Category::Tech, title, YES_NO)
}

fn region(dice: &mut Dice, date: &str) -> Event {
    let region = REGIONS[dice.below(REGIONS.len())];
    let title = if dice.chance(0.5) {
        format!("Ceasefire in {region} by {date}?")
    } else {
        format!("Will talks on {region} resume by {date}?")
    };
    single(dice, Category::Geopolitics, title, YES_NO)
}

fn date(moment: Timestamp) -> String {
    let moment = moment.to_offset_date_time();
    format!("{} {}", moment.month(), moment.day())
}

/// Three significant digits, thousands apart, as a headline has them.
fn dollars(amount: f64) -> String {
    if amount < 10.0 {
        return format!("${amount:.2}");
    }
    let step = if amount < 1_000.0 { 1.0 } else { 10f64.powf(amount.log10().floor() - 2.0) };
    let whole = whole((amount / step).round() * step);
    if whole < 1_000 { format!("${whole}") } else { format!("${},{:03}", whole / 1_000, whole % 1_000) }
}

/// A title as it stands in a web address.
pub(crate) fn slug(title: &str) -> String {
    let mut slug = String::with_capacity(title.len());
    for letter in title.to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches('-').to_owned()
}
