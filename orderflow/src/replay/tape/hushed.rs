//! A call whose panics are not written to standard error, because what they say is said better behind it.

use std::cell::Cell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is in such a call.
    static IS_HUSHED: Cell<bool> = const { Cell::new(false) };
}

/// Does something that may panic, of which nobody hears but whoever catches it. Panics anywhere else are written as
/// ever, those of other threads at the same time included.
pub(super) fn hushed<T>(work: impl FnOnce() -> T) -> T {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_HUSHED.get() {
                others(panic);
            }
        }));
    });
    let _end = Hush(IS_HUSHED.replace(true));
    work()
}

/// Ends the silence, also where the work panics; holds what it was before.
struct Hush(bool);

impl Drop for Hush {
    fn drop(&mut self) {
        IS_HUSHED.set(self.0);
    }
}
