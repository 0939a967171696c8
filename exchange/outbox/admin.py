"""Staff see what waits and what was given up, and may have it tried again. Nothing is edited here."""

from django.contrib import admin, messages
from django.utils import timezone
from unfold.admin import ModelAdmin

from exchange.outbox import services
from exchange.outbox.models import Delivery, Event


class ReadOnly(ModelAdmin):
    """A page to look at."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Event)
class EventAdmin(ReadOnly):
    list_display = ["id", "topic", "key", "created_at", "fanned_out_at"]
    list_filter = ["topic"]
    search_fields = ["=key"]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    list_display = ["id", "event_id", "reader", "key", "state", "attempts", "due_at", "error"]
    list_filter = ["state", "reader"]
    search_fields = ["=key"]
    actions = ["try_again"]

    @admin.action(description="Try dead letters again", permissions=["requeue"])
    def try_again(self, request, queryset):
        count = services.requeue(delivery_ids=list(queryset.values_list("id", flat=True)), now=timezone.now())
        self.message_user(request, f"{count} will be tried again.", messages.SUCCESS)

    def has_requeue_permission(self, request):
        return request.user.has_perm("outbox.change_delivery")
