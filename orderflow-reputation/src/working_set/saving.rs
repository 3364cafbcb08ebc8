//! Saving what changed, with the place it is known up to.

use decision::reputation::{SavedWallet, WalletPosition};
use store::scores::HeldShares;
use store::states::{self, Reached, Saving, Standing, WalletState, WorldKey};
use store::{PgConnection, Store, audit};

use super::{PAGE, QUESTION, WORLD, WorkingSet};

impl WorkingSet {
    /// Saves what changed, in a transaction of its own.
    pub(crate) async fn save(&mut self) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        self.save_within(&mut transaction).await?;
        Store::commit(transaction).await?;
        Ok(())
    }

    /// Saves what changed. If the transaction fails, what is in memory is of no use any more.
    pub(crate) async fn save_within(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let saving = self.begin_save(connection).await?;
        self.save_wallets(connection, &saving).await?;
        self.end_save(connection, saving).await
    }

    /// Begins a save of what changes from now on until it is ended, with everybody who is forgotten in between.
    pub(crate) async fn begin_save(&self, connection: &mut PgConnection) -> anyhow::Result<Saving> {
        // Without an audit nothing is ever confirmed, and everything is taken as it is.
        let confirmed = audit::place(connection).await?.map_or(u64::MAX, |place| place.number);
        let Standing { seq, block, is_behind, .. } = self.standing;
        // What the audit has found missing on its way there is not taken in yet.
        let unseen = states::changed_from(connection, seq, i64::MAX).await?;
        let settled = unseen.map_or(confirmed, |height| confirmed.min(u64::try_from(height).unwrap_or(0)));
        Ok(states::begin_save(connection, Reached { seq, block, is_behind, settled }).await?)
    }

    /// Saves the wallets in memory that changed.
    pub(crate) async fn save_wallets(
        &mut self,
        connection: &mut PgConnection,
        saving: &Saving,
    ) -> anyhow::Result<()> {
        let held: Vec<HeldShares> = self.history.moved().into_iter().map(held_of).collect();
        for held in held.chunks(PAGE) {
            saving.held(connection, held).await?;
        }
        let mut changed = self.history.changed().map(state_of);
        loop {
            let page: Vec<WalletState> = changed.by_ref().take(PAGE).collect();
            if page.is_empty() {
                return Ok(());
            }
            saving.wallets(connection, &page).await?;
        }
    }

    /// Saves what is everybody's, and ends a save.
    pub(crate) async fn end_save(
        &mut self,
        connection: &mut PgConnection,
        saving: Saving,
    ) -> anyhow::Result<()> {
        let mut questions = self.history.changed_questions();
        loop {
            let page =
                questions.by_ref().take(PAGE).map(|(number, bytes)| ((QUESTION, i64::from(number)), bytes));
            let page: Vec<(WorldKey, Vec<u8>)> = page.collect();
            if page.is_empty() {
                break;
            }
            saving.world(connection, &page).await?;
        }
        drop(questions);
        saving.world(connection, &[((WORLD, 0), self.history.save_world())]).await?;
        self.standing.save = saving.end(connection).await?;
        self.unsaved = 0;
        Ok(())
    }
}

fn held_of(position: WalletPosition) -> HeldShares {
    HeldShares {
        wallet: position.wallet,
        token: position.token,
        shares: position.holding.shares,
        cost: position.holding.cost,
        realized: position.holding.realized,
    }
}

fn state_of(saved: SavedWallet) -> WalletState {
    WalletState {
        wallet: saved.wallet,
        bytes: saved.bytes,
        wake: saved.wake,
        fades: saved.fades,
        is_due: saved.is_due,
        decisions: saved.decisions,
        tokens: saved.tokens,
    }
}
