//! The steps from a decision to its settlement, and how the executor is caught at each.

use std::collections::BTreeSet;
use std::time::Duration;

use devnet::{Settlement, TradeStatus, Trouble, VenueFault, VenueRoute};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use sqlx::{Postgres, Transaction};
use store::controls;
use tokio::time::sleep;

use crate::landing::Landings;
use crate::scene::Scene;

/// A step to be killed at.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// What holds it up there.
    hold: Hold,
    /// When it has come there.
    moment: Moment,
}

/// What holds a step up.
enum Hold {
    Nothing,
    /// Something that happens to requests of a route.
    Trouble(&'static [(VenueRoute, Trouble)]),
    /// What becomes of the next match.
    Settlement(Settlement),
    /// Nobody writes to this table meanwhile.
    Table(&'static str),
    /// A person has everything sold, and the order to sell meets this.
    Sale(Trouble),
    /// A person has everything sold, and half of all settlements fail.
    FailingSale,
}

/// A moment.
enum Moment {
    /// Any.
    Chance,
    /// A writer waits for the table.
    Writes(&'static str),
    /// An order more is committed.
    Committed,
    /// The venue has an order more.
    Arrived,
    /// A match of this kind is new at the venue.
    Trade(TradeStatus),
    /// The same, and the books have it as it was before.
    Known(TradeStatus),
    /// An order more is final.
    Final,
    /// The settlement of a sale has failed at the venue.
    TakenBack,
}

use Hold::{Sale, Table, Trouble as Meets};
use VenueRoute::{Book, Cancel, Order, PlaceOrder, Trades};

/// All of them, in the order in which an order comes to them.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "any moment", hold: Hold::Nothing, moment: Moment::Chance },
    Step {
        name: "while its book is read",
        hold: Meets(&[(Book, Trouble::HangBefore)]),
        moment: Moment::Chance,
    },
    Step {
        name: "before the signal is written",
        hold: Table("orderflow_signals"),
        moment: Moment::Writes("orderflow_signals"),
    },
    Step {
        name: "signed, before the intent is committed",
        hold: Table("orderflow_signed_orders"),
        moment: Moment::Writes("orderflow_signed_orders"),
    },
    Step {
        name: "committed, just before or after it is sent",
        hold: Hold::Nothing,
        moment: Moment::Committed,
    },
    Step {
        name: "sent, and it never arrives",
        hold: Meets(&[(PlaceOrder, Trouble::HangBefore)]),
        moment: Moment::Committed,
    },
    Step {
        name: "sent, and it arrives after the kill",
        hold: Meets(&[(PlaceOrder, Trouble::Slow(1_500))]),
        moment: Moment::Committed,
    },
    Step {
        name: "sent, and it arrives long after the kill",
        hold: Meets(&[(PlaceOrder, Trouble::Slow(6_000))]),
        moment: Moment::Committed,
    },
    Step {
        name: "arrived, before the answer",
        hold: Meets(&[(PlaceOrder, Trouble::HangAfter)]),
        moment: Moment::Arrived,
    },
    Step {
        name: "arrived twice, before the answer",
        hold: Meets(&[(PlaceOrder, Trouble::Duplicated), (Order, Trouble::HangBefore)]),
        moment: Moment::Arrived,
    },
    Step {
        name: "in doubt, while it is looked up",
        hold: Meets(&[(PlaceOrder, Trouble::CutAfter), (Order, Trouble::HangBefore)]),
        moment: Moment::Arrived,
    },
    Step {
        name: "in doubt, before it is sent again",
        hold: Meets(&[(PlaceOrder, Trouble::ErrorBefore)]),
        moment: Moment::Committed,
    },
    Step {
        name: "before a match is written",
        hold: Table("orderflow_executions"),
        moment: Moment::Writes("orderflow_executions"),
    },
    Step {
        name: "before a position is written",
        hold: Table("orderflow_positions"),
        moment: Moment::Writes("orderflow_positions"),
    },
    Step { name: "matched", hold: Hold::Nothing, moment: Moment::Trade(TradeStatus::Matched) },
    Step {
        name: "matched, while trades are read",
        hold: Meets(&[
            (Trades, Trouble::HangBefore),
            (Order, Trouble::HangAfter),
            (Cancel, Trouble::HangBefore),
        ]),
        moment: Moment::Trade(TradeStatus::Matched),
    },
    Step {
        name: "while the settlement is tried again",
        hold: Hold::Settlement(Settlement::Retried(3)),
        moment: Moment::Known(TradeStatus::Retrying),
    },
    Step {
        name: "when the settlement has failed",
        hold: Hold::Settlement(Settlement::Failed),
        moment: Moment::Trade(TradeStatus::Failed),
    },
    Step { name: "in a block", hold: Hold::Nothing, moment: Moment::Trade(TradeStatus::Mined) },
    Step { name: "confirmed", hold: Hold::Nothing, moment: Moment::Trade(TradeStatus::Confirmed) },
    Step { name: "final", hold: Hold::Nothing, moment: Moment::Final },
    Step { name: "while it is sold", hold: Sale(Trouble::HangAfter), moment: Moment::Arrived },
    Step { name: "before its sale arrives", hold: Sale(Trouble::HangBefore), moment: Moment::Committed },
    Step {
        name: "when the settlement of its sale has failed",
        hold: Hold::FailingSale,
        moment: Moment::TakenBack,
    },
];

/// What there was before.
struct Before {
    signed: i64,
    arrived: usize,
    finals: i64,
    trades: usize,
}

impl Step {
    /// Lets the executor trade until it is there, and kills it; what was on its way then.
    pub(crate) async fn play(
        &self,
        scene: &mut Scene,
        dice: &mut ChaCha8Rng,
        landings: &mut Landings,
    ) -> BTreeSet<String> {
        let mut closed = None::<Transaction<'static, Postgres>>;
        match &self.hold {
            Hold::Nothing => {}
            Hold::Trouble(troubles) => add(scene, troubles),
            Hold::Settlement(settlement) => scene.venue.plan_settlements([*settlement]),
            Hold::Table(_) => scene.run(true).await,
            Hold::Sale(trouble) => {
                scene.run(true).await;
                scene.until("something to sell", async |scene| is_holding(scene).await).await;
                add(scene, &[(PlaceOrder, trouble.clone())]);
                controls::request_close(&mut scene.store.connection().await.unwrap(), None).await.unwrap();
            }
            Hold::FailingSale => {
                scene.run(true).await;
                scene.until("something to sell", async |scene| is_holding(scene).await).await;
                scene.venue.set_settlement_luck(0.0, 0.5);
            }
        }
        let before = Before::of(scene).await;
        if let Hold::Table(table) = self.hold {
            closed = Some(close(scene, table).await);
        }
        scene.run(true).await;
        match self.moment {
            Moment::Chance => sleep(Duration::from_millis(dice.random_range(100..4_000))).await,
            Moment::Writes(table) => {
                scene.until(self.name, async |scene| is_waited_for(scene, table).await).await;
            }
            Moment::Committed => {
                scene.until(self.name, async |scene| before.signed < signed(scene).await).await;
            }
            Moment::Arrived => {
                scene.until(self.name, async |scene| before.arrived < scene.truth().orders.len()).await;
            }
            Moment::Trade(status) => {
                scene.until(self.name, async |scene| before.has_new(scene, status)).await;
            }
            Moment::Known(status) => {
                scene
                    .until(self.name, async |scene| {
                        before.has_new(scene, status) && is_provisional(scene).await
                    })
                    .await;
            }
            Moment::Final => {
                scene.until(self.name, async |scene| before.finals < finals(scene).await).await;
            }
            Moment::TakenBack => {
                scene
                    .until(self.name, async |scene| {
                        sell_what_is_held(scene).await;
                        before.has_sale_taken_back(scene).await
                    })
                    .await;
            }
        }
        // Somewhere within the next milliseconds, so that not always the same instruction is met.
        sleep(Duration::from_micros(dice.random_range(0..5_000))).await;
        scene.kill().await;
        let struck = landings.note(scene).await;
        if let Some(closed) = closed {
            closed.rollback().await.unwrap();
        }
        scene.venue.lift_faults();
        scene.venue.set_settlement_luck(0.0, 0.0);
        struck
    }
}

impl Before {
    async fn of(scene: &Scene) -> Self {
        let truth = scene.truth();
        Self {
            signed: signed(scene).await,
            arrived: truth.orders.len(),
            finals: finals(scene).await,
            trades: truth.trades.len(),
        }
    }

    fn has_new(&self, scene: &Scene, status: TradeStatus) -> bool {
        scene.truth().trades.iter().skip(self.trades).any(|(_, found, _)| *found == status)
    }

    async fn has_sale_taken_back(&self, scene: &Scene) -> bool {
        if !self.has_new(scene, TradeStatus::Failed) {
            return false;
        }
        let sold: Vec<String> = sqlx::query_scalar(
            "SELECT e.trade_id FROM orderflow_executions e JOIN orderflow_orders o ON o.id = e.order_id
             WHERE o.side = 'SELL'",
        )
        .fetch_all(&scene.pool)
        .await
        .unwrap();
        let truth = scene.truth();
        truth
            .trades
            .iter()
            .skip(self.trades)
            .any(|(id, found, _)| *found == TradeStatus::Failed && sold.contains(id))
    }
}

fn add(scene: &Scene, troubles: &[(VenueRoute, Trouble)]) {
    for (route, trouble) in troubles {
        scene.venue.add_fault(VenueFault { route: Some(*route), trouble: trouble.clone(), times: None });
    }
}

async fn signed(scene: &Scene) -> i64 {
    number(scene, "SELECT count(*) FROM orderflow_signed_orders").await
}

async fn finals(scene: &Scene) -> i64 {
    number(scene, "SELECT count(*) FROM orderflow_orders WHERE is_final AND matched_shares > 0").await
}

async fn is_holding(scene: &Scene) -> bool {
    number(scene, "SELECT count(*) FROM orderflow_positions WHERE status = 'OPEN'").await > 0
}

/// A person wants everything sold, whenever there is something that nobody wanted sold yet.
async fn sell_what_is_held(scene: &Scene) {
    let held =
        "SELECT count(*) FROM orderflow_positions p LEFT JOIN orderflow_exits x ON x.position_id = p.id
                WHERE p.status = 'OPEN' AND x.reason IS NULL";
    let mut connection = scene.store.connection().await.unwrap();
    if number(scene, held).await > 0 && controls::wishes(&mut connection).await.unwrap().1.is_empty() {
        controls::request_close(&mut connection, None).await.unwrap();
    }
}

async fn is_provisional(scene: &Scene) -> bool {
    number(scene, "SELECT count(*) FROM orderflow_executions WHERE status = 'MATCHED'").await > 0
}

async fn number(scene: &Scene, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&scene.pool).await.unwrap()
}

/// Whoever writes to the table waits until this is rolled back.
async fn close(scene: &Scene, table: &'static str) -> Transaction<'static, Postgres> {
    let mut transaction = scene.pool.begin().await.unwrap();
    let lock = match table {
        "orderflow_signals" => "LOCK TABLE orderflow_signals IN SHARE ROW EXCLUSIVE MODE",
        "orderflow_signed_orders" => "LOCK TABLE orderflow_signed_orders IN SHARE ROW EXCLUSIVE MODE",
        "orderflow_executions" => "LOCK TABLE orderflow_executions IN SHARE ROW EXCLUSIVE MODE",
        "orderflow_positions" => "LOCK TABLE orderflow_positions IN SHARE ROW EXCLUSIVE MODE",
        other => panic!("{other} is no table that is closed"),
    };
    sqlx::query(lock).execute(&mut *transaction).await.unwrap();
    transaction
}

async fn is_waited_for(scene: &Scene, table: &'static str) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass)")
        .bind(table)
        .fetch_one(&scene.pool)
        .await
        .unwrap()
}
