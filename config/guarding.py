"""Settings of what guards customers, for config.settings to take in. Plain values: nothing here opens a key."""

from config.environment import env

# So long withdrawals wait after a credential was changed; 0: not at all.
CREDENTIAL_PAUSE_H = env.int("CREDENTIAL_PAUSE_H", 24)
# The cookie by which a browser is known again; nothing of the browser is measured.
DEVICE_COOKIE_NAME = "device"
DEVICE_COOKIE_AGE = 400 * 24 * 3600  # the longest that browsers keep one
# "This was not me" in an e-mail is good for so long.
NOT_ME_LINK_DAYS = env.int("NOT_ME_LINK_DAYS", 30)
# Pwned Passwords' range API, such as https://api.pwnedpasswords.com/range/; empty: nobody is asked.
BREACHED_PASSWORDS_URL = env.str("BREACHED_PASSWORDS_URL", "")
# A data export can be downloaded for so long, and asked for so often.
EXPORT_KEPT_DAYS = env.int("EXPORT_KEPT_DAYS", 7)
EXPORT_EVERY_H = env.int("EXPORT_EVERY_H", 24)
# One address a customer: a new one takes the old one's place when it is confirmed, and both are told.
ACCOUNT_CHANGE_EMAIL = True
# allauth would refuse a new address to who has a second factor; we ask for that factor instead (exchange.accounts.guarding).
MFA_ALLOW_UNVERIFIED_EMAIL = True
