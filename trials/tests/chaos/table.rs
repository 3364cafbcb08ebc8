//! The table: the venue's catalogue of errors, its answers that look like success, its modes, its settlements, and what
//! a network does beside.

use devnet::{Mode, Settlement, SocketFaults, Trouble, VenueRoute};

use crate::row::{Comes, Happens, Row};

use Comes::{Either, Killed, Latches, Refused, Stops, Taken};
use Happens::{Meanwhile, Once, Refused as Says, Settles, Socket};

/// The reason by which the engine refuses entries while the venue takes nothing that matches at once.
const MODE: &str = "venue_mode";

const fn row(name: &'static str, happens: Happens, comes: Comes) -> Row {
    Row { name, happens, comes }
}

const fn says(status: u16, message: &'static str, comes: Comes) -> Row {
    Row { name: message, happens: Says(status, message), comes }
}

/// All rows.
pub(crate) const ROWS: &[Row] = &[
    // What is wrong with the configuration stops everything.
    says(400, "Invalid order payload", Latches),
    says(400, "the order owner has to be the owner of the API KEY", Latches),
    says(400, "the order signer address has to be the address of the API KEY", Latches),
    says(400, "invalid signature", Latches),
    says(400, "order_version_mismatch", Latches),
    says(400, "maker address not allowed, please use the deposit wallet flow", Latches),
    // What is wrong with the account stops entries.
    says(400, "'0x0000000000000000000000000000000000000001' address banned", Latches),
    says(400, "'0x0000000000000000000000000000000000000001' address in closed only mode", Latches),
    // What is wrong with one order ends one order.
    says(400, "order 0x00 is invalid. Price (0.123) breaks minimum tick size rule: 0.01", Refused),
    says(400, "order 0x00 is invalid. Size (1) lower than the minimum: 5", Refused),
    says(400, "invalid amount for a marketable BUY order ($0.5), min size: $1", Refused),
    says(400, "order 0x00 is invalid. Duplicated.", Either),
    says(
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 1, order amount: 2",
        Refused,
    ),
    says(400, "invalid expiration", Refused),
    says(400, "invalid post-only order: order crosses book", Refused),
    says(400, "order 0x00 crosses the book", Refused),
    says(400, "order couldn't be fully filled. FOK orders are fully filled or killed.", Killed),
    says(
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        Killed,
    ),
    says(400, "FOK orders are filled or killed", Killed),
    says(400, "there are no matching orders", Killed),
    says(400, "order match delayed due to market conditions", Either),
    says(400, "the market is not yet ready to process new orders", Refused),
    says(400, "order canceled in the CTF exchange contract", Refused),
    says(400, "order timed out", Either),
    says(
        400,
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals",
        Refused,
    ),
    says(400, "the trade contains rounding issues", Refused),
    says(400, "the price of the taker's order has a discrepancy greater than allowed", Refused),
    says(404, "market not found", Refused),
    says(400, "a sentence that nobody has written down", Refused),
    // Who we are is asked again once, and then everything stops.
    says(401, "Unauthorized/Invalid api key", Either),
    says(401, "Invalid L1 Request headers", Either),
    // What passes is waited for.
    row("425, once", Once(Trouble::Restarting), Either),
    row("429, Retry-After: 1", Once(Trouble::RateLimited(1)), Either),
    // Nobody knows.
    row("500 could not insert order, and it was not", Once(Trouble::ErrorBefore), Either),
    row("500 could not insert order, and yet it was", Once(Trouble::ErrorAfter), Taken),
    says(500, "Internal server error", Either),
    row("502 with a web page", Once(Trouble::Html), Either),
    row("no answer, and it never arrived", Once(Trouble::HangBefore), Either),
    row("no answer, and yet it arrived", Once(Trouble::HangAfter), Taken),
    row("the connection breaks, and it never arrived", Once(Trouble::CutBefore), Either),
    row("the connection breaks, and yet it arrived", Once(Trouble::CutAfter), Taken),
    row("half an answer", Once(Trouble::Half), Taken),
    row("the answer is three seconds late", Once(Trouble::Late(3_000)), Taken),
    row("it arrives three seconds late", Once(Trouble::Slow(3_000)), Either),
    row("it arrives ten seconds late, after we gave up", Once(Trouble::Slow(10_000)), Either),
    row("it arrives twice", Once(Trouble::Duplicated), Taken),
    row(
        "no answer, and no looking up either for a while",
        Meanwhile(
            Trouble::CutAfter,
            &[
                (VenueRoute::Order, Trouble::ErrorBefore),
                (VenueRoute::Trades, Trouble::Html),
                (VenueRoute::Orders, Trouble::Half),
            ],
        ),
        Taken,
    ),
    // What looks like success and is none, or the other way round.
    row(
        "200, success, and an errorMsg: not enough balance",
        Happens::Soft("not enough balance / allowance"),
        Refused,
    ),
    row(
        "200, success, and an errorMsg: post-only mode",
        Happens::Soft("post-only mode: only post-only orders are accepted"),
        Stops(MODE),
    ),
    row("200, and the id of another order", Once(Trouble::WrongOrderId), Taken),
    row("200, and no order id", Once(Trouble::MissingOrderId), Taken),
    row("statuses spelled as in the specification", Happens::Prefixed, Taken),
    // Modes of the whole venue.
    row("restarting for four seconds, then post-only", Happens::Mode(Mode::Restarting, 4_000), Stops(MODE)),
    row("503 post_only_mode", Happens::Mode(Mode::PostOnly, 60_000), Stops(MODE)),
    row("503 cancel-only", Happens::Mode(Mode::CancelOnly, 60_000), Stops(MODE)),
    row("503 trading is disabled", Happens::Mode(Mode::Disabled, 60_000), Stops(MODE)),
    // What becomes of a match.
    row("RETRYING twice, with another hash each time", Settles(Settlement::Retried(2)), Taken),
    row("FAILED", Settles(Settlement::Failed), Taken),
    // The channel of our orders.
    row(
        "nothing comes on the channel",
        Socket(SocketFaults { delay_ms: 0, missing: 1.0, duplicated: 0.0 }),
        Taken,
    ),
    row(
        "everything comes twice on the channel",
        Socket(SocketFaults { delay_ms: 0, missing: 0.0, duplicated: 1.0 }),
        Taken,
    ),
    row(
        "everything comes two seconds late on the channel",
        Socket(SocketFaults { delay_ms: 2_000, missing: 0.0, duplicated: 0.0 }),
        Taken,
    ),
    row("every socket is cut", Happens::Cut, Taken),
    // What a person would look at first still stands: an order that nothing happens to.
    row("nothing", Happens::Nothing, Taken),
];
