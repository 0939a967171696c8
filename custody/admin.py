"""Staff see what the signer was asked and what it answered, and what the policy decided. Nothing here is changed by hand.

The policy itself has a page of its own in admin_policy.py.
"""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from custody.admin_policy import PolicyEditAdmin
from custody.models import PolicyDecision, Refusal, Signature, SigningJob
from exchange.assets import selectors as assets
from exchange.core import amounts

__all__ = ["PolicyEditAdmin"]


class ReadOnlyAdmin(ModelAdmin):
    """A table to look at."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: object) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(SigningJob)
class SigningJobAdmin(ReadOnlyAdmin):
    list_display = ("id", "network", "kind", "reference", "requested_at", "answer")
    list_filter = ("network", "kind")
    search_fields = ("=id", "=reference")
    list_select_related = ("signature", "refusal")
    ordering = ("-id",)  # made in the order of time

    @admin.display(description="Answer")
    def answer(self, job: SigningJob) -> str:
        if hasattr(job, "signature"):
            return f"signed {job.signature.txid}"
        return f"refused: {job.refusal.code}" if hasattr(job, "refusal") else "waiting"


@admin.register(Signature)
class SignatureAdmin(ReadOnlyAdmin):
    list_display = ("job_id", "txid", "signed_at", "signer_pid", "database_role")
    search_fields = ("=txid",)
    ordering = ("-signed_at",)


@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin):
    list_display = ("job_id", "code", "reason", "refused_at", "signer_pid")
    list_filter = ("code",)
    ordering = ("-refused_at",)


@admin.register(PolicyDecision)
class PolicyDecisionAdmin(ReadOnlyAdmin):
    list_display = ("decided_at", "subject", "owner_id", "decimal_amount", "network", "effect", "explanation")
    list_filter = ("effect", "asset", "destination")
    search_fields = ("=subject", "=owner_id")
    ordering = ("-id",)

    @admin.display(description="Amount")
    def decimal_amount(self, decision: PolicyDecision) -> str:
        decimals = {asset.code: asset.decimals for asset in assets.assets(enabled_only=False)}
        return f"{amounts.format(decision.amount, decimals=decimals[decision.asset])} {decision.asset}"
