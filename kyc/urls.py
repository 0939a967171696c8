"""Addresses that identity providers call; customers' pages and staff's stand elsewhere."""

from django.urls import path

from kyc import webhooks

app_name = "kyc"
urlpatterns = [path("<slug:provider>/", webhooks.receive, name="webhook")]
