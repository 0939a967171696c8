"""Staff write announcements, and see what people were told, by which way, and what became of it.

What must never happen here: a look at a device's token or a telephone number, or a message sent again that was sent.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms.models import BaseInlineFormSet
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin, StackedInline
from unfold.widgets import UnfoldAdminSelectWidget

from exchange.audit import services as audit
from exchange.notifications.models import (
    Announcement,
    AnnouncementText,
    Delivery,
    Notification,
    Provider,
    PushDevice,
)
from exchange.notifications.services import devices, sending


class _Looked(ModelAdmin):
    """Read, not written."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Notification)
class NotificationAdmin(_Looked):
    list_display = ["id", "user_id", "kind", "title", "created_at", "read_at"]
    search_fields = ["=user_id"]


@admin.register(Delivery)
class DeliveryAdmin(_Looked):
    """What was sent by which way. What was given up can be tried again."""

    list_display = ["id", "user_id", "kind", "channel", "state", "attempts", "due_at", "sent_at", "error"]
    list_filter = ["state", "channel"]
    search_fields = ["=user_id", "=event_id"]
    exclude = ["address"]
    actions = ["try_again"]

    @admin.action(description="Try again what was given up", permissions=["retry"])
    def try_again(self, request, queryset):
        ids = list(queryset.filter(state=Delivery.State.DEAD).values_list("id", flat=True)[:500])
        now = timezone.now()
        with transaction.atomic():
            count = sending.requeue(delivery_ids=ids, now=now)
            audit.record(
                actor_id=request.user.id,
                action="notification.requeue",
                subject="notifications:deliveries",
                after={"deliveries": ids[:100], "count": count},
                origin=audit.origin_of(request),
                now=now,
            )
        self.message_user(request, f"{count} of them are tried again.")

    def has_retry_permission(self, request):
        return request.user.has_perm("notifications.change_delivery")


@admin.register(Provider)
class ProviderAdmin(_Looked):
    """Who carries our messages and fails, and until when they are left alone."""

    list_display = ["name", "failures", "paused_until", "failed_at", "error"]


@admin.register(PushDevice)
class PushDeviceAdmin(_Looked):
    list_display = ["id", "user_id", "platform", "label", "created_at", "last_sent_at", "dropped_at", "drop_reason"]
    list_filter = ["platform"]
    search_fields = ["=user_id"]
    exclude = ["token", "token_hash", "p256dh", "auth", "session_hash"]
    actions = ["drop"]

    @admin.action(description="Push nothing to these devices any more", permissions=["drop"])
    def drop(self, request, queryset):
        ids, now = list(queryset.values_list("id", flat=True)[:500]), timezone.now()
        with transaction.atomic():
            count = devices.drop_by_staff(device_ids=ids, now=now)
            audit.record(
                actor_id=request.user.id,
                action="push_device.drop",
                subject="notifications:push_devices",
                after={"devices": ids[:100], "count": count},
                origin=audit.origin_of(request),
                now=now,
            )
        self.message_user(request, f"{count} devices were dropped.")

    def has_drop_permission(self, request):
        return request.user.has_perm("notifications.change_pushdevice")


class _EnglishFirst(BaseInlineFormSet):
    """Whoever reads a language without words reads English, so English is there."""

    def clean(self) -> None:
        super().clean()
        kept = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        if not any(data.get("language") == "en" for data in kept):
            raise ValidationError("Write it in English, too: whoever reads no other of its languages reads that.")


class TextInline(StackedInline):
    model = AnnouncementText
    formset = _EnglishFirst
    extra = 1
    min_num = 1

    def formfield_for_dbfield(self, db_field, request, **named):
        if db_field.name == "language":
            return forms.ChoiceField(choices=settings.LANGUAGES, initial="en", widget=UnfoldAdminSelectWidget)
        return super().formfield_for_dbfield(db_field, request, **named)


@admin.register(Announcement)
class AnnouncementAdmin(ModelAdmin):
    """A draft has no time of publication; "View" shows it as customers will see it."""

    list_display = ["slug", "kind", "published_at", "banner_until", "tell", "told_at"]
    list_filter = ["kind"]
    search_fields = ["slug"]
    readonly_fields = ["look", "told_at"]
    fields = ["slug", "kind", "published_at", "banner_until", "tell", "look", "told_at"]
    inlines = [TextInline]
    show_full_result_count = False

    def formfield_for_dbfield(self, db_field, request, **named):
        field = super().formfield_for_dbfield(db_field, request, **named)
        if (
            db_field.name == "slug" and field is not None
        ):  # the model's own has angle brackets, and help is printed as HTML
            field.help_text = "The last part of its address, behind /announcements/."
        return field

    @admin.display(description="As customers see it")
    def look(self, obj):
        if obj.pk is None:
            return "Save it first."
        return format_html('<a href="/announcements/{}/">View</a>', obj.slug)

    def has_delete_permission(self, request, obj=None):
        """A draft may go; what was published stays."""
        if obj is not None and obj.published_at is not None and obj.published_at <= timezone.now():
            return False
        return super().has_delete_permission(request, obj)

    def save_model(self, request, obj, form, change):
        if not change:
            obj.created_by, obj.created_at = request.user.id, timezone.now()
        request.words_before = _words(obj) if change else None
        super().save_model(request, obj, form, change)

    def save_related(self, request, form, formsets, change):
        with transaction.atomic():
            super().save_related(request, form, formsets, change)
            self._record(request, "change" if change else "add", form.instance, request.words_before)

    def delete_model(self, request, obj):
        with transaction.atomic():
            before, key = _words(obj), obj.pk
            super().delete_model(request, obj)
            obj.pk = key
            self._record(request, "delete", obj, before, gone=True)

    def get_actions(self, request):
        """Deleting is done one by one, where the rule about what was published is asked."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def _record(self, request, deed, obj, before, *, gone=False):
        audit.record(
            actor_id=request.user.id,
            action=f"announcement.{deed}",
            subject=f"announcement:{obj.pk}",
            before=before,
            after=None if gone else _words(obj),
            origin=audit.origin_of(request),
            now=timezone.now(),
        )


def _words(obj: Announcement) -> dict[str, Any]:
    row = Announcement.objects.get(pk=obj.pk)
    return {
        "slug": row.slug,
        "kind": row.kind,
        "published_at": str(row.published_at or ""),
        "banner_until": str(row.banner_until or ""),
        "tell": row.tell,
        "titles": {text.language: text.title for text in row.texts.all()},
    }
