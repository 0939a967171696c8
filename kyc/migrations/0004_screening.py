"""Sanctions lists in versions, who was screened against them, and the cases that came of it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kyc", "0003_applications"),
    ]

    operations = [
        migrations.CreateModel(
            name="ListedEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("list_code", models.CharField(max_length=20, verbose_name="list")),
                ("uid", models.CharField(max_length=20)),
                ("digest", models.CharField(max_length=64)),
                ("body", models.JSONField()),
            ],
            options={
                "verbose_name": "listed entry",
                "verbose_name_plural": "listed entries",
            },
        ),
        migrations.CreateModel(
            name="ListedAddress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(db_index=True, max_length=210)),
                ("currency", models.CharField(max_length=8)),
                ("address", models.CharField(max_length=200)),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="addresses", to="kyc.listedentry"
                    ),
                ),
            ],
            options={
                "verbose_name": "listed address",
                "verbose_name_plural": "listed addresses",
            },
        ),
        migrations.CreateModel(
            name="ListVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("list_code", models.CharField(max_length=20, verbose_name="list")),
                (
                    "state",
                    models.CharField(
                        choices=[("in_force", "In force"), ("replaced", "Replaced"), ("refused", "Refused")],
                        max_length=10,
                    ),
                ),
                (
                    "published",
                    models.DateField(help_text="The day that the file names; empty where it names none.", null=True),
                ),
                ("sha256", models.CharField(max_length=64)),
                (
                    "source",
                    models.CharField(
                        help_text="The address it was fetched from, or the names of its files.", max_length=300
                    ),
                ),
                ("loaded_at", models.DateTimeField()),
                (
                    "loaded_by",
                    models.BigIntegerField(help_text="The member of staff; empty: the house itself.", null=True),
                ),
                ("entries", models.PositiveIntegerField(default=0)),
                ("names", models.PositiveIntegerField(default=0)),
                ("addresses", models.PositiveIntegerField(default=0)),
                ("added", models.PositiveIntegerField(default=0, help_text="Entries that are new or changed.")),
                ("removed", models.PositiveIntegerField(default=0, help_text="Entries that are gone or changed.")),
                ("refusal", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "verbose_name": "version of a sanctions list",
                "verbose_name_plural": "sanctions lists",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "in_force")),
                        fields=("list_code",),
                        name="kyc_one_version_in_force",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="listedentry",
            name="first_version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kyc.listversion"
            ),
        ),
        migrations.AddField(
            model_name="listedentry",
            name="last_version",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kyc.listversion"
            ),
        ),
        migrations.CreateModel(
            name="Screening",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("epoch", models.BigIntegerField(default=0)),
                ("enrolled", models.BooleanField(default=False)),
                ("screened_at", models.DateTimeField(null=True)),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "verbose_name": "screened customer",
                "indexes": [
                    models.Index(fields=["epoch", "user_id"], name="kyc_screening_epoch"),
                    models.Index(fields=["screened_at"], name="kyc_screening_age"),
                    models.Index(
                        condition=models.Q(("enrolled", True)), fields=["-user_id"], name="kyc_screening_enrolled"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScreeningCase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("person", "Name"),
                            ("withdrawal", "Address paid to"),
                            ("deposit", "Address paid from"),
                        ],
                        max_length=10,
                    ),
                ),
                ("list_code", models.CharField(max_length=20, verbose_name="list")),
                ("entry_uid", models.CharField(max_length=20)),
                ("subject", models.CharField(blank=True, max_length=220)),
                ("network", models.CharField(blank=True, max_length=20)),
                ("score", models.PositiveSmallIntegerField(default=100)),
                ("strong", models.BooleanField(default=True)),
                (
                    "name_place",
                    models.PositiveSmallIntegerField(help_text="Which of the entry's names fits best.", null=True),
                ),
                (
                    "birth",
                    models.CharField(
                        blank=True, help_text="same, other, or empty where one side does not say.", max_length=5
                    ),
                ),
                ("country", models.CharField(blank=True, help_text="As for the birth.", max_length=5)),
                (
                    "fingerprint",
                    models.CharField(blank=True, help_text="Of what was known of the customer then.", max_length=64),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("cleared", "Cleared"), ("confirmed", "Confirmed")],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("opened_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(help_text="When it was last found again.")),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="cases", to="kyc.listedentry"
                    ),
                ),
            ],
            options={
                "ordering": ["-strong", "-score", "id"],
            },
        ),
        migrations.CreateModel(
            name="ScreeningOpinion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("actor_id", models.BigIntegerField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[("clear", "Somebody else: clear"), ("confirm", "The same: confirm")], max_length=8
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("at", models.DateTimeField()),
                (
                    "given_on",
                    models.CharField(
                        choices=[("open", "Open"), ("cleared", "Cleared"), ("confirmed", "Confirmed")], max_length=10
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="opinions", to="kyc.screeningcase"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddConstraint(
            model_name="listedentry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("last_version", None)), fields=("list_code", "uid"), name="kyc_listed_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="listedentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("last_version", None), ("last_version__gte", models.F("first_version")), _connector="OR"
                ),
                name="kyc_listed_forwards",
            ),
        ),
        migrations.AddIndex(
            model_name="screeningcase",
            index=models.Index(
                condition=models.Q(("state__in", ["open", "confirmed"])), fields=["user_id"], name="kyc_case_live"
            ),
        ),
        migrations.AddIndex(
            model_name="screeningcase",
            index=models.Index(fields=["user_id", "list_code", "entry_uid"], name="kyc_case_of_entry"),
        ),
        migrations.AddIndex(
            model_name="screeningcase",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True), fields=["subject"], name="kyc_case_subject"
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningcase",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["open", "confirmed"])),
                fields=("user_id", "kind", "list_code", "entry_uid", "subject"),
                name="kyc_one_live_case",
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningcase",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at", None), ("state", "open")),
                    models.Q(models.Q(("state", "open"), _negated=True), ("decided_at__isnull", False)),
                    _connector="OR",
                ),
                name="kyc_case_decided",
            ),
        ),
        migrations.AddConstraint(
            model_name="screeningcase",
            constraint=models.CheckConstraint(condition=models.Q(("score__lte", 100)), name="kyc_case_score"),
        ),
        migrations.AddConstraint(
            model_name="screeningopinion",
            constraint=models.UniqueConstraint(
                fields=("case", "actor_id", "verdict", "given_on"), name="kyc_one_opinion_a_person"
            ),
        ),
        # A state of an entry is written once; that a later version no longer has it is all that is ever added. What staff said to
        # a case stays as it was said.
        migrations.RunSQL(
            """
            REVOKE UPDATE, DELETE, TRUNCATE ON kyc_listedentry, kyc_listedaddress, kyc_screeningopinion FROM bourse_app;
            REVOKE DELETE, TRUNCATE ON kyc_listversion, kyc_screeningcase FROM bourse_app;
            GRANT UPDATE (last_version_id) ON kyc_listedentry TO bourse_app;
            """,
            migrations.RunSQL.noop,
        ),
    ]
