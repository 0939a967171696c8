"""Staff look people up and switch them off. Money is not here, and nobody is deleted: the books keep the id."""

from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.password_reset import request_password_reset
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.forms import UserChangeForm
from unfold.widgets import UnfoldAdminEmailInputWidget

from exchange.accounts import (
    admin_factors,  # noqa: F401  (registers itself)
    admin_guard,  # noqa: F401  (registers itself)
    admin_ways_in,  # noqa: F401  (takes allauth's own pages away)
    protection,
    registry,
)
from exchange.accounts.models import User
from exchange.accounts.services import email_changes, sessions
from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.proposals.desk import PROPOSED, why

admin.site.unregister(Group)


class EmailForm(forms.Form):
    """What is proposed, and why."""

    email = forms.EmailField(label=gettext_lazy("New e-mail address"), widget=UnfoldAdminEmailInputWidget)
    reason = why()


class PersonChangeForm(UserChangeForm):
    class Meta:
        model = User
        fields = ("display_name", "language", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = PersonChangeForm
    ordering = ["-id"]
    list_display = ["id", "email", "display_name", "is_staff", "is_active", "date_joined", "last_login"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email__startswith", "=id"]
    readonly_fields = ["email", "last_login", "date_joined"]
    show_full_result_count = False
    list_per_page = 50
    actions_detail = ["change_email"]
    fieldsets = [
        (None, {"fields": ["email", "display_name", "language"]}),
        ("May", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("When", {"fields": ["date_joined", "last_login"]}),
    ]
    actions = ["end_access", "send_reset"]

    def has_add_permission(self, request):
        """People sign up themselves, so that nobody has chosen another's password; a superuser makes staff of them."""
        return False

    def user_change_password(self, request, id, form_url=""):
        """Nobody sets another's password: its owner gets a link."""
        raise PermissionDenied

    def has_delete_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        """A member of staff cannot set another's password: only a superuser touches staff."""
        if obj is not None and (obj.is_staff or obj.is_superuser) and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def get_readonly_fields(self, request, obj=None):
        """Only a superuser hands out power; others would give it to themselves."""
        fields = list(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields += ["is_staff", "is_superuser", "groups", "user_permissions"]
        if obj is not None and (protection.is_frozen(obj.pk) or protection.is_closed(obj.pk)):
            fields.append("is_active")  # opened again with a reason, where the freeze or the closure stands
        return fields

    @action(description=gettext_lazy("Change the e-mail address"), url_path="email", permissions=["change_email"])
    def change_email(self, request, object_id):
        """Two of staff do it: this page proposes, and tells where the other approves."""
        person = self.get_object(request, object_id)
        if person is None:
            raise Http404
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        form = EmailForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                email_changes.propose(
                    user_id=person.pk,
                    email=form.cleaned_data["email"],
                    reason=form.cleaned_data["reason"],
                    actor_id=request.user.id,
                    origin=audit.origin_of(request),
                    now=timezone.now(),
                )
            except DomainError as refused:
                form.add_error(refused.param if refused.param in form.fields else None, refused.message)
            else:
                self.message_user(request, str(PROPOSED), messages.WARNING)
                return redirect("admin:accounts_user_change", person.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Change the e-mail address"),
            "subtitle": str(person.pk),
            "opts": self.opts,
            "form": form,
            "said": _(
                "The old address is told, log-ins and API keys end, and withdrawals pause. Write how you made sure that it is"
                " them, without personal data: the record keeps it."
            ),
        }
        return TemplateResponse(request, "proposals/admin/ask.html", context)

    def has_change_email_permission(self, request, object_id=None):
        return request.user.has_perm(email_changes.RIGHT)

    @admin.action(description="End all log-ins and API keys", permissions=["change"])
    def end_access(self, request, queryset):
        people = list(queryset.order_by("id"))
        if not all(self.has_change_permission(request, person) for person in people):
            raise PermissionDenied  # before any of them: support does not log superusers out while they are needed
        for user_id in [person.pk for person in people]:
            ended = sessions.end_by_staff(
                user_id=user_id, actor_id=request.user.id, origin=audit.origin_of(request), now=timezone.now()
            )
            self.message_user(request, f"Person {user_id}: {ended} log-ins ended, and every API key.")

    @admin.action(description="Send a link to choose a new password", permissions=["change"])
    def send_reset(self, request, queryset):
        for person in queryset:
            if not self.has_change_permission(request, person):
                raise PermissionDenied
            audit.record(
                actor_id=request.user.id,
                action="user.send_reset",
                subject=f"user:{person.pk}",
                origin=audit.origin_of(request),
                now=timezone.now(),
            )
            request_password_reset(request, person.email, [person], default_token_generator)
            self.message_user(request, f"Person {person.pk}: a link was sent.")

    def save_model(self, request, obj, form, change):
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            self._record(request, obj, form, change)

    def _record(self, request, obj, form, change):
        hidden = {"password", "password1", "password2", "email", "display_name"}
        audit.record(
            actor_id=request.user.id,
            action="user.change" if change else "user.add",
            subject=f"user:{obj.pk}",
            before={name: str(form.initial.get(name)) for name in form.changed_data if name not in hidden},
            after={
                name: "changed" if name in hidden else str(form.cleaned_data.get(name)) for name in form.changed_data
            },
            origin=audit.origin_of(request),
            now=timezone.now(),
        )


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Groups are the house's offices: support, finance, compliance. What one may do is on record as it was and as it is."""

    def has_change_permission(self, request, obj=None):
        """The house's own offices are written down in code."""
        return super().has_change_permission(request, obj) and not self._kept(obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not self._kept(obj)

    @staticmethod
    def _kept(obj):
        return obj is not None and registry.office_is_kept(obj.name)

    def get_actions(self, request):
        """Removed one at a time, so that each is asked about."""
        return {name: found for name, found in super().get_actions(request).items() if name != "delete_selected"}

    def save_model(self, request, obj, form, change):
        request.rights_before = _rights(Group.objects.get(pk=obj.pk)) if change else None
        super().save_model(request, obj, form, change)

    def save_related(self, request, form, formsets, change):
        with transaction.atomic():
            super().save_related(request, form, formsets, change)
            self._record(request, "change" if change else "add", form.instance, after=_rights(form.instance))

    def delete_model(self, request, obj):
        with transaction.atomic():
            request.rights_before = _rights(obj)
            self._record(request, "delete", obj, after=None)
            super().delete_model(request, obj)

    def _record(self, request, deed, group, *, after):
        audit.record(
            actor_id=request.user.id,
            action=f"group.{deed}",
            subject=f"group:{group.pk}",
            before=request.rights_before,
            after=after,
            origin=audit.origin_of(request),
            now=timezone.now(),
        )


def _rights(group):
    rights = group.permissions.values_list("content_type__app_label", "codename").order_by(
        "content_type__app_label", "codename"
    )
    return {"name": group.name, "rights": [f"{app}.{name}" for app, name in rights]}
