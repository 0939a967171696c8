"""The one staff site: Unfold's look, django-otp's rule, allauth's log-in.

Staff log in where everybody does. What must never happen here: a log-in form of the admin's own, which would let a password in
without its second factor, and past the limits on guessing.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django_otp.admin import OTPAdminSite
from unfold.sites import UnfoldAdminSite

from exchange.accounts import admin_lists
from exchange.accounts.second_factors import selectors, stepping
from exchange.core.errors import PermissionDenied


class NotStaff(PermissionDenied):
    """Somebody logged in who is not of the staff."""

    code = "not_staff"


class StaffSite(UnfoldAdminSite, OTPAdminSite):
    """django.contrib.admin.site: what `@admin.register` fills. Only a verified session has permission."""

    login_template = None  # django-otp's own: there is no form
    index_title = gettext_lazy("Dashboard")

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Every list is made quick as it is taken up."""
        super().register(model_or_iterable, admin_class, **options)
        for model in model_or_iterable if isinstance(model_or_iterable, (list, tuple)) else [model_or_iterable]:
            if (page := self._registry.get(model)) is not None:
                admin_lists.quicken(page)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """No form: leads to the log-in, to the set-up of a factor, or to the confirmation, and then back."""
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
            wanted = reverse("admin:index")
        if self.has_permission(request):
            return redirect(wanted)
        user = request.user
        if not user.is_authenticated:
            page = reverse("account_login")
        elif not (user.is_staff and user.is_active):
            raise NotStaff("This page is for staff.")
        elif selectors.has_factor(user.pk):
            page = stepping.confirm_page(user.pk)
        else:
            page = reverse("mfa_index")
        return redirect(f"{page}?{urlencode({'next': wanted})}")

    @method_decorator(never_cache)
    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one page for it, which tells its owner and what else goes with it."""
        return redirect("account_change_password")
