"""The official Python client, unchanged, on the simulated venue: every kind of wallet on every kind of market."""

import json
import os
import sys
import time
import urllib.request

from eth_account import Account
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderArgsV2,
    OrderMarketCancelParams,
    OrderPayload,
    OrderType,
    PostOrdersV2Args,
    TradeParams,
)

CLOB = os.environ["CLOB_URL"]
GAMMA = os.environ["GAMMA_URL"]
KINDS = {0: "eoa", 1: "proxy", 2: "safe", 3: "poly1271"}
PATIENCE = 90


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.load(answer)


def pick(kind):
    """An open market of that kind, without a taker's delay, that will live for a while; its tokens."""
    best = None
    for market in ask(f"{GAMMA}/markets/keyset?limit=100")["markets"]:
        if market["closed"] or not market["acceptingOrders"]:
            continue
        is_v2 = market.get("version") == "v2"
        found = "v3" if is_v2 else "neg-risk" if market.get("negRisk") else "standard"
        if found != kind or market.get("secondsDelay"):
            continue
        tokens = market["positionIds"] if is_v2 else json.loads(market["clobTokenIds"])
        book = ask(f"{CLOB}/book?token_id={tokens[0]}")
        bid, ask_price = float(book["bids"][-1]["price"]), float(book["asks"][-1]["price"])
        if not 0.15 <= bid <= ask_price <= 0.85:
            continue
        if best is None or market["endDate"] > best[0]:
            best = (market["endDate"], tokens, market["conditionId"])
    if best is None:
        return None
    return best[1], best[2] if best[2].startswith("0x") and len(best[2]) == 66 else best[2] + "00"


def wait_for(kind):
    begun = time.time()
    while time.time() - begun < PATIENCE:
        market = pick(kind)
        if market:
            return market
        time.sleep(1)
    raise AssertionError(f"no open {kind} market")


def asset(kind, token):
    return {"position_id": token} if kind == "v3" else {"token_id": token}


def touch(token):
    book = ask(f"{CLOB}/book?token_id={token}")
    return float(book["bids"][-1]["price"]), float(book["asks"][-1]["price"])


def until(what, look):
    begun = time.time()
    while time.time() - begun < PATIENCE:
        seen = look()
        if seen:
            return seen
        time.sleep(0.25)
    raise AssertionError(f"{what} does not happen")


def client_of(signature_type):
    """A funded wallet of that kind for a fresh key, and its client with a derived API key."""
    key = Account.create()
    wallet = ask(
        f"{CLOB}/admin/accounts",
        {"owner": key.address, "signature_type": KINDS[signature_type], "usd": "1000"},
    )["wallet"]
    client = ClobClient(CLOB, 137, key=key.key.hex(), signature_type=signature_type, funder=wallet)
    made = client.create_api_key()
    told = client.derive_api_key()
    assert made == told, "the key is another one the second time"
    client.set_api_creds(told)
    assert client.get_closed_only_mode() == {"closed_only": False}
    balance = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))
    assert balance["balance"] == "1000000000", balance
    return client, wallet


def rest_and_cancel(client, kind, token, condition):
    bid, _ = touch(token)
    low = round(max(0.01, bid - 0.05), 2)
    args = OrderArgsV2(price=low, size=20, side="BUY", **asset(kind, token))
    placed = client.create_and_post_order(args, order_type=OrderType.GTC, post_only=True)
    assert placed["success"] and placed["status"] == "live", placed
    order = client.get_order(placed["orderID"])
    assert (order["status"], order["original_size"], order["size_matched"]) == ("LIVE", "20", "0"), order
    listed = client.get_open_orders(OpenOrderParams(market=condition))
    assert [one["id"] for one in listed] == [placed["orderID"]], listed
    canceled = client.cancel_order(OrderPayload(orderID=placed["orderID"]))
    assert canceled == {"canceled": [placed["orderID"]], "not_canceled": {}}, canceled
    assert client.get_order(placed["orderID"])["status"] == "CANCELED"
    # Two at once, one of them good till a date.
    orders = [
        PostOrdersV2Args(client.create_order(args), OrderType.GTC),
        PostOrdersV2Args(
            client.create_order(
                OrderArgsV2(
                    price=low, size=25, side="BUY", expiration=int(time.time()) + 600, **asset(kind, token)
                )
            ),
            OrderType.GTD,
        ),
    ]
    answers = client.post_orders(orders)
    assert all(one["success"] and one["errorMsg"] == "" for one in answers), answers
    if kind == "v3":
        gone = client.cancel_market_orders(OrderMarketCancelParams(market=condition))
    else:
        gone = client.cancel_all()
    assert sorted(gone["canceled"]) == sorted(one["orderID"] for one in answers), gone
    return 3


