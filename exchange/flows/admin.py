"""Staff freeze a customer here, watch the job, and lift the freeze again."""

from django import forms
from django.contrib import admin, messages
from django.utils import timezone
from unfold.admin import ModelAdmin

from exchange.core.errors import DomainError
from exchange.flows.models import Freeze
from exchange.flows.services import freezes


class StartForm(forms.ModelForm):
    class Meta:
        model = Freeze
        fields = ["user_id", "reason"]


@admin.register(Freeze)
class FreezeAdmin(ModelAdmin):
    form = StartForm
    list_display = ["id", "user_id", "reason", "source", "state", "orders_cancelled", "attempts", "error", "created_at"]
    list_filter = ["state", "source"]
    search_fields = ["=user_id", "reason"]
    actions = ["lift"]

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        """Starts the job through its service; the row it gives back is the page's object."""
        obj.pk = freezes.start(user_id=obj.user_id, reason=obj.reason, actor_id=request.user.id, now=timezone.now())

    @admin.action(description="Lift the freeze", permissions=["lift"])
    def lift(self, request, queryset):
        for user_id in sorted(set(queryset.values_list("user_id", flat=True))):
            try:
                freezes.lift(user_id=user_id, reason="Lifted by staff.", actor_id=request.user.id, now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"Customer {user_id}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"Customer {user_id}: lifted.", messages.SUCCESS)

    def has_lift_permission(self, request):
        return request.user.has_perm("flows.change_freeze")
