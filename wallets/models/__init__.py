"""The tables of the wallets room, by what they are about."""

from .cold import ColdProposal, ColdWallet
from .deposits import Deposit
from .index import Address, Block, Coin, Cursor, Health, Movement, Source, Trace, Xpub
from .payouts import CancelAgreement, Nonce, Payout, PayoutVersion, Reservation
from .shares import HotLevel, HotShare
from .sweeps import Sweep
from .withdrawals import (
    ListedAddress,
    Preference,
    Withdrawal,
    WithdrawalApproval,
    WithdrawalConfirmation,
    WithdrawalStep,
)

__all__ = [
    "Address",
    "Block",
    "CancelAgreement",
    "Coin",
    "ColdProposal",
    "ColdWallet",
    "Cursor",
    "Deposit",
    "Health",
    "HotLevel",
    "HotShare",
    "ListedAddress",
    "Movement",
    "Nonce",
    "Payout",
    "PayoutVersion",
    "Preference",
    "Reservation",
    "Source",
    "Sweep",
    "Trace",
    "Withdrawal",
    "WithdrawalApproval",
    "WithdrawalConfirmation",
    "WithdrawalStep",
    "Xpub",
]
