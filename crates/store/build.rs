//! Compiles anew when a migration changes: the files are embedded.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
