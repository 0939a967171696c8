"""Which groups of words an application has, so that a list need not open them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kyc", "0004_screening"),
    ]

    operations = [
        migrations.AddField(
            model_name="application",
            name="document_type",
            field=models.SlugField(blank=True, help_text="Which kind of document is shown.", max_length=20),
        ),
        migrations.AddField(
            model_name="application",
            name="told_groups",
            field=models.JSONField(
                default=list, help_text="Which groups of words are filled in; the words are sealed."
            ),
        ),
    ]
