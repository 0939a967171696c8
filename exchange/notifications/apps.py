"""Registers the room with Django: the inbox, e-mail, push, SMS and announcements; readers of the outbox."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "exchange.notifications"
    label = "notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.accounts import registry as accounts
        from exchange.notifications import log_ins, messages, remembered  # noqa: F401  (log_ins connects itself to a signal)
        from exchange.notifications.services import inbox, planning
        from exchange.outbox import registry

        for topic in messages.BY_TOPIC.keys() - messages.TO_EVERYBODY:
            registry.reader(topic, name=f"notifications.inbox:{topic}")(inbox.put)
            # The name is what waiting deliveries remember, from when this reader sent the mail itself.
            registry.reader(topic, name=f"notifications.mail:{topic}")(planning.plan)
        accounts.exports("notifications", remembered.notifications)
        accounts.exports("notification_targets", remembered.targets)
