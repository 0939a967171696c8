"""Indexes for the lists of staff: what is open, and all in the order in which they were made."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("kyc", "0007_level_proposals")]

    operations = [
        migrations.AddIndex(
            model_name="application",
            index=models.Index(fields=["-created_at"], name="kyc_application_made"),
        ),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(
                condition=Q(("state__in", ["submitted", "in_review", "resubmit"])),
                fields=["state"],
                name="kyc_application_open",
            ),
        ),
    ]
