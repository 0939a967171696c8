"""Registers the room with Django: e-mail and in-app notifications, readers of the outbox."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "exchange.notifications"
    label = "notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from exchange.notifications import messages, services
        from exchange.outbox import registry

        for topic in messages.BY_TOPIC:
            registry.reader(topic, name=f"notifications.inbox:{topic}")(services.put_in_inbox)
            if topic not in messages.MAILED_BY_OTHERS:
                registry.reader(topic, name=f"notifications.mail:{topic}")(services.send_mail)
