"""Cold storage as staff work it: shares, wallets, and proposals to bring coins back. Two people for everything that counts.

What must never happen here: a row edited by hand, or a deed of one person's that needs two (the services refuse it; the pages
only say so early).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from exchange.assets import selectors as assets
from exchange.core import amounts
from wallets import cold_desk, routes
from wallets.admin_base import ReadOnly
from wallets.admin_deeds import BeginForm, Deed, DeedAdmin
from wallets.models import ColdProposal, ColdWallet, HotLevel, HotShare
from wallets.services import cold_wallets, returns, shares


def _networks() -> list[tuple[str, str]]:
    return [(code, code) for code in routes.configured()]


def _links() -> list[tuple[str, str]]:
    usable = [link for link in assets.asset_networks(enabled_only=False) if routes.usable(link)]
    return [(f"{link.asset_code} {link.network}", f"{link.asset_code} on {link.network}") for link in usable]


def _text(label: str, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=UnfoldAdminTextInputWidget, **more)


# --- Shares -------------------------------------------------------------------------------------------------------


@admin.register(HotLevel)
class HotLevelAdmin(ReadOnly):
    """The picture: what lies hot, at deposit addresses and cold, against what may."""

    list_display = [
        "asset",
        "network",
        "hot_amount",
        "deposit_amount",
        "cold_amount",
        "looked_at",
        "low_since",
        "waiting",
    ]
    list_display_links = None
    ordering = ["network_id", "asset_id"]
    list_before_template = "wallets/admin/levels.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "levels": cold_desk.levels()})

    def _amount(self, row: HotLevel, units: int) -> str:
        asset = self.assets[row.asset_id]
        return f"{amounts.format(max(0, units), decimals=asset.decimals)} {asset.code}"

    @admin.display(description="Asset", ordering="asset_id")
    def asset(self, row: HotLevel) -> str:
        return str(self.assets[row.asset_id].code)

    @admin.display(description="Hot")
    def hot_amount(self, row: HotLevel) -> str:
        return self._amount(row, row.hot)

    @admin.display(description="At deposit addresses")
    def deposit_amount(self, row: HotLevel) -> str:
        return self._amount(row, row.deposit)

    @admin.display(description="Cold")
    def cold_amount(self, row: HotLevel) -> str:
        return self._amount(row, row.cold)


class ShareForm(BeginForm):
    link = forms.ChoiceField(label="Asset and network", choices=_links, widget=UnfoldAdminSelectWidget)
    percent = _text("Share that may lie hot, in percent", help_text="Of all our coins of this asset on this network.")
    floor = _text(
        "Floor", help_text="Stays hot however small the share is; below it staff are told to bring coins back."
    )
    least = _text("Smallest surplus worth a transaction")

    class Meta:
        model = HotShare
        fields: ClassVar[list[str]] = []

    def begin(self, data: dict[str, Any], actor_id: int) -> int:
        asset, _, network = data["link"].partition(" ")
        return shares.propose(
            asset=asset,
            network=network,
            percent=data["percent"],
            floor=data["floor"],
            least=data["least"],
            actor_id=actor_id,
            now=timezone.now(),
        )


def _approve_share(row_id: int, actor_id: int, data: dict[str, Any]) -> str:
    shares.approve(share_id=row_id, actor_id=actor_id, now=timezone.now())
    return "In force from now on."


def _withdraw_share(row_id: int, actor_id: int, data: dict[str, Any]) -> str:
    shares.withdraw(share_id=row_id, actor_id=actor_id, now=timezone.now())
    return "Withdrawn."


@admin.register(HotShare)
class HotShareAdmin(DeedAdmin):
    list_display = ["asset", "network", "share", "floor_amount", "least_amount", "state", "proposed_by", "approved_by"]
    fields = readonly_fields = [
        "asset", "network", "share", "floor_amount", "least_amount", "state", "proposed_by", "proposed_at",
        "approved_by", "approved_at", "replaced_at",
    ]  # fmt: skip
    ordering = ["-id"]
    begin_form = ShareForm
    deeds: ClassVar[dict[str, Deed]] = {
        "approve": Deed("Put in force", _approve_share, help="Not by whoever proposed it.", strong=True),
        "withdraw": Deed("Withdraw the proposal", _withdraw_share),
    }

    def open_deeds(self, row: HotShare) -> tuple[str, ...]:
        return ("approve", "withdraw") if row.approved_at is None and row.replaced_at is None else ()

    @admin.display(description="Asset")
    def asset(self, row: HotShare) -> str:
        return str(self.assets[row.asset_id].code)

    @admin.display(description="Share")
    def share(self, row: HotShare) -> str:
        return cold_desk.percent(row.share_ppm)

    @admin.display(description="Floor")
    def floor_amount(self, row: HotShare) -> str:
        return self._amount(row, row.floor)

    @admin.display(description="Smallest move")
    def least_amount(self, row: HotShare) -> str:
        return self._amount(row, row.least)

    def _amount(self, row: HotShare, units: int) -> str:
        asset = self.assets[row.asset_id]
        return f"{amounts.format(units, decimals=asset.decimals)} {asset.code}"

    @admin.display(description="State")
    def state(self, row: HotShare) -> str:
        if row.replaced_at is not None:
            return "replaced" if row.approved_at else "withdrawn"
        return "in force" if row.approved_at else "waits for a second pair of eyes"


# --- Wallets ------------------------------------------------------------------------------------------------------


class WalletForm(BeginForm):
    network = forms.ChoiceField(choices=_networks, widget=UnfoldAdminSelectWidget)
    name = _text("Name", max_length=cold_wallets.NAME_LENGTH_MAX, help_text="Such as where the device lies.")
    descriptor = forms.CharField(
        label="Descriptor, or account address",
        widget=UnfoldAdminTextareaWidget,
        max_length=4_000,
        help_text="Public keys only: wpkh(…), sh(wpkh(…)), tr(…), wsh(sortedmulti(…)) or sh(wsh(sortedmulti(…))), with origins,"
        " /<0;1>/* or /0/*, and the checksum; on an EVM network 0xAddress or [fingerprint/44h/60h/0h/0/0]0xAddress.",
    )

    class Meta:
        model = ColdWallet
        fields: ClassVar[list[str]] = []

    def begin(self, data: dict[str, Any], actor_id: int) -> int:
        return cold_wallets.propose(
            network=data["network"],
            name=data["name"],
            text=data["descriptor"],
            actor_id=actor_id,
            now=timezone.now(),
        )


class TypedForm(forms.Form):
    typed = _text(f"Last {cold_wallets.TYPED_LENGTH} characters of its first address", max_length=120)


def _approve_wallet(row_id: int, actor_id: int, data: dict[str, Any]) -> str:
    cold_wallets.approve(wallet_id=row_id, typed=data["typed"], actor_id=actor_id, now=timezone.now())
    return "In use. The signer sends there once it is in its own file: manage.py custody cold add, at the signer's machine."


def _discard_wallet(row_id: int, actor_id: int, data: dict[str, Any]) -> str:
    cold_wallets.discard(wallet_id=row_id, actor_id=actor_id, now=timezone.now())
    return "Discarded."


@admin.register(ColdWallet)
class ColdWalletAdmin(DeedAdmin):
    list_display = ["name", "network", "kind", "threshold", "state", "next_index", "created_by", "approved_by"]
    fields = readonly_fields = [
        "name", "network", "kind", "threshold", "descriptor", "state", "created_by", "created_at", "approved_by",
        "approved_at", "retired_at",
    ]  # fmt: skip
    ordering = ["-id"]
    begin_form = WalletForm
    change_form_outer_before_template = "wallets/admin/cold_wallet.html"
    deeds: ClassVar[dict[str, Deed]] = {
        "approve": Deed(
            "Take into use",
            _approve_wallet,
            TypedForm,
            help="Not by whoever proposed it. Have the device show its first receive address (for several keys: with all of"
            " them), such as by manage.py custody verify on your own machine, and type its end as its screen shows it.",
            strong=True,
        ),
        "discard": Deed("Discard", _discard_wallet, dangerous=True),
    }

    def open_deeds(self, row: ColdWallet) -> tuple[str, ...]:
        return ("approve", "discard") if row.approved_at is None and row.retired_at is None else ()

    def case(self, row: ColdWallet) -> dict[str, Any]:
        return cold_desk.wallet(row)

    @admin.display(description="State")
    def state(self, row: ColdWallet) -> str:
        if row.retired_at is not None:
            return "retired, and watched" if row.approved_at else "discarded"
        return "in use" if row.approved_at else "waits for a second pair of eyes"


# --- Proposals ----------------------------------------------------------------------------------------------------


class ProposalForm(BeginForm):
    link = forms.ChoiceField(label="Asset and network", choices=_links, widget=UnfoldAdminSelectWidget)
    amount = _text("Amount", help_text="What arrives at the hot wallet; “all” empties the wallet.")
    wallet = forms.ModelChoiceField(
        ColdWallet.objects.filter(approved_at__isnull=False).order_by("-id"),
        required=False,
        label="From",
        empty_label="The wallet in use",
        widget=UnfoldAdminSelectWidget,
    )
    fee_rate = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000,
        label="Fee rate, in base units per 1,000 vbytes",
        help_text="Empty: what the node estimates. Only for coins; an account pays what its network asks.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = ColdProposal
        fields: ClassVar[list[str]] = []

    def begin(self, data: dict[str, Any], actor_id: int) -> Any:
        asset, _, network = data["link"].partition(" ")
        wallet = data["wallet"]
        return returns.propose(
            asset=asset,
            network=network,
            amount=data["amount"],
            wallet_id=wallet.pk if wallet is not None else None,
            fee_rate=data["fee_rate"],
            actor_id=actor_id,
            now=timezone.now(),
        )


class FileForm(forms.Form):
    file = forms.FileField(label="Signed file", max_length=200, widget=UnfoldAdminFileFieldWidget)


class ReasonForm(forms.Form):
    reason = _text("Why", max_length=300)


def _approve(row_id: Any, actor_id: int, data: dict[str, Any]) -> str:
    returns.approve(payout_id=row_id, actor_id=actor_id, now=timezone.now())
    return "Approved. Download the file and carry it to the keys."


def _download(row_id: Any, actor_id: int, data: dict[str, Any]) -> HttpResponse:
    file = returns.export(payout_id=row_id, actor_id=actor_id, now=timezone.now())
    return HttpResponse(
        file.content,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{file.name}"', "Cache-Control": "no-store"},
    )


def _upload(row_id: Any, actor_id: int, data: dict[str, Any]) -> str:
    upload = data["file"]
    content = upload.read(returns.FILE_SIZE_MAX + 1)
    progress = returns.import_signed(payout_id=row_id, content=content, actor_id=actor_id, now=timezone.now())
    if progress.missing:
        return f"Taken in. Signed by {', '.join(progress.signed_by) or 'a part of the coins'}; {progress.missing} more must sign."
    return f"Complete and verified: transaction {progress.txid} is sent now."


def _cancel(row_id: Any, actor_id: int, data: dict[str, Any]) -> str:
    returns.cancel(payout_id=row_id, reason=data["reason"], actor_id=actor_id, now=timezone.now())
    return "Cancelled; the coins are free again."


@admin.register(ColdProposal)
class ColdProposalAdmin(DeedAdmin):
    list_display = ["payout_id", "money", "network_name", "cold", "state", "created_by", "approved_by", "created_at"]
    fields = readonly_fields = ["money", "network_name", "cold", "state", "created_by", "created_at"]
    list_select_related = ["payout", "cold"]
    ordering = ["-created_at"]
    begin_form = ProposalForm
    change_form_outer_before_template = "wallets/admin/proposal.html"
    deeds: ClassVar[dict[str, Deed]] = {
        "approve": Deed("Approve", _approve, help="Not by whoever proposed it.", strong=True),
        "download": Deed("Download the file", _download, strong=True),
        "upload": Deed("Bring the signed file", _upload, FileForm, strong=True),
        "cancel": Deed("Cancel the proposal", _cancel, ReasonForm, dangerous=True),
    }

    def get_queryset(self, request: HttpRequest) -> Any:
        # A file may have megabytes; a list of them needs none.
        return super().get_queryset(request).defer("psbt")

    def open_deeds(self, row: ColdProposal) -> tuple[str, ...]:
        if not cold_desk.is_open(row):
            return ("cancel",) if cold_desk.is_refused(row) else ()
        return ("download", "upload", "cancel") if row.approved_at is not None else ("approve", "cancel")

    def case(self, row: ColdProposal) -> dict[str, Any]:
        return {"proposal": cold_desk.proposal(row)}

    @admin.display(description="Amount")
    def money(self, row: ColdProposal) -> str:
        asset = self.assets[row.payout.asset_id]
        return f"{amounts.format(int(row.payout.amount or 0), decimals=asset.decimals)} {asset.code}"

    @admin.display(description="Network")
    def network_name(self, row: ColdProposal) -> str:
        return self.codes[row.payout.network_id]

    @admin.display(description="State")
    def state(self, row: ColdProposal) -> str:
        return cold_desk.state(row)
