"""The site as `make lighthouse` has it served: static files are hashed, compressed and kept, as in production."""

from config.settings.dev import *  # noqa: F403
from config.settings.dev import env

STATIC_ROOT = env.str("STATIC_ROOT")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False
WHITENOISE_AUTOREFRESH = False
