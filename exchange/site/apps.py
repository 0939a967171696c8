"""Registers the room with Django: pages and API root that span apps; the demo."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "exchange.site"
    label = "site_pages"
    verbose_name = "Site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from exchange.site import checks, taking_along  # noqa: F401  (checks register themselves)
        from exchange.site.api import news

        news.register()
        taking_along.register()
