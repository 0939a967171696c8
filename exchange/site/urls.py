"""Addresses of the pages."""

from django.urls import path

from exchange.site.views import account, address_book, api_keys, markets, public, security, trade, wallet, withdrawals

app_name = "site"
urlpatterns = [
    path("", public.home, name="home"),
    path("markets/", markets.board, name="markets"),
    path("trade/", trade.first, name="trade_first"),
    path("trade/<str:symbol>/", trade.market, name="trade"),
    path("orders/", account.orders, name="orders"),
    path("orders/<int:order_id>/cancel/", account.cancel_order, name="cancel_order"),
    path("wallet/", wallet.overview, name="wallet"),
    path("wallet/live/", wallet.overview_live, name="wallet_live"),
    path("wallet/deposit/<str:asset>/", wallet.deposit, name="deposit"),
    path("wallet/deposit/<str:asset>/live/", wallet.deposit_live, name="deposit_live"),
    path("wallet/withdraw/<str:asset>/", withdrawals.withdraw, name="withdraw"),
    path("wallet/withdrawals/confirm/<str:token>/", withdrawals.confirm, name="confirm_withdrawal"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/", withdrawals.withdrawal, name="withdrawal"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/live/", withdrawals.withdrawal_live, name="withdrawal_live"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/cancel/", withdrawals.cancel, name="cancel_withdrawal"),
    path("wallet/addresses/", address_book.page, name="addresses"),
    path("wallet/addresses/mode/", address_book.set_mode, name="address_mode"),
    path("wallet/addresses/<int:entry_id>/label/", address_book.relabel, name="relabel_address"),
    path("wallet/addresses/<int:entry_id>/remove/", address_book.remove, name="remove_address"),
    path("wallet/history/", account.history, name="history"),
    path("account/api-keys/", api_keys.page, name="api_keys"),
    path("account/api-keys/new/", api_keys.new, name="new_api_key"),
    path("account/api-keys/<str:key_id>/label/", api_keys.rename, name="rename_api_key"),
    path("account/api-keys/<str:key_id>/revoke/", api_keys.revoke, name="revoke_api_key"),
    path("account/not-me/<str:token>/", security.not_me, name="not_me"),
    path("status/", public.status, name="status"),
    path("status/live/", public.status_live, name="status_live"),
]
