"""Every address under /api/v1/. Money that moves by POST stands behind `once` or the order path's own idempotency."""

from django.urls import path, re_path

from exchange.accounts.api import keys
from exchange.accounts.api.threads import threaded
from exchange.accounts.api.views import MeView
from exchange.invoices.api import views as invoices
from exchange.notifications.api import views as notifications
from exchange.site.api import hot, views
from exchange.site.api.errors import not_found
from exchange.site.api.idempotency import once
from kyc.api import limits
from kyc.api import views as verification
from trading.api import views as trading
from wallets.api import views as wallets
from wallets.api import withdrawal_views as withdrawals

app_name = "api"
urlpatterns = [
    path("time", threaded(views.TimeView.as_view()), name="time"),
    path("openapi.json", threaded(views.OpenApiView.as_view()), name="openapi"),
    path("docs", views.docs, name="docs"),
    path("me", threaded(MeView.as_view()), name="me"),
    path("api-keys", threaded(keys.KeysView.as_view()), name="api_keys"),
    path("api-keys/<str:key_id>", threaded(keys.OneKeyView.as_view()), name="api_key"),
    path("assets", threaded(wallets.AssetsView.as_view()), name="assets"),
    path("prices", threaded(wallets.PricesView.as_view()), name="prices"),
    path("markets", threaded(trading.MarketsView.as_view()), name="markets"),
    path("markets/<str:symbol>", threaded(trading.MarketView.as_view()), name="market"),
    path("markets/<str:symbol>/book", threaded(trading.BookView.as_view()), name="book"),
    path("markets/<str:symbol>/trades", threaded(trading.MarketTradesView.as_view()), name="market_trades"),
    path("markets/<str:symbol>/ticker", threaded(trading.TickerView.as_view()), name="ticker"),
    path("markets/<str:symbol>/candles", threaded(trading.CandlesView.as_view()), name="candles"),
    path("tickers", threaded(trading.TickersView.as_view()), name="tickers"),
    path("orders", hot.orders, name="orders"),
    path("orders/oco", hot.oco, name="oco"),
    path("orders/batch", hot.batch, name="batch"),
    path("orders/cancel-after", hot.cancel_after, name="cancel_after"),
    path("orders/history", threaded(trading.OrderHistoryView.as_view()), name="order_history"),
    path("orders/<int:order_id>", hot.order, name="order"),
    path("orders/by-client-id/<str:client_order_id>", hot.order_by_client_id, name="order_by_client_id"),
    path("fees", threaded(trading.FeesView.as_view()), name="fees"),
    path("fills", threaded(trading.FillsView.as_view()), name="fills"),
    path("limits", threaded(limits.LimitsView.as_view()), name="limits"),
    path("balances", threaded(wallets.BalancesView.as_view()), name="balances"),
    path("deposit-addresses", threaded(wallets.DepositAddressesView.as_view()), name="deposit_addresses"),
    path("deposits", threaded(wallets.DepositsView.as_view()), name="deposits"),
    path("deposits/<uuid:deposit_id>", threaded(wallets.DepositView.as_view()), name="deposit"),
    path("withdrawals", threaded(once(withdrawals.WithdrawalsView.as_view())), name="withdrawals"),
    path("withdrawals/quote", threaded(withdrawals.WithdrawalQuoteView.as_view()), name="withdrawal_quote"),
    path("withdrawals/<uuid:withdrawal_id>", threaded(withdrawals.WithdrawalView.as_view()), name="withdrawal"),
    path(
        "withdrawals/<uuid:withdrawal_id>/cancel",
        threaded(withdrawals.WithdrawalCancelView.as_view()),
        name="withdrawal_cancel",
    ),
    path("withdrawal-addresses", threaded(withdrawals.WithdrawalAddressesView.as_view()), name="withdrawal_addresses"),
    path(
        "withdrawal-addresses/<int:entry_id>",
        threaded(withdrawals.WithdrawalAddressView.as_view()),
        name="withdrawal_address",
    ),
    path("withdrawal-mode", threaded(withdrawals.WithdrawalModeView.as_view()), name="withdrawal_mode"),
    path("notifications", threaded(notifications.NotificationsView.as_view()), name="notifications"),
    path("notifications/read", threaded(notifications.NotificationsReadView.as_view()), name="notifications_read"),
    path("push-devices", threaded(notifications.PushDevicesView.as_view()), name="push_devices"),
    path("push-devices/<int:device_id>", threaded(notifications.OnePushDeviceView.as_view()), name="push_device"),
    path("invoices", threaded(invoices.InvoicesView.as_view()), name="invoices"),
    path("invoices/<uuid:invoice_id>", threaded(invoices.InvoiceView.as_view()), name="invoice"),
    path("kyc", threaded(verification.StandingView.as_view()), name="kyc"),
    path("kyc/applications", threaded(verification.ApplicationsView.as_view()), name="kyc_applications"),
    path(
        "kyc/applications/<uuid:application_id>",
        threaded(verification.ApplicationView.as_view()),
        name="kyc_application",
    ),
    path("kyc/applications/<uuid:application_id>/words", threaded(verification.WordsView.as_view()), name="kyc_words"),
    path(
        "kyc/applications/<uuid:application_id>/pictures",
        threaded(verification.PicturesView.as_view()),
        name="kyc_pictures",
    ),
    path(
        "kyc/applications/<uuid:application_id>/pictures/<uuid:document_id>",
        threaded(verification.PictureView.as_view()),
        name="kyc_picture",
    ),
    path(
        "kyc/applications/<uuid:application_id>/submit", threaded(verification.SubmitView.as_view()), name="kyc_submit"
    ),
    re_path(r"^.*$", not_found),
]
