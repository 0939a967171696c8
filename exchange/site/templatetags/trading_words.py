"""Words for orders in templates: their kind and what is special about them. Nothing here computes money."""

from django import template
from django.utils.translation import gettext, pgettext

from exchange.site.templatetags.bourse import grouped
from trading.presentation import OrderView

register = template.Library()

_SHORT = 8


@register.simple_tag
def order_terms(order: OrderView) -> str:
    """ "Stop limit · Post only": as the trade page's script says it."""
    return " · ".join([_kind(order.type), *_terms(order)])


def _kind(name: str) -> str:
    return {
        "limit": gettext("Limit"),
        "market": pgettext("order kind", "Market"),
        "stop": gettext("Stop"),
        "stop_limit": gettext("Stop limit"),
        "take_profit": gettext("Take profit"),
        "take_profit_limit": gettext("Take profit limit"),
        "trailing_stop": gettext("Trailing stop"),
    }[name]


def _terms(order: OrderView) -> list[str]:
    found = []
    if order.oco_order_id:
        found.append(gettext("Pair"))
    if order.trail:
        distance = f"{grouped(order.trail)} {order.market.split('-')[1]}"
        found.append(gettext("Trails by {distance}").format(distance=distance))
    if order.trail_percent:
        found.append(gettext("Trails by {distance}").format(distance=f"{order.trail_percent}%"))
    if order.display_quantity:
        found.append(gettext("Shows {amount}").format(amount=grouped(order.display_quantity)))
    if order.post_only and not order.oco_order_id:
        found.append(gettext("Post only"))
    if order.time_in_force in ("FOK", "IOC") and order.type != "market":
        found.append(order.time_in_force)
    if order.expires_at:
        found.append(gettext("Until {time}").format(time=f"{order.expires_at:%Y-%m-%d %H:%M} UTC"))
    return found


@register.filter
def shortly(text: str) -> str:
    """A figure to read, to about eight digits: an average has more than anybody looks at."""
    whole, point, fraction = text.partition(".")
    kept = fraction[: max(2, _SHORT - len(whole))].rstrip("0")
    return grouped(f"{whole}{point if kept else ''}{kept}")
