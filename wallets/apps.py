"""Registers the room with Django: addresses, deposits, withdrawals, the chain index."""

from django.apps import AppConfig


class WalletsConfig(AppConfig):
    name = "wallets"
    label = "wallets"
    verbose_name = "Wallets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from functools import partial

        from exchange.ledger import reconciliation
        from exchange.notifications import registry as notifications
        from kyc import kinds, uses
        from kyc.screening import registry as screenings
        from wallets import routes
        from wallets.services import confirming, counting, reconciling, screening

        uses.register(kinds.DEPOSIT, counting.deposits)
        uses.register(kinds.WITHDRAWAL, counting.withdrawals)

        screenings.on_deposit_cleared("wallets")(screening.cleared)

        # The mail with the link holds a token that stands in no event, so the notifications ask us for its words.
        notifications.mail_of("wallets.withdrawal_requested")(confirming.mail)

        # One source a network: a node that is down hides nothing of the others.
        for network in routes.configured():
            reconciliation.register_outside(f"wallets:{network}", partial(reconciling.outside, network=network))
