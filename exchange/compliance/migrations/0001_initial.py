"""The history of looks at our solvency, and the trigger that lets nobody change it."""

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields

APPEND_ONLY = """
CREATE FUNCTION compliance_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER compliance_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compliance_solvency_look
  FOR EACH STATEMENT EXECUTE FUNCTION compliance_refuse_change();
CREATE TRIGGER compliance_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON compliance_solvency_asset
  FOR EACH STATEMENT EXECUTE FUNCTION compliance_refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON compliance_solvency_look, compliance_solvency_asset FROM bourse_app;
"""
CHANGEABLE = """
DROP TRIGGER compliance_append_only ON compliance_solvency_asset;
DROP TRIGGER compliance_append_only ON compliance_solvency_look;
DROP FUNCTION compliance_refuse_change();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="SolvencyLook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_at", models.DateTimeField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[("covered", "Covered"), ("short", "SHORT"), ("unknown", "Not fully seen")],
                        max_length=8,
                    ),
                ),
                ("unreachable", models.JSONField(default=list)),
            ],
            options={
                "verbose_name": "look at solvency",
                "verbose_name_plural": "solvency",
                "db_table": "compliance_solvency_look",
                "indexes": [models.Index(fields=["-made_at"], name="compliance_solvency_made")],
            },
        ),
        migrations.CreateModel(
            name="SolvencyAsset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asset_id", models.SmallIntegerField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[("covered", "Covered"), ("short", "SHORT"), ("unknown", "Not fully seen")],
                        max_length=8,
                    ),
                ),
                ("owed", exchange.assets.fields.BaseUnits()),
                ("seen", exchange.assets.fields.BaseUnits()),
                ("hot", exchange.assets.fields.BaseUnits()),
                ("cold", exchange.assets.fields.BaseUnits()),
                ("deposit", exchange.assets.fields.BaseUnits()),
                ("other", exchange.assets.fields.BaseUnits()),
                ("pending", exchange.assets.fields.BaseUnits()),
                ("unseen", exchange.assets.fields.BaseUnits()),
                ("own", exchange.assets.fields.BaseUnits()),
                ("debts_to_us", exchange.assets.fields.BaseUnits()),
                ("alarm", models.CharField(blank=True, default="", max_length=8)),
                (
                    "look",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="assets", to="compliance.solvencylook"
                    ),
                ),
            ],
            options={
                "verbose_name": "asset's solvency",
                "verbose_name_plural": "assets' solvency",
                "db_table": "compliance_solvency_asset",
                "indexes": [models.Index(fields=["asset_id", "-id"], name="compliance_solvency_by_asset")],
                "constraints": [
                    models.UniqueConstraint(fields=("look", "asset_id"), name="compliance_solvency_asset_once")
                ],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
