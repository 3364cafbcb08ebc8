//! The `.env.example` beside this service is what its settings say.

use clap::CommandFactory as _;
use orderflow_reputation::ServiceSettings;
use service::settings::env_example;

#[test]
fn the_example_is_what_the_settings_say() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");
    let expected = env_example(&ServiceSettings::command());
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(file, &expected).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(found, expected, "run the test with UPDATE_EXAMPLES=1 to write the file anew");
}
