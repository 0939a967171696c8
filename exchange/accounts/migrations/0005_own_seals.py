"""Seals each factor's secret for its own user. Until now all of them shared one context."""

import base64

from django.db import migrations

from exchange.secrets import services as secrets

_PURPOSE = "mfa"
_SHARED = "mfa"


def _resealed(sealed, user_id):
    plaintext = secrets.open(purpose=_PURPOSE, sealed=base64.b64decode(sealed), context=_SHARED)
    own = secrets.seal(purpose=_PURPOSE, plaintext=plaintext, context=f"user:{user_id}")
    return f"{user_id}:{base64.b64encode(own).decode()}"


def seal_for_own_user(apps, schema_editor):
    rows = apps.get_model("mfa", "Authenticator").objects.using(schema_editor.connection.alias)
    for row in rows.filter(type__in=["totp", "recovery_codes"]).order_by("id").iterator():
        for name in ("secret", "seed"):
            if name in row.data and ":" not in row.data[name]:
                row.data[name] = _resealed(row.data[name], row.user_id)
        row.save(update_fields=["data"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_second_factors"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("secrets", "0001_initial"),
    ]

    operations = [migrations.RunPython(seal_for_own_user, migrations.RunPython.noop)]
