"""A person's own machine on which cold coins are signed for (`manage.py custody sign`): a clone, a device, nothing else.

What must never happen here: a database, a broker, a node, a secret, or a setting that has to be filled in first.
"""

DEBUG = False
DEMO = False
SECRET_KEY = "nothing-here-signs-a-cookie"  # noqa: S105 - Django wants a value; nothing here uses it
ALLOWED_HOSTS: list[str] = []
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "custody"]
DATABASES: dict[str, dict[str, object]] = {}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
CHAINS: dict[str, dict[str, object]] = {}
KEYSTORE_PATH = ""
