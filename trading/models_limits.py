"""What customers with a trading limit have reserved, and what it came to. Written by services.reserving alone.

What must never happen here: two rows that stand for one order.
"""

from __future__ import annotations

from django.db import models


class Reservation(models.Model):
    """What an order of a customer with a trading limit may come to at most, and once it has ended, what came of it.

    In flight (`command_uuid`) it stands for a command whose outcome nobody has written down here yet; then for its order. Rows of
    one `claim` can come true only one at a time (the legs of a pair, a command sent again, what an order is to become): the
    largest counts. See services.reserving.
    """

    user_id = models.BigIntegerField()
    claim = models.UUIDField()
    command_uuid = models.UUIDField(null=True)
    order_id = models.BigIntegerField(null=True)
    leg = models.SmallIntegerField(default=0, help_text="1: the stop of a pair")
    client_order_id = models.CharField(max_length=36, null=True)  # noqa: DJ001  # absent is not the same as empty here
    asset_id = models.IntegerField(help_text="what it is counted in")
    units = models.DecimalField(max_digits=78, decimal_places=0, help_text="of that asset, at most; when ended: filled")
    worth = models.DecimalField(max_digits=78, decimal_places=0, help_text="of these units, in the reference currency")
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "trading_reservation"
        constraints = [
            models.UniqueConstraint(
                fields=["order_id"], condition=models.Q(command_uuid=None), name="trading_reservation_once_an_order"
            ),
            models.CheckConstraint(
                condition=models.Q(command_uuid__isnull=False) | models.Q(order_id__isnull=False),
                name="trading_reservation_of_something",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at=None) | models.Q(command_uuid=None), name="trading_reservation_ended"
            ),
            models.CheckConstraint(
                condition=models.Q(units__gt=0, worth__gte=0), name="trading_reservation_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["user_id"], condition=models.Q(ended_at=None), name="trading_reservation_open"),
            models.Index(
                fields=["user_id", "ended_at"],
                condition=models.Q(ended_at__isnull=False),
                name="trading_reservation_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"reservation of customer {self.user_id}"


class CountedCustomer(models.Model):
    """A customer whose trading is counted: from when on every order of his has a reservation."""

    user_id = models.BigIntegerField(primary_key=True)
    looked_back_at = models.DateTimeField()

    class Meta:
        db_table = "trading_counted_customer"

    def __str__(self) -> str:
        return f"customer {self.user_id}"
