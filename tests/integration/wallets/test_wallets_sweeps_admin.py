"""Staff see each sweep and what it waits for, and change nothing."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.utils import timezone

from wallets.models import Address, Sweep

pytestmark = pytest.mark.django_db


def test_a_sweep_is_shown_with_its_asset_and_what_it_waits_for(house, django_user_model):
    house.address(101, "ETH", "ethereum")
    address = Address.objects.get(owner_id=101, network_id=3)
    row = Sweep.objects.create(
        network_id=3, asset_id=4, address=address, waiting="hot_wallet_gas_short", created_at=timezone.now()
    )
    page = admin.site._registry[Sweep]
    request = RequestFactory().get("/")
    shown = page.get_queryset(request).get()
    assert (shown.pk, page.network(shown), page.asset(shown)) == (row.pk, "ethereum", "USDT")
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request, row)
    assert not page.has_delete_permission(request, row)
