"""The whole book in one step: tables, triggers, the one door, grants. The models only describe it (managed=False)."""

from django.db import migrations, models

import exchange.ledger.models
from exchange.ledger.migrations import _functions, _grants, _tables


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.RunSQL(_tables.SQL, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(_functions.SQL, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(_grants.SQL, reverse_sql=migrations.RunSQL.noop, elidable=False),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.TextField()),
                ("asset_id", models.IntegerField()),
                ("owner_id", models.BigIntegerField(null=True)),
                ("label", models.TextField(default="")),
                ("balance", exchange.ledger.models.Amount(default=0, editable=False)),
                ("held", exchange.ledger.models.Amount(default=0, editable=False)),
                ("frozen", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "ledger_account",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("writer_id", models.SmallIntegerField()),
                ("seq", models.BigIntegerField()),
                ("first_transfer_id", models.BigIntegerField()),
                ("last_transfer_id", models.BigIntegerField()),
                ("transfers", models.IntegerField()),
                ("posted_at", models.DateTimeField()),
                ("previous", models.BinaryField()),
                ("hash", models.BinaryField()),
            ],
            options={
                "db_table": "ledger_batch",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("account_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("balance", exchange.ledger.models.Amount()),
            ],
            options={
                "db_table": "ledger_checkpoint",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("amount", exchange.ledger.models.Amount()),
            ],
            options={
                "db_table": "ledger_entry",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("source", models.TextField()),
                ("reason", models.TextField()),
                ("actor_id", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lifted_by", models.BigIntegerField(null=True)),
                ("lifted_reason", models.TextField(default="")),
                ("owner_id", models.BigIntegerField()),
            ],
            options={
                "db_table": "ledger_freeze",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("account_id", models.BigIntegerField()),
                ("amount", exchange.ledger.models.Amount()),
                ("state", models.TextField(default="pending")),
                ("reference", models.TextField(default="")),
                ("transfer_uuid", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("resolved_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "ledger_hold",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Stop",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("source", models.TextField()),
                ("reason", models.TextField()),
                ("actor_id", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lifted_by", models.BigIntegerField(null=True)),
                ("lifted_reason", models.TextField(default="")),
                ("scope", models.TextField()),
            ],
            options={
                "db_table": "ledger_stop",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("uuid", models.UUIDField()),
                ("batch_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("reference", models.TextField()),
                ("posted_at", models.DateTimeField()),
            ],
            options={
                "db_table": "ledger_transfer",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="TransferKey",
            fields=[
                ("uuid", models.UUIDField(primary_key=True, serialize=False)),
                ("transfer_id", models.BigIntegerField()),
                ("digest", models.BinaryField()),
            ],
            options={
                "db_table": "ledger_transfer_key",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Watermark",
            fields=[
                ("writer_id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
            ],
            options={
                "db_table": "ledger_watermark",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Writer",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("name", models.TextField(unique=True)),
                ("lane", models.BooleanField(default=False)),
                ("seq", models.BigIntegerField(default=0)),
                ("head", models.BinaryField()),
            ],
            options={
                "db_table": "ledger_writer",
                "managed": False,
            },
        ),
    ]
