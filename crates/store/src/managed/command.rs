use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::error::ManagedError;

/// How long a program may be busy before it is an error.
const BUSY: Duration = Duration::from_secs(2);

/// How often a child that runs is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Runs one of PostgreSQL's programs to its end and returns what it said on both streams.
///
/// # Errors
///
/// It cannot be started, it ends with an error, or it outlives `deadline` and is ended.
pub(super) fn run(command: &mut Command, deadline: Duration) -> Result<String, ManagedError> {
    let program = Path::new(command.get_program()).to_owned();
    let failed = |source| ManagedError::Run { program: program.clone(), source };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command).map_err(failed)?;
    // Both streams are read aside, or a talkative child would block on a full pipe.
    let said = [child.stdout.take().map(drain), child.stderr.take().map(drain)];
    let status = wait(&mut child, deadline).map_err(failed)?;
    if status.is_none() {
        // It ended by itself in between: then there is nothing to end, and that is as good.
        let _ = child.kill();
        child.wait().map_err(failed)?;
    }
    let output = said.into_iter().flatten().filter_map(|stream| stream.join().ok()).collect::<String>();
    let output = output.trim().to_owned();
    match status {
        Some(status) if status.success() => Ok(output),
        Some(status) => Err(ManagedError::Failed { program, status, output }),
        None => Err(ManagedError::Stalled { program, deadline, output }),
    }
}

/// A program that was just downloaded is busy for as long as a child that another thread is starting holds a
/// copy of the descriptor it was written through.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let begin = Instant::now();
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && begin.elapsed() < BUSY => {
                thread::sleep(LOOK);
            }
            result => return result,
        }
    }
}

fn wait(child: &mut Child, deadline: Duration) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        let status = child.try_wait()?;
        if status.is_some() || begin.elapsed() > deadline {
            return Ok(status);
        }
        thread::sleep(LOOK);
    }
}

fn drain(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until the error is what there is to show.
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
