"""Support sees what a customer was told. Nothing is written here."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from exchange.notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(ModelAdmin):
    list_display = ["id", "user_id", "kind", "title", "created_at", "read_at"]
    list_filter = ["kind"]
    search_fields = ["=user_id"]
    show_full_result_count = False

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
