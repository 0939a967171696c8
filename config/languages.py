"""The languages that pages and mails speak: those whose catalogue under locale/ is complete (a test holds that)."""

from pathlib import Path

# Each by its own name: who needs it may not read the language the page is in now.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_CODE = "en"
LOCALE_PATHS = [Path(__file__).resolve().parent.parent / "locale"]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 400 * 24 * 3600  # the longest that browsers keep one
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
# Languages that e-mails about an account's safety have words in (exchange/notifications/words.py).
MAIL_LANGUAGES = tuple(code for code, _ in LANGUAGES)
