"""Ways out of the house (deliveries, devices, telephones, preferences, providers) and announcements."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Phone",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("sealed", models.BinaryField(max_length=400)),
                ("ending", models.CharField(help_text="Its last digits, to be known again.", max_length=4)),
                ("code_hash", models.CharField(blank=True, max_length=64)),
                ("code_expires_at", models.DateTimeField(blank=True, null=True)),
                ("tries_left", models.PositiveSmallIntegerField(default=0)),
                ("sent", models.PositiveSmallIntegerField(default=0, help_text="Codes since `sent_since`.")),
                ("sent_since", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("failures", models.PositiveIntegerField(default=0, help_text="In a row.")),
                ("paused_until", models.DateTimeField(blank=True, null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Announcement",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "slug",
                    models.SlugField(help_text="Its address: /announcements/<this>/.", max_length=80, unique=True),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("news", "News"),
                            ("maintenance", "Maintenance"),
                            ("listing", "Markets and assets"),
                            ("security", "Security"),
                        ],
                        default="news",
                        max_length=12,
                    ),
                ),
                (
                    "published_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Shows from then on (UTC). Empty: a draft, which staff alone see.",
                        null=True,
                    ),
                ),
                (
                    "banner_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Stands on top of every page until then (UTC). Empty: no banner.",
                        null=True,
                    ),
                ),
                (
                    "tell",
                    models.BooleanField(
                        default=False,
                        help_text="Every customer gets a notification once it is published.",
                        verbose_name="notify customers",
                    ),
                ),
                ("told_event_id", models.BigIntegerField(blank=True, editable=False, null=True)),
                (
                    "told_up_to",
                    models.BigIntegerField(default=0, editable=False, help_text="The last person who was told."),
                ),
                (
                    "told_at",
                    models.DateTimeField(blank=True, editable=False, help_text="When the last one was.", null=True),
                ),
                ("created_by", models.BigIntegerField(editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
            ],
            options={
                "ordering": ["-published_at", "-id"],
                "indexes": [
                    models.Index(fields=["-published_at", "-id"], name="notifications_announced"),
                    models.Index(
                        condition=models.Q(("tell", True), ("told_at", None)),
                        fields=["id"],
                        name="notifications_to_announce",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.BigIntegerField(help_text="The outbox event it tells of.")),
                ("user_id", models.BigIntegerField()),
                ("kind", models.CharField(max_length=40)),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "E-mail"),
                            ("web_push", "Push to a browser"),
                            ("fcm", "Push through FCM"),
                            ("apns", "Push through APNs"),
                            ("sms", "SMS"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "target",
                    models.CharField(
                        help_text="Which of the person's targets: a device's number, or the address's hash.",
                        max_length=64,
                    ),
                ),
                (
                    "address",
                    models.EmailField(
                        blank=True,
                        help_text="Of an e-mail: where to, as it stood when the event happened.",
                        max_length=254,
                    ),
                ),
                ("device_id", models.BigIntegerField(blank=True, null=True)),
                (
                    "provider",
                    models.CharField(
                        help_text="Who carries it; all that one carries waits where it is down.", max_length=80
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Being sent"),
                            ("sent", "Sent"),
                            ("dead", "Given up"),
                            ("dropped", "Not needed any more"),
                            ("unknown", "Unknown whether it was sent"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                (
                    "due_at",
                    models.DateTimeField(help_text="Not tried before; while it is being sent: the end of the lease."),
                ),
                ("expires_at", models.DateTimeField(help_text="Given up after that.")),
                ("error", models.CharField(blank=True, help_text="What the last attempt ended with.", max_length=300)),
                (
                    "reference",
                    models.CharField(blank=True, help_text="The provider's own number for it.", max_length=120),
                ),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "sending"])),
                        fields=["channel", "due_at"],
                        name="notifications_delivery_due",
                    ),
                    models.Index(fields=["user_id", "-id"], name="notifications_delivery_person"),
                    models.Index(
                        condition=models.Q(("state", "dead")), fields=["id"], name="notifications_delivery_dead"
                    ),
                    models.Index(fields=["created_at"], name="notifications_delivery_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("event_id", "user_id", "channel", "target"), name="notifications_delivery_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("sent_at__isnull", False), ("state", "sent")),
                            models.Q(models.Q(("state", "sent"), _negated=True), ("sent_at", None)),
                            _connector="OR",
                        ),
                        name="notifications_delivery_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Preference",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                ("topic", models.CharField(max_length=20)),
                ("channel", models.CharField(max_length=10)),
                ("wanted", models.BooleanField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user_id", "topic", "channel"), name="notifications_preference_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PushDevice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField()),
                (
                    "platform",
                    models.CharField(
                        choices=[("web_push", "Browser"), ("fcm", "Android phone"), ("apns", "iPhone or iPad")],
                        max_length=10,
                    ),
                ),
                ("token_hash", models.CharField(help_text="SHA-256 of platform and token.", max_length=64)),
                ("token", models.TextField(help_text="The device's token; of a browser: the endpoint.")),
                ("p256dh", models.CharField(blank=True, max_length=120)),
                ("auth", models.CharField(blank=True, max_length=40)),
                ("label", models.CharField(max_length=60)),
                (
                    "session_hash",
                    models.CharField(help_text="SHA-256 of the log-in's key; the device goes with it.", max_length=64),
                ),
                ("created_at", models.DateTimeField()),
                ("last_sent_at", models.DateTimeField(blank=True, null=True)),
                ("dropped_at", models.DateTimeField(blank=True, null=True)),
                ("drop_reason", models.CharField(blank=True, max_length=40)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("dropped_at", None)), fields=["user_id"], name="notifications_devices"
                    ),
                    models.Index(
                        condition=models.Q(("dropped_at", None)),
                        fields=["session_hash"],
                        name="notifications_device_log_in",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("dropped_at", None)),
                        fields=("token_hash",),
                        name="notifications_one_person_a_device",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AnnouncementText",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("language", models.CharField(max_length=10)),
                ("title", models.CharField(max_length=100)),
                (
                    "summary",
                    models.CharField(help_text="For the banner, the list and the notification.", max_length=240),
                ),
                (
                    "body",
                    models.TextField(help_text="Plain text; an empty line begins a paragraph, addresses become links."),
                ),
                (
                    "announcement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="texts",
                        to="notifications.announcement",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("announcement", "language"), name="notifications_text_once")
                ],
            },
        ),
    ]
