"""Staff freeze a customer here, at once and alone, watch the job, and propose to lift the freeze: somebody else approves it."""

from django import forms
from django.contrib import admin, messages
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from exchange.core.errors import DomainError
from exchange.flows import proposing
from exchange.flows.models import Freeze
from exchange.flows.services import freezes
from exchange.proposals.desk import ReasonForm, propose


class StartForm(forms.ModelForm):
    class Meta:
        model = Freeze
        fields = ["user_id", "reason"]


@admin.register(Freeze)
class FreezeAdmin(ModelAdmin):
    form = StartForm
    list_display = ["id", "user_id", "reason", "source", "state", "orders_cancelled", "attempts", "error", "created_at"]
    list_filter = ["state", "source"]
    search_fields = ["=user_id"]
    actions = ["lift"]
    action_form = ReasonForm
    show_full_result_count = False
    list_per_page = 50

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        """Starts the job through its service; the row it gives back is the page's object."""
        obj.pk = freezes.start(user_id=obj.user_id, reason=obj.reason, actor_id=request.user.id, now=timezone.now())

    @admin.action(description=gettext_lazy("Propose to lift the freeze"), permissions=["lift"])
    def lift(self, request, queryset):
        for user_id in sorted(set(queryset.values_list("user_id", flat=True))):
            try:
                propose(request, proposing.KIND, f"user:{user_id}", {"frozen": False}, request.POST.get("reason", ""))
            except DomainError as error:
                self.message_user(request, f"{user_id}: {error.message}", messages.ERROR)
            else:
                told = _("Customer %(number)s: proposed. It is lifted when somebody else has approved it.")
                self.message_user(request, told % {"number": user_id}, messages.WARNING)

    def has_lift_permission(self, request):
        return request.user.has_perm("flows.change_freeze")
