"""Incidents, and the news of them. What was published is not rewritten: of news the run-time role only adds and reads."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("site_pages", "0004_statement"),
    ]

    operations = [
        migrations.CreateModel(
            name="Incident",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "part",
                    models.CharField(
                        choices=[
                            ("everything", "The whole site"),
                            ("log_in", "Logging in"),
                            ("trading", "Trading"),
                            ("deposits", "Deposits"),
                            ("withdrawals", "Withdrawals"),
                            ("api", "API"),
                            ("other", "Something else"),
                        ],
                        max_length=12,
                    ),
                ),
                ("words", models.JSONField(help_text="The headline by language.")),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, help_text="Empty: it goes on.", null=True)),
            ],
            options={
                "db_table": "site_pages_incident",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(condition=models.Q(("ended_at", None)), fields=["id"], name="site_pages_incident_open")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("words__has_key", "en")), name="site_pages_incident_in_english"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_at", None), ("ended_at__gte", models.F("started_at")), _connector="OR"
                        ),
                        name="site_pages_incident_ends_after_it_began",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentNews",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("looking", "We are looking into it"),
                            ("found", "We know the cause"),
                            ("watching", "Mended, and we keep watching"),
                            ("over", "Over"),
                        ],
                        max_length=8,
                    ),
                ),
                ("words", models.JSONField(help_text="What is known, by language.")),
                ("at", models.DateTimeField()),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="news", to="site_pages.incident"
                    ),
                ),
            ],
            options={
                "db_table": "site_pages_incident_news",
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("words__has_key", "en")), name="site_pages_incident_news_in_english"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            "REVOKE UPDATE, DELETE ON site_pages_incident_news FROM bourse_app",
            "GRANT UPDATE, DELETE ON site_pages_incident_news TO bourse_app",
        ),
    ]
