"""Addresses of notifications and announcements; a part of `site`'s own."""

from django.urls import path

from exchange.site.views import announcements, notification_settings, notifications

urlpatterns = [
    path("account/notifications/", notifications.page, name="notifications"),
    path("account/notifications/latest/", notifications.latest, name="notifications_latest"),
    path("account/notifications/read/", notifications.read_all, name="read_all_notifications"),
    path("account/notifications/settings/", notification_settings.page, name="notification_settings"),
    path("account/notifications/settings/test/", notification_settings.test, name="notification_test"),
    path("account/notifications/settings/phone/", notification_settings.phone, name="notification_phone"),
    path(
        "account/notifications/settings/devices/<int:device_id>/remove/",
        notification_settings.remove_device,
        name="remove_push_device",
    ),
    path("account/notifications/<int:notification_id>/open/", notifications.open_one, name="open_notification"),
    path("push/worker.js", notifications.push_worker, name="push_worker"),
    path("announcements/", announcements.page, name="announcements"),
    path("announcements/feed/", announcements.Feed(), name="announcements_feed"),
    path("announcements/<slug:slug>/", announcements.one, name="announcement"),
]
