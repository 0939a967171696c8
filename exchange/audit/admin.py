"""Staff read the audit here. Nobody writes it here."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from exchange.audit.models import Record


@admin.register(Record)
class RecordAdmin(ModelAdmin):
    list_display = ["id", "at", "actor_id", "action", "subject", "origin"]
    list_filter = ["action"]
    search_fields = ["=subject", "=actor_id"]
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
