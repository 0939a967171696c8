"""Staff set limits and give customers their levels; both are written to the audit."""

from django.contrib import admin
from django.utils import timezone
from unfold.admin import ModelAdmin

from exchange.audit import services as audit
from kyc.models import Customer, Level
from kyc.services import levels


@admin.register(Level)
class LevelAdmin(ModelAdmin):
    list_display = ["number", "code", "name", "withdrawal_24h"]

    def get_readonly_fields(self, request, obj=None):
        return ["number", "code"] if obj else []

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        audit.record(
            actor_id=request.user.id,
            action="kyc.change_level",
            subject=f"level:{obj.number}",
            before={name: str(form.initial.get(name)) for name in form.changed_data},
            after={name: str(form.cleaned_data.get(name)) for name in form.changed_data},
            origin=audit.origin_of(request),
            now=timezone.now(),
        )


@admin.register(Customer)
class CustomerAdmin(ModelAdmin):
    list_display = ["user_id", "level", "reason", "changed_at"]
    list_filter = ["level"]
    list_select_related = ["level"]
    search_fields = ["=user_id"]
    fields = ["user_id", "level", "reason"]

    def get_readonly_fields(self, request, obj=None):
        return ["user_id"] if obj else []

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        levels.assign(
            user_id=obj.user_id,
            level=obj.level_id,
            reason=obj.reason,
            actor_id=request.user.id,
            origin=audit.origin_of(request),
            now=timezone.now(),
        )
