"""Second factors: what is asked for where, and allauth's own settings for them. config/settings/base.py takes all of it."""

from config.environment import env

# A factor before withdrawals and API keys. Tests that are about something else do without; config.settings.prod refuses False.
# The staff pages ask for one whatever stands here.
SECOND_FACTOR_REQUIRED = env.bool("SECOND_FACTOR_REQUIRED", True)
STEP_UP_SECONDS = 300  # so long a confirmation holds
STAFF_SESSION_HOURS = 12  # so long a factor opens the staff pages to read; each change asks for a confirmation besides
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = STEP_UP_SECONDS

MFA_ADAPTER = "exchange.accounts.second_factors.adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# A passkey asks for its PIN or a fingerprint, so that a log-in with it is two factors in one.
MFA_WEBAUTHN_USER_VERIFICATION = "required"
# A code that was current half a minute ago, or will be next, is taken: clocks differ, and people type slowly. What was taken
# once is not taken again (second_factors.codes).
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "authenticate": "exchange.accounts.second_factors.forms.AuthenticateForm",
    "reauthenticate": "exchange.accounts.second_factors.forms.ReauthenticateForm",
    "activate_totp": "exchange.accounts.second_factors.forms.ActivateTotpForm",
}
