"""The story itself, step by step: what is done, what a customer must then see, to the last base unit.

Amounts below are decimal strings as a customer types and reads them; comparisons are made on `Decimal`, exactly.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from config.regtest import Anvil, Bitcoind, Litecoind
from deploy.journey.person import JourneyError, Person, Refused, patiently

CONFIRMATIONS = {"BTC": 2, "LTC": 6, "ETH": 12, "USDT": 12}
FEE_MAKER, FEE_TAKER = Decimal("0.001"), Decimal("0.002")


class Stage(Protocol):
    """What the story needs of the running exchange and the world around it."""

    bitcoind: Bitcoind
    litecoind: Litecoind
    anvil: Anvil
    token: str

    def person(self, name: str) -> Person: ...
    def say(self, text: str) -> None: ...
    def fault_nodes(self) -> None: ...
    def signer_and_web(self) -> list[str]: ...


@dataclass
class Story:
    """Two customers, three chains, four markets; `expected` is what each must own at the end."""

    stage: Stage
    people: dict[str, Person] = field(default_factory=dict)
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    expected: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    sent: dict[tuple[str, str], str] = field(default_factory=dict)

    LOSE_VALKEY_AFTER: ClassVar[str] = "Two orders match, to the satoshi"

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            ("Two customers sign up, confirm their e-mail and set up an authenticator app", self.sign_up),
            ("They get deposit addresses", self.addresses_are_given),
            ("Coins that are not ours are seen, not yet credited", self.coins_are_seen),
            ("They are credited at the right depth", self.coins_are_credited),
            ("Two orders match, to the satoshi", self.orders_match),
            ("A market order sweeps, a resting order is cancelled", self.sweep_and_cancel),
            ("Wrong input is refused and moves nothing", self.wrong_input_moves_nothing),
            ("A deposit's block is reorganised away and mined again", self.block_is_reorganised),
            ("BTC and ERC-20 leave: confirmed by app and mail, signed apart, final on their chains", self.coins_leave),
            ("Everybody owns what they should", self.everybody_owns_what_they_should),
        ]

    # --- who ----------------------------------------------------------------------------------------------------------
    def sign_up(self) -> None:
        for name in ("alice", "bob"):
            person = self.people[name] = self.stage.person(name)
            person.sign_up()
            person.log_in()
            person.set_up_app()
            self.stage.say(f"{person.address} is customer {person.get('/me')['id']}")

    def addresses_are_given(self) -> None:
        wanted = {
            "alice": (("BTC", "bitcoin"), ("LTC", "litecoin"), ("ETH", "ethereum")),
            "bob": (("USDT", "ethereum"),),
        }
        for name, pairs in wanted.items():
            for asset, network in pairs:
                given = self.people[name].post("/deposit-addresses", {"asset": asset, "network": network})["address"]
                if given not in self.people[name].page(f"/wallet/deposit/{asset}/?network={network}"):
                    raise JourneyError(f"the deposit page of {asset} does not show {given}")
                self.addresses[name, asset] = given
                self.stage.say(f"{name} {asset:<5} {given}")

    # --- coins in -----------------------------------------------------------------------------------------------------
    def coins_are_seen(self) -> None:
        stage, to = self.stage, self.addresses
        sent = {
            ("alice", "BTC"): (stage.bitcoind.send(to["alice", "BTC"], 50_000_000), "0.5"),
            ("alice", "LTC"): (stage.litecoind.send(to["alice", "LTC"], 1_000_000_000), "10"),
            ("alice", "ETH"): (stage.anvil.send(to["alice", "ETH"], 2 * 10**18), "2"),
            ("bob", "USDT"): (
                stage.anvil.transact("TestToken", stage.token, "transfer", [to["bob", "USDT"], 50_000 * 10**6]),
                "50000",
            ),
        }
        for (name, asset), (txid, amount) in sent.items():
            stage.say(f"sent {amount} {asset} to {name}: {txid}")
            self._add(name, asset, amount)
        for name, asset in (("alice", "BTC"), ("alice", "LTC")):
            seen = self._deposit(name, sent[name, asset][0], state="seen")
            if seen["confirmations"] != 0 or Decimal(self._balance(name, asset)["available"]) != 0:
                raise JourneyError(f"an unconfirmed deposit of {asset} was credited")
            stage.say(f"{asset} {seen['txid'][:16]}… is shown unconfirmed, and nothing of it can be spent")
        self.sent = {key: txid for key, (txid, _amount) in sent.items()}

    def coins_are_credited(self) -> None:
        nodes = {"BTC": self.stage.bitcoind, "LTC": self.stage.litecoind, "ETH": self.stage.anvil}
        for node in nodes.values():
            node.mine(1)
        for (name, asset), txid in self.sent.items():
            waiting = self._deposit(name, txid, state="confirming")
            if waiting["confirmations_required"] != CONFIRMATIONS[asset]:
                raise JourneyError(f"{asset} asks for {waiting['confirmations_required']} confirmations")
            if Decimal(self._balance(name, asset)["available"]) != 0:
                raise JourneyError(f"{asset} was credited before its depth")
        for asset, node in nodes.items():
            node.mine(CONFIRMATIONS[asset] - 1)
        for (name, asset), txid in self.sent.items():
            credited = self._deposit(name, txid, state="credited")
            self.stage.say(
                f"{credited['amount']} {asset} credited to {name} at height {credited['block_height']}, "
                f"{credited['confirmations_required']} confirmations deep"
            )
        for name, asset in self.sent:
            self._owns(name, asset)

    # --- trading ------------------------------------------------------------------------------------------------------
    def orders_match(self) -> None:
        alice, bob = self.people["alice"], self.people["bob"]
        resting = alice.place(
            market="BTC-USDT", side="sell", type="limit", price="60000.00", quantity="0.1", client_order_id="alice-1"
        )
        if resting["state"] != "open" or Decimal(self._balance("alice", "BTC")["held"]) != Decimal("0.1"):
            raise JourneyError(f"a resting order must hold what it may cost: {resting}")
        taken = bob.place(
            market="BTC-USDT", side="buy", type="limit", price="60000.00", quantity="0.1", client_order_id="bob-1"
        )
        if taken["state"] != "filled":
            raise JourneyError(f"bob's order is {taken['state']}")
        self._trade(seller="alice", buyer="bob", base="BTC", quantity="0.1", quote="6000", maker="seller")
        again = bob.place(
            market="BTC-USDT", side="buy", type="limit", price="60000.00", quantity="0.1", client_order_id="bob-1"
        )
        if again["id"] != taken["id"]:
            raise JourneyError("the same client order id made a second order")
        for name, asset in (("alice", "BTC"), ("alice", "USDT"), ("bob", "BTC"), ("bob", "USDT")):
            self._owns(name, asset)
        self.stage.say(
            "0.1 BTC at 60000 USDT: alice got 5994, bob 0.0998; the fees are the house's; a retry made no second order"
        )

    def sweep_and_cancel(self) -> None:
        alice, bob = self.people["alice"], self.people["bob"]
        for number, price in enumerate(("3000.00", "3010.00"), start=2):
            alice.place(
                market="ETH-USDT",
                side="sell",
                type="limit",
                price=price,
                quantity="0.5",
                client_order_id=f"alice-{number}",
            )
        left = alice.place(
            market="LTC-USDT", side="sell", type="limit", price="500.00", quantity="4", client_order_id="alice-4"
        )
        swept = bob.place(market="ETH-USDT", side="buy", type="market", quantity="0.8", client_order_id="bob-2")
        if swept["state"] != "filled" or Decimal(swept["filled_quote"]) != Decimal("2403"):
            raise JourneyError(f"0.5 at 3000 and 0.3 at 3010 cost 2403: {swept}")
        self._trade(seller="alice", buyer="bob", base="ETH", quantity="0.5", quote="1500", maker="seller")
        self._trade(seller="alice", buyer="bob", base="ETH", quantity="0.3", quote="903", maker="seller")
        for order in (left["id"], self._order_id(alice, "alice-3")):
            self._cancel(alice, order)
        for name, asset in (("alice", "ETH"), ("alice", "USDT"), ("alice", "LTC"), ("bob", "ETH"), ("bob", "USDT")):
            self._owns(name, asset)
        self.stage.say("0.8 ETH bought over two prices for 2403 USDT; what rested was cancelled and nothing is held")

    def wrong_input_moves_nothing(self) -> None:
        bob = self.people["bob"]
        for order, code in (
            ({"price": "60000.001", "quantity": "0.1"}, "amount_precision"),
            ({"price": "60000.00", "quantity": "-1"}, "amount_invalid"),
            ({"price": "60000.00", "quantity": "1"}, "insufficient_funds"),
            ({"price": "60000.00", "quantity": "0.1", "market": "DOGE-USDT"}, "market_not_found"),
        ):
            self._refused(bob, "/orders", {"market": "BTC-USDT", "side": "buy", "type": "limit", **order}, code)
        wrong = {"asset": "BTC", "network": "bitcoin", "address": self.stage.litecoind.new_address(), "amount": "0.01"}
        self._refused(bob, "/withdrawals", wrong, "address_wrong_network", "address_invalid")
        right = {**wrong, "address": self.stage.bitcoind.new_address()}
        self._refused(bob, "/withdrawals", {**right, "amount": "0.2"}, "insufficient_funds")
        self._refused(bob, "/withdrawals", {**right, "amount": "0.000000001"}, "amount_precision")
        self._owns("bob", "BTC")
        self._owns("bob", "USDT")

    # --- a reorganisation ---------------------------------------------------------------------------------------------
    def block_is_reorganised(self) -> None:
        node = self.stage.bitcoind
        txid = node.send(self.addresses["alice", "BTC"], 20_000_000)
        blocks = node.mine(CONFIRMATIONS["BTC"])
        credited = self._deposit("alice", txid, state="credited")
        before = self.expected["alice", "BTC"]
        self._add("alice", "BTC", "0.2")
        self._owns("alice", "BTC")
        node.invalidate(blocks[0])
        # A longer chain without the payment: the node keeps it in its mempool, so it is left out by an empty block template.
        replacement = [
            node.rpc("generateblock", node.new_address(), [])["hash"] for _ in range(CONFIRMATIONS["BTC"] + 1)
        ]
        self._deposit("alice", txid, state="orphaned", also="seen")
        self.expected["alice", "BTC"] = before
        self._owns("alice", "BTC")
        self.stage.say(
            f"block {credited['block_height']} was replaced ({replacement[0][:16]}…): the 0.2 BTC were taken back"
        )
        node.mine(CONFIRMATIONS["BTC"])
        again = self._deposit("alice", txid, state="credited")
        self._add("alice", "BTC", "0.2")
        self._owns("alice", "BTC")
        self.stage.say(f"mined again at height {again['block_height']}: credited, once")

    # --- coins out ----------------------------------------------------------------------------------------------------
    def coins_leave(self) -> None:
        btc = self.stage.bitcoind.new_address()
        evm = self.stage.anvil.accounts[7]
        first = self._request("bob", "BTC", "bitcoin", btc, "0.05")
        second = self._request("alice", "USDT", "ethereum", evm, "1000")
        for row in (first, second):
            if row["state"] != "requested" or row["confirmation"]["state"] != "waiting":
                raise JourneyError(f"a withdrawal must wait for its mail, and is {row['state']}")
            self.people[row["name"]].confirm_withdrawal(row)
            self.stage.say(f"{row['name']} followed the link in the mail: {row['amount']} {row['asset']} may leave")
        for row in (first, second):
            sent = self._withdrawal(row, "broadcast", "confirmed", "final")
            self.stage.say(f"{row['amount']} {row['asset']} → {row['address'][:14]}… in {sent['txid']}")
        for line in self.stage.signer_and_web():
            self.stage.say(line)
        self.stage.fault_nodes()
        self._mine_until_final(first, lambda: self.stage.bitcoind.mine(1))
        self._mine_until_final(second, lambda: self.stage.anvil.mine(4))
        if self.stage.bitcoind.received(btc, confirmations=1) != 5_000_000:
            raise JourneyError("0.05 BTC must arrive, once")
        if self.stage.anvil.read("TestToken", self.stage.token, "balanceOf", evm) != 1000 * 10**6:
            raise JourneyError("1000 USDT must arrive, once")
        for row in (first, second):
            self._add(row["name"], row["asset"], "-" + row["total"])
            self._owns(row["name"], row["asset"])

    def everybody_owns_what_they_should(self) -> None:
        for (name, asset), amount in sorted(self.expected.items()):
            self._owns(name, asset)
            self.stage.say(f"{name:<6} {amount.normalize():f} {asset}")

    # --- words of the story -------------------------------------------------------------------------------------------
    def _add(self, name: str, asset: str, amount: str | Decimal) -> None:
        self.expected[name, asset] = self.expected.get((name, asset), Decimal(0)) + Decimal(amount)

    def _trade(self, *, seller: str, buyer: str, base: str, quantity: str, quote: str, maker: str) -> None:
        """What a trade must do to four balances; the amounts of this story leave no fraction for the fee to round."""
        seller_fee, buyer_fee = (FEE_MAKER, FEE_TAKER) if maker == "seller" else (FEE_TAKER, FEE_MAKER)
        self._add(seller, base, "-" + quantity)
        self._add(buyer, base, Decimal(quantity) * (1 - buyer_fee))
        self._add(buyer, "USDT", "-" + quote)
        self._add(seller, "USDT", Decimal(quote) * (1 - seller_fee))

    def _balance(self, name: str, asset: str) -> dict[str, str]:
        return self.people[name].balance(asset)

    def _owns(self, name: str, asset: str) -> None:
        """The balance is what it must be, with nothing held; a moment's grace, for what is under way."""
        wanted = self.expected[name, asset]

        def right() -> bool:
            row = self._balance(name, asset)
            return Decimal(row["balance"]) == wanted and Decimal(row["held"]) == 0

        try:
            patiently(f"{name} to own {wanted} {asset}", right)
        except JourneyError as error:
            raise JourneyError(f"{error}; the page says {self._balance(name, asset)}") from None

    def _deposit(self, name: str, txid: str, *, state: str, also: str = "") -> dict[str, Any]:
        wanted = {state, also or state}

        def found() -> dict[str, Any] | None:
            rows = self.people[name].get("/deposits")["data"]
            return next((row for row in rows if row["txid"] == txid and row["state"] in wanted), None)

        return patiently(f"{name}'s deposit {txid[:16]}… to be {state}", found)

    def _order_id(self, person: Person, client_order_id: str) -> int:
        return int(person.get(f"/orders/by-client-id/{client_order_id}")["id"])

    def _cancel(self, person: Person, order_id: int) -> None:
        try:
            person._api("DELETE", f"/orders/{order_id}")
        except Refused as refused:
            if refused.code != "order_closed":  # a retry after a lost answer finds it cancelled already
                raise

    def _refused(self, person: Person, path: str, body: dict[str, Any], *codes: str) -> None:
        try:
            person.post(path, body, idempotency_key=str(uuid.uuid4()) if path == "/withdrawals" else "")
        except Refused as refused:
            if refused.code not in codes or refused.status >= 500:
                raise
            self.stage.say(f"{refused.status} {refused.code} ({refused.param})")
        else:
            raise JourneyError(f"{path} took {body}")

    def _request(self, name: str, asset: str, network: str, address: str, amount: str) -> dict[str, Any]:
        body = {"asset": asset, "network": network, "address": address, "amount": amount}
        key = f"journey-{name}-{asset}"
        row = self.people[name].post("/withdrawals", body, idempotency_key=key)
        again = self.people[name].post("/withdrawals", body, idempotency_key=key)
        if again["id"] != row["id"]:
            raise JourneyError("the same idempotency key made a second withdrawal")
        return {**row, "name": name}

    def _withdrawal(self, row: dict[str, Any], *states: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            seen = self.people[row["name"]].get(f"/withdrawals/{row['id']}")
            if seen["state"] in {"failed", "rejected", "cancelled"}:
                raise JourneyError(f"the withdrawal of {row['asset']} is {seen['state']}: {seen['reason']}")
            return seen if seen["state"] in states else None

        return patiently(f"{row['asset']} withdrawal to be {states[0]}", found)

    def _mine_until_final(self, row: dict[str, Any], mine: Callable[[], object]) -> None:
        def final() -> dict[str, Any] | None:
            seen = self.people[row["name"]].get(f"/withdrawals/{row['id']}")
            if seen["state"] == "final":
                return dict(seen)
            mine()
            return None

        seen = patiently(f"{row['asset']} withdrawal to be final", final)
        self.stage.say(f"{row['amount']} {row['asset']} final after {seen['confirmations']} confirmations")
