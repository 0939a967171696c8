"""The tables of the wallets room, by what they are about."""

from .deposits import Deposit
from .index import Address, Block, Coin, Cursor, Health, Movement, Xpub
from .payouts import Nonce, Payout, PayoutVersion, Reservation
from .withdrawals import Withdrawal, WithdrawalStep

__all__ = [
    "Address",
    "Block",
    "Coin",
    "Cursor",
    "Deposit",
    "Health",
    "Movement",
    "Nonce",
    "Payout",
    "PayoutVersion",
    "Reservation",
    "Withdrawal",
    "WithdrawalStep",
    "Xpub",
]
