"""Ethereum's validators name the blocks that cannot be taken back: deposits wait for their word instead of a number of blocks."""

from django.db import migrations

ETHEREUM = 3


def finalized(apps, schema_editor):
    alias = schema_editor.connection.alias
    apps.get_model("assets", "Network").objects.using(alias).filter(id=ETHEREUM).update(finalized=True)


class Migration(migrations.Migration):
    dependencies = [("assets", "0005_one_way_to_say_depth")]

    operations = [migrations.RunPython(finalized, migrations.RunPython.noop)]
