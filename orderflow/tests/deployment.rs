//! What `compose.yaml` hands to the containers is what the services can be told: a limit that somebody sets in `.env` must
//! not be lost on the way.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the file sets by itself, and what a container has no use for.
const OWN: [&str; 2] = ["DATABASE_URL", "ORDERFLOW_DATA_DIR"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The variables that a service's example names, which another test holds against its settings.
fn settings(service: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(service).join(".env.example")).unwrap();
    let named =
        text.lines().filter_map(|line| line.strip_prefix("# ")?.split_once('=')).map(|(name, _)| name);
    let is_variable = |name: &&str| {
        name.chars().all(|letter| letter.is_ascii_uppercase() || "_0123456789".contains(letter))
    };
    named.filter(is_variable).filter(|name| !OWN.contains(name)).map(ToOwned::to_owned).collect()
}

/// The variables that a service's container gets as they are set, by the indentation of the file.
fn handed_on(service: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let of_service = text.lines().skip_while(|line| *line != format!("  {service}:")).skip(1);
    let of_service = of_service.take_while(|line| line.starts_with("   ") || line.is_empty());
    let environment = of_service.skip_while(|line| *line != "    environment:").skip(1);
    let environment = environment.take_while(|line| line.starts_with("      "));
    environment.filter_map(|line| line.trim().strip_suffix(':')).map(ToOwned::to_owned).collect()
}

#[test]
fn every_setting_reaches_its_container() {
    for service in ["listener", "reputation", "executor"] {
        let known = settings(&format!("orderflow-{service}"));
        assert!(8 <= known.len(), "{service}: {known:?}");
        assert_eq!(handed_on(service), known, "the variables of {service} in compose.yaml");
    }
}
