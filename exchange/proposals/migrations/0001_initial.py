"""Proposals: the run-time role writes a wish, and once what was decided about it; nothing else of it ever changes."""

from django.db import migrations, models
from django.db.models import F, Q

GUARDED = """
REVOKE UPDATE, DELETE, TRUNCATE ON proposals_proposal FROM bourse_app;
GRANT UPDATE (outcome, decided_by, decided_at, refusal) ON proposals_proposal TO bourse_app;
CREATE FUNCTION proposals_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome <> '' THEN
        RAISE EXCEPTION 'proposal % was decided', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposals_decided_once BEFORE UPDATE ON proposals_proposal
    FOR EACH ROW EXECUTE FUNCTION proposals_decided_once();
"""
UNGUARDED = """
DROP TRIGGER proposals_decided_once ON proposals_proposal;
DROP FUNCTION proposals_decided_once();
GRANT UPDATE, DELETE ON proposals_proposal TO bourse_app;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=40)),
                (
                    "subject",
                    models.CharField(help_text="What it would change: market:BTC-USD, user:12.", max_length=80),
                ),
                ("before", models.JSONField(help_text="What stands, of what would change.")),
                ("after", models.JSONField(help_text="What is to stand.")),
                ("reason", models.CharField(max_length=500)),
                ("proposed_by", models.BigIntegerField()),
                ("proposed_at", models.DateTimeField()),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Waits for somebody else"),
                            ("applied", "In force"),
                            ("unknown", "Approved; the engine has not answered"),
                            ("refused", "Refused"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("decided_by", models.BigIntegerField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("refusal", models.CharField(blank=True, default="", max_length=500)),
            ],
            options={
                "verbose_name": "proposal",
                "verbose_name_plural": "proposals",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(condition=Q(("outcome", "")), fields=["proposed_at"], name="proposals_waiting")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(("outcome", "")), fields=("kind", "subject"), name="proposals_one_waits"
                    ),
                    models.CheckConstraint(
                        condition=Q(outcome="", decided_by=None, decided_at=None)
                        | (~Q(outcome="") & Q(decided_by__isnull=False, decided_at__isnull=False)),
                        name="proposals_decided_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=~Q(("outcome__in", ["applied", "unknown"])) | ~Q(("decided_by", F("proposed_by"))),
                        name="proposals_two_people",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDED, UNGUARDED),
    ]
