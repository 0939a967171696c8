"""The model field of an amount. Any room that keeps amounts beside the ledger uses it.

What must never happen here: an amount that is not a whole number of base units.
"""

from django.core.exceptions import ValidationError
from django.core.validators import DecimalValidator
from django.db import models


class BaseUnits(models.DecimalField):
    """An amount in the asset's base unit: numeric(78, 0) in PostgreSQL (2^256 has 78 digits), an int in Python."""

    def __init__(self, *args, **kwargs):
        kwargs["max_digits"] = 78
        kwargs["decimal_places"] = 0
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    @property
    def validators(self):
        """Without DecimalValidator, which cannot look at an int; to_python has refused fractions by then."""
        return [v for v in super().validators if not isinstance(v, DecimalValidator)]

    def from_db_value(self, value, expression, connection):
        return None if value is None else int(value)

    def to_python(self, value):
        if value is None or isinstance(value, int):
            return value
        decimal = super().to_python(value)
        if not decimal.is_finite() or decimal != decimal.to_integral_value():
            raise ValidationError("A whole number of base units is needed.", code="invalid")
        return int(decimal)
