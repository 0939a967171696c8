"""Rows of people (`people`); what guards them stands in modules beside it, one for each matter."""

from exchange.accounts.models.people import User, UserQueries

__all__ = ["User", "UserQueries"]
