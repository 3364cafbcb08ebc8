//! Who may have to be looked at between two passes: some of those with news, which stays their news.

use domain::Wallet;

use super::History;

impl History {
    /// Those in memory who have changed since the last pass.
    pub fn with_news(&self) -> impl Iterator<Item = Wallet> {
        let wallet = |shard: &super::Shard, number: u32| shard.people[number].record.wallet;
        self.shards
            .iter()
            .flat_map(move |shard| shard.changed().iter().map(move |number| wallet(shard, *number)))
    }

    /// Those of them whose verdict may matter before the next pass: who has decisions enough to be rated, and who is
    /// `wanted` in any case.
    pub fn urgent(&self, wanted: impl Fn(Wallet) -> bool) -> Vec<Wallet> {
        let mut urgent = Vec::new();
        for shard in &self.shards {
            let news = shard.changed().iter().map(|number| &shard.people[*number].record);
            let is_urgent = |wallet, decisions| self.eligibility.decisions <= decisions || wanted(wallet);
            urgent.extend(
                news.filter(|record| is_urgent(record.wallet, record.decisions)).map(|record| record.wallet),
            );
        }
        urgent.sort_unstable();
        urgent
    }

    /// Those of them whom a result has paid, with a dollar a share or with nothing, since the last pass or since that
    /// was last forgotten.
    pub fn with_results(&self) -> impl Iterator<Item = Wallet> {
        self.shards.iter().flat_map(|shard| {
            let news = shard.changed().iter().map(|number| &shard.people[*number].record);
            news.filter(|record| record.is_paid).map(|record| record.wallet)
        })
    }

    /// Forgets who was paid; what they were paid stays.
    pub fn forget_results(&mut self) {
        for shard in &mut self.shards {
            for place in 0..shard.changed().len() {
                let number = shard.changed()[place];
                shard.people[number].record.is_paid = false;
            }
        }
    }
}
