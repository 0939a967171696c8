"""Pure ground floor: amounts, ids, errors. Nothing here may import Django, Celery or Channels."""
