"""Destroys the copies of customers' data that are sealed with the house's key: from now on each is sealed with its customer's own,
which an erasure destroys."""

from django.db import migrations


def destroy(apps, schema_editor):
    alias = schema_editor.connection.alias
    apps.get_model("accounts", "ExportPiece").objects.using(alias).all().delete()
    apps.get_model("accounts", "Export").objects.using(alias).filter(state="ready").update(state="expired")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_own_seals")]

    operations = [migrations.RunPython(destroy, migrations.RunPython.noop)]
