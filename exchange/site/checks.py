"""Says at start-up when a language of the settings was not compiled: its pages would stand there half in English."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import Warning, register


@register()
def languages_are_compiled(app_configs: Any, **options: Any) -> list[Warning]:
    folder = Path(settings.LOCALE_PATHS[0])
    missing = [
        code
        for code, _ in settings.LANGUAGES
        if code != settings.LANGUAGE_CODE and not (folder / code / "LC_MESSAGES" / "django.mo").exists()
    ]
    hint = "Run `python -m deploy.languages compile`; `make setup` does."
    return [Warning(f"Not compiled: {', '.join(missing)}.", hint=hint, id="site.W001")] if missing else []
