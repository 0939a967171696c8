"""Money that moved outside the engine, told to the sockets of whoever it belongs to.

The engine publishes what it did itself; deposits and withdrawals come from the outbox. The message names no amount: sockets
read the balances again, so a delivery that comes late or twice shows nothing that is not so.
What must never happen here: an amount in a message, which would be believed.
"""

from __future__ import annotations

from exchange.outbox import live, registry

TOPICS = (
    "wallets.deposit_credited",
    "wallets.deposit_orphaned",
    "wallets.deposit_held",
    "wallets.withdrawal_requested",
    "wallets.withdrawal_review",
    "wallets.withdrawal_approved",
    "wallets.withdrawal_sent",
    "wallets.withdrawal_cancelled",
    "wallets.withdrawal_refused",
    "wallets.withdrawal_final",
    "fiat.deposit_credited",
    "fiat.deposit_held",
)


def publish(event: registry.Event) -> None:
    """Wakes the sockets of the event's customer; the house's own coins have none."""
    user_id = event.payload.get("user_id")
    if user_id is not None:
        live.publish(channel=f"user:{int(user_id)}", message={"type": "balances_changed"})


def register() -> None:
    """For AppConfig.ready()."""
    for topic in TOPICS:
        registry.reader(topic, name=f"site.balances:{topic}")(publish)
