//! How long the executor's recording is kept.

use domain::Timestamp;
use store::recording::{self, Step};
use store::testing::TestDatabase;
use store::{Store, retention};

/// What is older goes a few rows at a time, and what is not stays; nobody else lets anything go.
#[tokio::test]
async fn old_steps_go_and_only_so() {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    let steps: Vec<_> = (0..10).map(|second| (Timestamp::from_seconds(second), Step::Tick)).collect();
    recording::write(&mut store.connection().await.unwrap(), &steps).await.unwrap();
    let drop_steps = async |before, most| {
        let mut transaction = store.begin().await.unwrap();
        let gone =
            retention::drop_steps(&mut transaction, Timestamp::from_seconds(before), most).await.unwrap();
        Store::commit(transaction).await.unwrap();
        gone
    };
    assert_eq!([drop_steps(7, 5).await, drop_steps(7, 5).await, drop_steps(7, 5).await], [5, 2, 0]);
    let kept = recording::read(&mut store.connection().await.unwrap(), 0, 100).await.unwrap();
    assert_eq!(kept.iter().map(|one| one.at).collect::<Vec<_>>(), [7, 8, 9].map(Timestamp::from_seconds));
    let error = sqlx::query("DELETE FROM orderflow_steps").execute(&database.pool()).await.unwrap_err();
    assert!(error.to_string().contains("kept"), "{error}");
}
