//! The rules of the design that manifests and files can be asked about.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may know whom, lowest first. `ARCHITECTURE.md` says why.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("decision", &["domain"]),
    ("store", &["domain"]),
    ("polygon", &["domain"]),
    ("polymarket", &["domain"]),
    ("devnet", &["domain", "polygon", "polymarket"]),
    ("service", &["domain", "store"]),
    ("orderflow-listener", &["domain", "polygon", "polymarket", "service", "store"]),
    ("orderflow-reputation", &["decision", "domain", "service", "store"]),
    ("orderflow-executor", &["decision", "domain", "polymarket", "service", "store"]),
    (
        "orderflow",
        &[
            "decision",
            "devnet",
            "domain",
            "orderflow-executor",
            "orderflow-listener",
            "orderflow-reputation",
            "polygon",
            "polymarket",
            "service",
            "store",
        ],
    ),
    (
        "trials",
        &[
            "decision",
            "devnet",
            "domain",
            "orderflow-executor",
            "orderflow-listener",
            "orderflow-reputation",
            "polygon",
            "polymarket",
            "service",
            "store",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn folder(package: &str) -> PathBuf {
    let root = root();
    let is_library = root.join("crates").join(package).is_dir();
    if is_library { root.join("crates").join(package) } else { root.join(package) }
}

fn manifest(folder: &Path) -> toml::Table {
    fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

fn sources(package: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut folders = vec![folder(package).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn every_member_of_the_workspace_has_its_arrows() {
    let workspace = manifest(&root());
    let members: BTreeSet<String> = workspace["workspace"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member.as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    let known: BTreeSet<String> = ARROWS.iter().map(|(package, _)| (*package).to_owned()).collect();
    assert_eq!(members, known);
}

#[test]
fn no_arrow_runs_up_or_across() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(package, _)| *package).collect();
    for (package, allowed) in ARROWS {
        let manifest = manifest(&folder(package));
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            for name in dependencies.keys().filter(|name| ours.contains(name.as_str())) {
                assert!(allowed.contains(&name.as_str()), "{package} must not know {name} ({section})");
            }
        }
    }
}

#[test]
fn every_crate_is_under_the_workspaces_lints() {
    for (package, _) in ARROWS {
        let manifest = manifest(&folder(package));
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{package}");
    }
}

#[test]
fn the_pure_crates_do_no_io() {
    for package in ["domain", "decision"] {
        for (path, text) in sources(package) {
            for word in ["std::fs", "std::net", "std::process", "std::env", "tokio", "async fn"] {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}

#[test]
fn all_sql_is_in_the_store() {
    for (package, _) in ARROWS.iter().filter(|(package, _)| *package != "store") {
        for (path, text) in sources(package) {
            for word in ["sqlx::", "SELECT ", "INSERT INTO", "UPDATE orderflow"] {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}

#[test]
fn all_event_abis_are_in_polygon() {
    for (package, _) in ARROWS.iter().filter(|(package, _)| *package != "polygon") {
        for (path, text) in sources(package) {
            // What is signed off the chain may be declared elsewhere; what the chain logs may not.
            let declares = text.lines().any(|line| line.trim_start().starts_with("event "));
            assert!(!(text.contains("sol!") && declares), "{}", path.display());
        }
    }
}

/// Domain types have no wire form: each border owns its own.
#[test]
fn the_domain_derives_no_serialisation() {
    for (path, text) in sources("domain") {
        for word in ["serde", "sqlx", "Serialize"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}
