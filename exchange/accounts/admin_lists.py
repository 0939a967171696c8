"""What makes every list of the staff site as quick at a million rows as at ten: the site does it to each page it takes up, so
that no room can forget it.

Nothing is counted that is large (a small table is counted exactly), a search goes by equality on typed values and so by an index,
and a filter's choices come from the planner's statistics, not from a walk over the column.
What must never happen here: a cast of an indexed column, or a DISTINCT over a table that only grows.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

from django.contrib import admin
from django.contrib.admin.filters import AllValuesFieldListFilter
from django.core.cache import cache
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db import connection, models
from django.db.models import Q
from django.http import HttpRequest
from unfold.paginator import InfinitePaginator

LARGE = 20_000  # rows; a table of less is read whole in a blink
PER_PAGE = 50
KEPT_S = 60
_ROWS = """
SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c WHERE c.oid = to_regclass(%(table)s)
   OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(%(table)s))
"""
_VALUES = """
SELECT DISTINCT v FROM pg_stats s, unnest(s.most_common_vals::text::text[]) AS v
WHERE s.attname = %(column)s AND s.schemaname = current_schema() AND s.tablename IN (
  SELECT c.relname FROM pg_class c WHERE c.oid = to_regclass(%(table)s)
     OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(%(table)s)))
"""


def rows(model: type[models.Model]) -> int:
    """About how many the table has, by the last look of PostgreSQL's own; one look at the catalog in a minute."""
    found: int = cache.get_or_set(f"staff:rows:{model._meta.db_table}", lambda: _rows(model), KEPT_S)
    return found


def _rows(model: type[models.Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"table": connection.ops.quote_name(model._meta.db_table)})
        return int(cursor.fetchone()[0])


class KnownValues(AllValuesFieldListFilter):
    """The choices of a column: of a large table, those that its statistics know."""

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        if rows(field.model) >= LARGE:
            self.lookup_choices = _common(field)


def _common(field: Any) -> list[Any]:
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(field.model._meta.db_table)
        cursor.execute(_VALUES, {"table": table, "column": field.column})
        return sorted(field.to_python(value) for (value,) in cursor.fetchall())


def quicken(page: admin.ModelAdmin[Any]) -> None:
    """Once for each page, as the site takes it up."""
    page.show_full_result_count = False
    page.list_per_page = min(page.list_per_page, PER_PAGE)
    page.list_filter = [_filter(page, each) for each in page.list_filter]
    if page.paginator is Paginator:
        page.get_paginator = MethodType(_paginator, page)  # type: ignore[method-assign]
    if type(page).get_search_results is admin.ModelAdmin.get_search_results:
        page.get_search_results = MethodType(_search, page)  # type: ignore[method-assign]


def _filter(page: Any, wanted: Any) -> Any:
    """A plain column, of which Django would ask for all values that are there, by what is known of it."""
    if not isinstance(wanted, str):
        return wanted
    try:
        field = page.model._meta.get_field(wanted)
    except FieldDoesNotExist:
        return wanted
    plain = not (field.is_relation or field.choices or isinstance(field, (models.BooleanField, models.DateField)))
    return (wanted, KnownValues) if plain else wanted


def _paginator(
    self: Any, request: HttpRequest, queryset: Any, per_page: int, orphans: int = 0, allow_empty_first_page: bool = True
) -> Paginator[Any]:
    sort = InfinitePaginator if rows(queryset.model) >= LARGE else Paginator
    return sort(queryset, per_page, orphans, allow_empty_first_page)


def _search(self: Any, request: HttpRequest, queryset: Any, term: str) -> tuple[Any, bool]:
    """The whole of what was typed, as each column would have it; "__startswith" by the index of beginnings."""
    term = term.strip()
    if not term:
        return queryset, False
    asked = Q(pk__in=[])
    for wanted in self.get_search_fields(request):
        exact = wanted.startswith("=") or wanted.endswith("__exact")
        path = wanted.removeprefix("=").removesuffix("__exact").removesuffix("__startswith")
        if wanted.endswith("__startswith"):
            asked |= Q(**{f"{path}__startswith": term.lower()})
        elif not exact:
            asked |= Q(**{f"{path}__icontains": term})
        else:
            try:
                asked |= _equal(queryset.model, path, term)
            except ValidationError:
                continue  # no value of this column is written so
    return queryset.filter(asked), False


def _equal(model: Any, path: str, term: str) -> Q:
    """A column of another table is looked up there first: an OR over a join would walk both."""
    first, _dash, rest = path.partition("__")
    field = model._meta.get_field(first)
    if not rest:
        return Q(**{first: field.to_python(term)})
    found = field.related_model._default_manager.filter(_equal(field.related_model, rest, term))
    return Q(**{f"{first}__in": list(found.values_list("pk", flat=True)[:PER_PAGE])})
