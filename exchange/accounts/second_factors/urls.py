"""Addresses below accounts/ that our guarded views answer in place of allauth's, which are included after them."""

from django.contrib.auth.decorators import login_required
from django.urls import path
from django.views.decorators.cache import never_cache

from exchange.accounts.second_factors import pages


def _page(view):
    return never_cache(login_required(view.as_view()))


urlpatterns = [
    path("reauthenticate/", _page(pages.ReauthenticatePassword), name="account_reauthenticate"),
    path("2fa/", _page(pages.Index), name="mfa_index"),
    path("2fa/reauthenticate/", _page(pages.Reauthenticate), name="mfa_reauthenticate"),
    path("2fa/totp/activate/", _page(pages.ActivateTotp), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", _page(pages.DeactivateTotp), name="mfa_deactivate_totp"),
    path("2fa/webauthn/add/", _page(pages.AddPasskey), name="mfa_add_webauthn"),
    path("2fa/webauthn/reauthenticate/", _page(pages.ReauthenticatePasskey), name="mfa_reauthenticate_webauthn"),
    path("2fa/webauthn/keys/<int:pk>/remove/", _page(pages.RemovePasskey), name="mfa_remove_webauthn"),
    path("2fa/webauthn/keys/<int:pk>/edit/", _page(pages.EditPasskey), name="mfa_edit_webauthn"),
    path("2fa/recovery-codes/", _page(pages.ViewRecoveryCodes), name="mfa_view_recovery_codes"),
    path("2fa/recovery-codes/generate/", _page(pages.GenerateRecoveryCodes), name="mfa_generate_recovery_codes"),
    path("2fa/recovery-codes/download/", _page(pages.DownloadRecoveryCodes), name="mfa_download_recovery_codes"),
]
