"""Staff look at invoices and their payments. Nothing is changed here: a state is worked out, never set."""

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from exchange.invoices.models import Invoice, Payment


class SeenOnly:
    """A page to look at."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class PaymentInline(SeenOnly, TabularInline):
    model = Payment
    extra = 0


@admin.register(Invoice)
class InvoiceAdmin(SeenOnly, ModelAdmin):
    list_display = ["id", "merchant_id", "asset", "amount", "state", "exception", "order_reference", "created_at"]
    list_filter = ["state", "exception", "asset"]
    search_fields = ["=id", "=merchant_id", "=order_reference", "=address"]
    inlines = [PaymentInline]
    show_full_result_count = False
