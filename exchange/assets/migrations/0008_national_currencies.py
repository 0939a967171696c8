"""National currencies that values can be shown in. They are known by their rate alone: switched off, so nobody can hold one."""

from django.db import migrations

CURRENCIES = (("EUR", "Euro", 2), ("GBP", "Pound sterling", 2), ("CHF", "Swiss franc", 2))


def add(apps, schema_editor):
    asset = apps.get_model("assets", "Asset")
    using = schema_editor.connection.alias
    last = max(asset.objects.using(using).values_list("id", flat=True), default=0)
    for number, (code, name, decimals) in enumerate(CURRENCIES, start=max(last + 1, 900)):
        asset.objects.using(using).get_or_create(
            code=code,
            defaults={
                "id": number,
                "name": name,
                "kind": "fiat",
                "decimals": decimals,
                "display_decimals": decimals,
                "position": number,
                "enabled": False,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("assets", "0007_rate_day")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
