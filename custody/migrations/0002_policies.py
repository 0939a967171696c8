"""The policy: edits by two people, decisions, the triggers that hold both to their rules, and the first rules."""

from datetime import UTC, datetime
from hashlib import sha256
from json import dumps

import django.db.models.deletion
from django.db import migrations, models

import exchange.assets.fields
import exchange.core.ids

TABLES = ("custody_policy_edit", "custody_policy_approval", "custody_policy_cancellation", "custody_decision")

RIGHTS = "\n".join(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM bourse_app;" for table in TABLES)
# 7301: one transaction at a time proposes, approves or cancels; custody/services/policies.py takes the same lock.
EDIT_TRIGGERS = """
CREATE FUNCTION custody_one_open_edit() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7301, 0);
  IF EXISTS (SELECT FROM custody_policy_edit e
             LEFT JOIN custody_policy_approval a ON a.edit_id = e.id
             LEFT JOIN custody_policy_cancellation c ON c.edit_id = e.id
             WHERE c.edit_id IS NULL AND (a.edit_id IS NULL OR a.in_force_at > NEW.proposed_at)) THEN
    RAISE EXCEPTION 'another edit of the policy is open' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION custody_two_people() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
  proposer bigint;
  base bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(7301, 0);
  SELECT proposed_by, base_id INTO proposer, base FROM custody_policy_edit WHERE id = NEW.edit_id;
  IF base IS NOT NULL AND (NEW.approved_by IS NULL OR NEW.approved_by = proposer) THEN
    RAISE EXCEPTION 'an edit of the policy needs a second person' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.in_force_at < NEW.approved_at THEN
    RAISE EXCEPTION 'an edit cannot be in force before it is approved' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT FROM custody_policy_cancellation WHERE edit_id = NEW.edit_id) THEN
    RAISE EXCEPTION 'this edit was cancelled' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION custody_cancel_in_time() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7301, 0);
  IF EXISTS (SELECT FROM custody_policy_approval
             WHERE edit_id = NEW.edit_id AND in_force_at <= NEW.cancelled_at) THEN
    RAISE EXCEPTION 'this edit is in force' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER custody_one_open_edit BEFORE INSERT ON custody_policy_edit
  FOR EACH ROW EXECUTE FUNCTION custody_one_open_edit();
CREATE TRIGGER custody_two_people BEFORE INSERT ON custody_policy_approval
  FOR EACH ROW EXECUTE FUNCTION custody_two_people();
CREATE TRIGGER custody_cancel_in_time BEFORE INSERT ON custody_policy_cancellation
  FOR EACH ROW EXECUTE FUNCTION custody_cancel_in_time();
"""
TRIGGERS = EDIT_TRIGGERS + "\n".join(
    f"CREATE TRIGGER custody_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION custody_refuse_change();"
    for table in TABLES
)
NO_TRIGGERS = (
    "\n".join(f"DROP TRIGGER custody_append_only ON {table};" for table in TABLES)
    + """
DROP TRIGGER custody_cancel_in_time ON custody_policy_cancellation;
DROP TRIGGER custody_two_people ON custody_policy_approval;
DROP TRIGGER custody_one_open_edit ON custody_policy_edit;
DROP FUNCTION custody_cancel_in_time();
DROP FUNCTION custody_two_people();
DROP FUNCTION custody_one_open_edit();
"""
)
# asset: (decimals, one approval above, two approvals above), in whole units.
FIRST = {
    "BTC": (8, "0.25", "1"),
    "LTC": (8, "50", "200"),
    "ETH": (18, "5", "20"),
    "USDT": (6, "10000", "50000"),
    "BNB": (18, "15", "60"),
    "POL": (18, "20000", "80000"),
    "AVAX": (18, "300", "1200"),
    "FTM": (18, "15000", "60000"),
}
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def first_rules():
    """For each asset: a large one, or many within a day, needs one approval, a very large one two; the rest may go."""
    rules = []
    for asset, (decimals, large, huge) in FIRST.items():
        for approvers, bound, word in ((2, huge, "very large"), (1, large, "large")):
            units = _base_units(bound, decimals)
            review = {"effect": "review", "assets": [asset], "approvers": approvers}
            window = {"scope": "customer", "seconds": 86_400, "amount_max": str(2 * units)}
            rules.append({"name": f"{asset}, {word}", **review, "amount_above": str(units)})
            rules.append({"name": f"{asset}, {word} within a day", **review, "window": window})
        rules.append({"name": f"{asset}, the rest", "effect": "allow", "assets": [asset]})
    return rules


def _base_units(text, decimals):
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(decimals, "0"))


