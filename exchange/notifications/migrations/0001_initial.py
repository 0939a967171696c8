"""The table of notifications."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("event_id", models.BigIntegerField(help_text="The outbox event it tells of.")),
                ("kind", models.CharField(max_length=40)),
                ("title", models.CharField(max_length=120)),
                ("body", models.CharField(blank=True, max_length=500)),
                ("link", models.CharField(blank=True, help_text="A path of ours.", max_length=200)),
                ("created_at", models.DateTimeField()),
                ("read_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["user_id", "-id"], name="notifications_inbox"),
                    models.Index(
                        condition=models.Q(("read_at", None)), fields=["user_id"], name="notifications_unread"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "event_id"), name="notifications_told_once")
                ],
            },
        ),
    ]
