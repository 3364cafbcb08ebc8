//! Starts a private PostgreSQL in the folder given as the argument, prints its URL, and stops it when the
//! standard input ends.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use store::managed::{Durability, ManagedPostgres, ManagedSettings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let data_dir = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("usage: managed DATA_DIR")?;
    let settings = ManagedSettings {
        data_dir,
        durability: Durability::Throwaway,
    };
    let managed = ManagedPostgres::start(&settings).await?;
    writeln!(io::stdout(), "{}", managed.url("orderflow"))?;
    // The one thread of this program has nothing else to do meanwhile.
    io::stdin().read_to_end(&mut Vec::new())?;
    writeln!(io::stdout(), "{:?}", managed.stop().await?)?;
    Ok(())
}