def seed(apps, schema_editor):
    rules = first_rules()
    text = dumps(rules, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    edit = apps.get_model("custody", "PolicyEdit").objects.using(schema_editor.connection.alias)
    approval = apps.get_model("custody", "PolicyApproval").objects.using(schema_editor.connection.alias)
    made = edit.create(
        rules=rules, digest=sha256(text.encode()).hexdigest(), note="The first rules", proposed_at=BEGINNING
    )
    approval.create(edit=made, approved_at=BEGINNING, in_force_at=BEGINNING)


def one_to_one(related_name):
    return models.OneToOneField(
        on_delete=django.db.models.deletion.PROTECT,
        primary_key=True,
        related_name=related_name,
        serialize=False,
        to="custody.policyedit",
    )


class Migration(migrations.Migration):
    dependencies = [("custody", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="PolicyEdit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("rules", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
                ("note", models.CharField(max_length=400)),
                ("proposed_by", models.BigIntegerField(blank=True, null=True)),
                ("proposed_at", models.DateTimeField()),
                (
                    "base",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="custody.policyedit",
                    ),
                ),
            ],
            options={
                "db_table": "custody_policy_edit",
                "verbose_name": "edit of the policy",
                "verbose_name_plural": "withdrawal policy",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("base", None), ("proposed_by", None))
                        | models.Q(("base__isnull", False), ("proposed_by__isnull", False)),
                        name="custody_policy_edit_by_somebody",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PolicyApproval",
            fields=[
                ("edit", one_to_one("approval")),
                ("approved_by", models.BigIntegerField(blank=True, null=True)),
                ("approved_at", models.DateTimeField()),
                ("in_force_at", models.DateTimeField()),
            ],
            options={"db_table": "custody_policy_approval"},
        ),
        migrations.CreateModel(
            name="PolicyCancellation",
            fields=[
                ("edit", one_to_one("cancellation")),
                ("cancelled_by", models.BigIntegerField()),
                ("cancelled_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=400)),
            ],
            options={"db_table": "custody_policy_cancellation"},
        ),
        migrations.CreateModel(
            name="PolicyDecision",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=exchange.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("subject", models.CharField(max_length=200)),
                ("owner_id", models.BigIntegerField(blank=True, null=True)),
                ("asset", models.CharField(max_length=12)),
                ("network", models.CharField(max_length=20)),
                ("amount", exchange.assets.fields.BaseUnits()),
                ("destination", models.CharField(max_length=8)),
                ("initiator", models.CharField(max_length=8)),
                ("spent", models.JSONField()),
                ("effect", models.CharField(max_length=8)),
                ("rule", models.CharField(blank=True, max_length=80)),
                ("code", models.CharField(blank=True, max_length=40)),
                ("explanation", models.TextField()),
                ("approvers", models.PositiveSmallIntegerField(default=0)),
                ("decided_at", models.DateTimeField()),
                (
                    "edit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="custody.policyedit"
                    ),
                ),
            ],
            options={
                "db_table": "custody_decision",
                "verbose_name": "decision of the policy",
                "verbose_name_plural": "decisions of the policy",
                "indexes": [
                    models.Index(fields=["subject"], name="custody_decision_subject"),
                    models.Index(fields=["owner_id", "-id"], name="custody_decision_owner"),
                ],
            },
        ),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
