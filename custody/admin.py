"""Staff see what the signer was asked and what it answered. Read-only: nothing here is made, changed or deleted by hand."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from custody.models import Refusal, Signature, SigningJob


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
    ordering = ("-requested_at",)

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