def take(client, wallet, kind, token, signature_type):
    _, best = touch(token)
    args = MarketOrderArgsV2(
        amount=20,
        side="BUY",
        price=round(best + 0.05, 2),
        order_type=OrderType.FAK,
        **asset(kind, token),
    )
    bought = client.create_and_post_market_order(args, order_type=OrderType.FAK)
    assert bought["success"] and bought["status"] == "matched" and bought["tradeIDs"], bought
    trade = until("confirmation", lambda: confirmed(client, bought["tradeIDs"][0]))
    assert trade["trader_side"] == "TAKER" and trade["transaction_hash"].startswith("0x"), trade
    asset_type = "CONDITIONAL-V2" if kind == "v3" else AssetType.CONDITIONAL
    held = client.get_balance_allowance(
        BalanceAllowanceParams(asset_type=asset_type, token_id=token, signature_type=signature_type)
    )
    assert int(held["balance"]) / 1e6 == float(trade["size"]), (held, trade)
    bid, _ = touch(token)
    args = OrderArgsV2(
        price=round(max(0.01, bid - 0.05), 2),
        size=int(float(trade["size"])),
        side="SELL",
        **asset(kind, token),
    )
    sold = client.create_and_post_order(args, order_type=OrderType.FOK)
    assert sold["success"] and sold["status"] == "matched", sold
    until("confirmation", lambda: confirmed(client, sold["tradeIDs"][0]))
    truth = ask(f"{CLOB}/admin/accounts/{wallet}")
    assert [one["status"] for one in truth["trades"]] == ["CONFIRMED"] * 2 and truth["settled"], truth
    balance = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))
    assert int(balance["balance"]) == round(float(truth["cash"]) * 1e6), (balance, truth)
    return bought, sold, truth


def confirmed(client, trade_id):
    trades = client.get_trades(TradeParams(id=trade_id))
    assert len(trades) == 1, trades
    return trades[0] if trades[0]["status"] == "CONFIRMED" else None


def refuses(client, kind, token):
    """What the venue refuses reaches the client as it should."""
    try:
        client.create_and_post_order(OrderArgsV2(price=0.5, size=2, side="BUY", **asset(kind, token)))
    except Exception as refusal:
        assert "lower than the minimum" in str(refusal), refusal
    else:
        raise AssertionError("an order of two shares is taken")
    try:
        client.create_and_post_order(OrderArgsV2(price=0.5, size=4000, side="BUY", **asset(kind, token)))
    except Exception as refusal:
        assert "not enough balance / allowance" in str(refusal), refusal
    else:
        raise AssertionError("an order of $2,000 out of $1,000 is taken")


def main():
    done = 0
    for signature_type, name in KINDS.items():
        for kind in ("standard", "neg-risk", "v3"):
            client, wallet = client_of(signature_type)
            (token, _), condition = wait_for(kind)
            placed = rest_and_cancel(client, kind, token, condition)
            refuses(client, kind, token)
            bought, sold, truth = take(client, wallet, kind, token, signature_type)
            beat = client.post_heartbeat("")
            assert beat["heartbeat_id"], beat
            done += 1
            print(
                f"{name:>8} on {kind:<8}: {placed} rested and cancelled, bought {bought['takingAmount']} shares for"
                f" ${bought['makingAmount']}, sold for ${sold['takingAmount']}, cash {truth['cash']}",
                flush=True,
            )
    print(f"{done} of 12 done", flush=True)


if __name__ == "__main__":
    sys.exit(main())
