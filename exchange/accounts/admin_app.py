"""Has Django's admin use our staff site. Apart from it, because Django imports this before there are models."""

from django.contrib.admin.apps import AdminConfig


class StaffAdmin(AdminConfig):
    """django.contrib.admin with our site for its default."""

    default = False
    default_site = "exchange.accounts.admin_site.StaffSite"
