"""Jobs, signatures and refusals; who may read and write them; and the trigger that lets nobody change them."""

import django.db.models.deletion
from django.db import migrations, models

GRANTS = """
REVOKE UPDATE, DELETE, TRUNCATE ON custody_signing_job FROM bourse_app;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON custody_signature, custody_refusal FROM bourse_app;
GRANT SELECT ON custody_signing_job TO bourse_signer;
GRANT INSERT (job_id, raw, txid, signed_at, signer_pid) ON custody_signature TO bourse_signer;
GRANT INSERT (job_id, code, reason, refused_at, signer_pid) ON custody_refusal TO bourse_signer;
-- Which jobs are answered, and nothing of the answers.
GRANT SELECT (job_id) ON custody_signature, custody_refusal TO bourse_signer;
-- The role is what the database says, not what the process says.
ALTER TABLE custody_signature ALTER COLUMN database_role SET DEFAULT current_user;
ALTER TABLE custody_refusal ALTER COLUMN database_role SET DEFAULT current_user;
"""
NO_GRANTS = """
ALTER TABLE custody_refusal ALTER COLUMN database_role DROP DEFAULT;
ALTER TABLE custody_signature ALTER COLUMN database_role DROP DEFAULT;
REVOKE ALL ON custody_signing_job, custody_signature, custody_refusal FROM bourse_signer;
"""
APPEND_ONLY = """
CREATE FUNCTION custody_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER custody_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody_signing_job
  FOR EACH STATEMENT EXECUTE FUNCTION custody_refuse_change();
CREATE TRIGGER custody_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody_signature
  FOR EACH STATEMENT EXECUTE FUNCTION custody_refuse_change();
CREATE TRIGGER custody_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody_refusal
  FOR EACH STATEMENT EXECUTE FUNCTION custody_refuse_change();
-- A job has one answer: signed or refused.
CREATE FUNCTION custody_one_answer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.job_id::text, 7));
  IF EXISTS (SELECT FROM custody_signature WHERE job_id = NEW.job_id)
     OR EXISTS (SELECT FROM custody_refusal WHERE job_id = NEW.job_id) THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER custody_one_answer BEFORE INSERT ON custody_signature
  FOR EACH ROW EXECUTE FUNCTION custody_one_answer();
CREATE TRIGGER custody_one_answer BEFORE INSERT ON custody_refusal
  FOR EACH ROW EXECUTE FUNCTION custody_one_answer();
"""
CHANGEABLE = """
DROP TRIGGER custody_one_answer ON custody_refusal;
DROP TRIGGER custody_one_answer ON custody_signature;
DROP FUNCTION custody_one_answer();
DROP TRIGGER custody_append_only ON custody_refusal;
DROP TRIGGER custody_append_only ON custody_signature;
DROP TRIGGER custody_append_only ON custody_signing_job;
DROP FUNCTION custody_refuse_change();
"""


def answer(related_name):
    return (
        "job",
        models.OneToOneField(
            on_delete=django.db.models.deletion.PROTECT,
            primary_key=True,
            related_name=related_name,
            serialize=False,
            to="custody.signingjob",
        ),
    )


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="SigningJob",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("network", models.CharField(max_length=40)),
                ("kind", models.CharField(max_length=20)),
                ("unsigned", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
                ("reference", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
            ],
            options={"db_table": "custody_signing_job"},
        ),
        migrations.CreateModel(
            name="Signature",
            fields=[
                answer("signature"),
                ("raw", models.BinaryField()),
                ("txid", models.CharField(max_length=80)),
                ("signed_at", models.DateTimeField()),
                ("signer_pid", models.IntegerField()),
                ("database_role", models.TextField()),
            ],
            options={"db_table": "custody_signature"},
        ),
        migrations.CreateModel(
            name="Refusal",
            fields=[
                answer("refusal"),
                ("code", models.CharField(max_length=40)),
                ("reason", models.TextField()),
                ("refused_at", models.DateTimeField()),
                ("signer_pid", models.IntegerField()),
                ("database_role", models.TextField()),
            ],
            options={"db_table": "custody_refusal"},
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
