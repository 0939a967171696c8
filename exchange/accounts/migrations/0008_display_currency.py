"""In which currency a customer's pages show values."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_address_confirmed_at")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="display_currency",
            field=models.CharField(
                blank=True,
                default="",
                help_text="In which values are shown; empty: the reference currency.",
                max_length=12,
            ),
        ),
    ]
