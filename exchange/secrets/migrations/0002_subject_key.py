"""The table of people's own keys; the keys themselves lie in files."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("secrets", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SubjectKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("subject", models.CharField(help_text='Whose: "customer:7".', max_length=80)),
                ("file", models.UUIDField(help_text="Which file holds it, wrapped under the master key.", unique=True)),
                ("created_at", models.DateTimeField()),
                (
                    "destroyed_at",
                    models.DateTimeField(help_text="From here on nothing sealed with it opens any more.", null=True),
                ),
            ],
            options={
                "db_table": "secrets_subject_key",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("destroyed_at", None)),
                        fields=("subject",),
                        name="secrets_one_living_key_a_subject",
                    )
                ],
            },
        ),
        # That there was a key, and when it was destroyed, is the proof of an erasure. A destroyed key never lives again.
        migrations.RunSQL(
            """
            REVOKE DELETE, TRUNCATE ON secrets_subject_key FROM bourse_app;
            CREATE FUNCTION secrets_subject_key_stays() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF OLD.destroyed_at IS NOT NULL OR NEW.subject <> OLD.subject OR NEW.file <> OLD.file THEN
                    RAISE EXCEPTION 'a destroyed key stays destroyed, and a key its owner''s'
                        USING ERRCODE = 'insufficient_privilege';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER secrets_subject_key_stays BEFORE UPDATE ON secrets_subject_key
                FOR EACH ROW EXECUTE FUNCTION secrets_subject_key_stays();
            """,
            "DROP FUNCTION secrets_subject_key_stays() CASCADE",
        ),
    ]
