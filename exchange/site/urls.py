"""Addresses of the pages."""

from django.urls import path

from exchange.site.views import account, markets, public, trade, wallet

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
    path("wallet/withdraw/<str:asset>/", wallet.withdraw, name="withdraw"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/", wallet.withdrawal, name="withdrawal"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/live/", wallet.withdrawal_live, name="withdrawal_live"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/cancel/", wallet.cancel_withdrawal, name="cancel_withdrawal"),
    path("wallet/history/", account.history, name="history"),
    path("status/", public.status, name="status"),
    path("status/live/", public.status_live, name="status_live"),
]
