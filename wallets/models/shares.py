"""How much of an asset may lie hot, and what the last look found.

What must never happen here: a share that one person alone put in force, or a changed row (a new share is a new row, and the old
one stays as history).
"""

from django.db import models
from django.db.models import F, Q

from exchange.assets.fields import BaseUnits

PPM = 1_000_000


class HotShare(models.Model):
    """A rule for one asset on one network: what is hot beyond the share goes cold; below the floor, staff are told."""

    network_id = models.SmallIntegerField()
    asset_id = models.SmallIntegerField()
    # Parts per million of all our coins of this asset on this network.
    share_ppm = models.PositiveIntegerField()
    # Base units that stay hot however small the share is, and below which coins should come back.
    floor = BaseUnits()
    # The smallest surplus that is worth a transaction.
    least = BaseUnits()
    proposed_by = models.BigIntegerField()
    proposed_at = models.DateTimeField()
    approved_by = models.BigIntegerField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    # When another took its place, or the proposal was withdrawn.
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "wallets_hot_share"
        verbose_name = "share that may lie hot"
        verbose_name_plural = "shares that may lie hot"
        constraints = [
            models.CheckConstraint(condition=Q(share_ppm__lte=PPM), name="wallets_hot_share_whole"),
            models.CheckConstraint(condition=Q(floor__gte=0, least__gt=0), name="wallets_hot_share_positive"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("proposed_by")), name="wallets_hot_share_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="wallets_hot_share_approved",
            ),
            models.UniqueConstraint(
                fields=["network_id", "asset_id"],
                condition=Q(approved_at__isnull=False, replaced_at=None),
                name="wallets_hot_share_one_current",
            ),
            models.UniqueConstraint(
                fields=["network_id", "asset_id"],
                condition=Q(approved_at=None, replaced_at=None),
                name="wallets_hot_share_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset_id} on {self.network_id}: {self.share_ppm} ppm"


class HotLevel(models.Model):
    """What the last look found of an asset on a network; written over by the next. Base units, by our index."""

    network_id = models.SmallIntegerField()
    asset_id = models.SmallIntegerField()
    hot = BaseUnits()
    deposit = BaseUnits()
    cold = BaseUnits()
    # Asked for or signed, and in no block yet.
    leaving = BaseUnits()
    target = BaseUnits()
    looked_at = models.DateTimeField()
    # Since when less than the floor is hot; null while there is enough.
    low_since = models.DateTimeField(null=True, blank=True)
    # Why a surplus stays hot just now; "" when there is none, or it is on its way.
    waiting = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        db_table = "wallets_hot_level"
        verbose_name = "hot and cold"
        verbose_name_plural = "hot and cold"
        constraints = [models.UniqueConstraint(fields=["network_id", "asset_id"], name="wallets_hot_level_once")]

    def __str__(self) -> str:
        return f"{self.asset_id} on {self.network_id}"
