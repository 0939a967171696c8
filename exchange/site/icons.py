"""The site's own line icons and coin marks, as path data on a 24 × 24 grid.

They live in Python so that a template prints them inline (no request, no flash, colour from the text around them) and so that a
misspelt name fails a test instead of leaving a hole in the page. Nothing here may come from a user.
"""

ICONS: dict[str, str] = {
    "alert": '<path d="M12 4 2.8 19.5h18.4L12 4Z"/><path d="M12 10v4M12 16.9v.1"/>',
    "arrow-in": '<path d="M12 4v11M7.5 11 12 15.5 16.5 11M4.5 20h15"/>',
    "arrow-left": '<path d="M19 12H5M11 6l-6 6 6 6"/>',
    "arrow-out": '<path d="M12 15.5v-11M7.5 9 12 4.5 16.5 9M4.5 20h15"/>',
    "arrow-right": '<path d="M5 12h14M13 6l6 6-6 6"/>',
    "bank": '<path d="M3.5 9.5 12 4.5l8.5 5v1h-17v-1ZM5.5 10.5V17M10 10.5V17M14 10.5V17M18.5 10.5V17M3.5 19.5h17"/>',
    "bell": '<path d="M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15l1.5-2ZM10 20.5a2.2 2.2 0 0 0 4 0"/>',
    "book": '<path d="M4 6h9M4 10h6M4 14h9M4 18h6M17 6h3M15 10h5M17 14h3M15 18h5"/>',
    "candles": '<path d="M7 4v3M7 15v5M17 3v4M17 13v5"/><rect x="4.5" y="7" width="5" height="8" rx="1"/>'
    '<rect x="14.5" y="7" width="5" height="6" rx="1"/>',
    "check": '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
    "chevron": '<path d="m6 9 6 6 6-6"/>',
    "clock": '<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5l3 2"/>',
    "close": '<path d="M6 6l12 12M18 6 6 18"/>',
    "copy": '<rect x="8.5" y="8.5" width="11" height="11" rx="2"/>'
    '<path d="M15.5 5.5v-.5a1.5 1.5 0 0 0-1.5-1.5H6A2.5 2.5 0 0 0 3.5 6v8A1.5 1.5 0 0 0 5 15.5h.5"/>',
    "eye": '<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"/><circle cx="12" cy="12" r="2.8"/>',
    "globe": '<circle cx="12" cy="12" r="8.5"/><path d="M3.5 12h17"/>'
    '<path d="M12 3.5c2.6 2.4 3.9 5.2 3.9 8.5s-1.3 6.1-3.9 8.5c-2.6-2.4-3.9-5.2-3.9-8.5s1.3-6.1 3.9-8.5Z"/>',
    "help": '<circle cx="12" cy="12" r="8.5"/><path d="M9.6 9.7a2.4 2.4 0 1 1 3.4 2.2c-.7.3-1 .8-1 1.6M12 16.4v.1"/>',
    "history": '<path d="M4 12a8 8 0 1 0 2.5-5.8L4 8.5M4 4v4.5h4.5M12 8v4.5l3 1.8"/>',
    "home": '<path d="M4 11.5 12 4.5l8 7M6.5 10v9.5h11V10M10 19.5v-5h4v5"/>',
    "info": '<circle cx="12" cy="12" r="8.5"/><path d="M12 11v5.2M12 7.8v.1"/>',
    "key": '<circle cx="8" cy="15.5" r="4"/><path d="m11 12.5 8-8M16 7.5l2.5 2.5"/>',
    "keyboard": '<rect x="3" y="6.5" width="18" height="11" rx="2"/>'
    '<path d="M7 10.5h.1M10.3 10.5h.1M13.7 10.5h.1M17 10.5h.1M8 14h8"/>',
    "link": '<path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1"/>',
    "list": '<path d="M9 6.5h11M9 12h11M9 17.5h11M4.5 6.5h.1M4.5 12h.1M4.5 17.5h.1"/>',
    "lock": '<rect x="5" y="10.5" width="14" height="9.5" rx="2"/><path d="M8 10.5V8a4 4 0 0 1 8 0v2.5"/>',
    "mail": '<rect x="3.5" y="5.5" width="17" height="13" rx="2"/><path d="m4 7.5 8 6 8-6"/>',
    "megaphone": '<path d="M4 10v4h3.5l9.5 4.5v-13L7.5 10H4ZM7.5 14.2v4.3h3v-2.9M20 10.5v3"/>',
    "moon": '<path d="M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z"/>',
    "out": '<path d="M14 4.5H6.5v15H14M10.5 12H20M16.5 8.5 20 12l-3.5 3.5"/>',
    "pulse": '<path d="M3 12h4l2.5-6.5 5 13L17 12h4"/>',
    "receipt": '<path d="M6 3.5v17l2-1.5 2 1.5 2-1.5 2 1.5 2-1.5 2 1.5v-17l-2 1.5-2-1.5-2 1.5-2-1.5-2 1.5-2-1.5Z"/>'
    '<path d="M9.5 9.5h5M9.5 13h5"/>',
    "search": '<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5"/>',
    "settings": '<path d="M4 7.5h8M16.5 7.5H20M4 16.5h3.5M12 16.5h8"/>'
    '<circle cx="14.2" cy="7.5" r="2.2"/><circle cx="9.8" cy="16.5" r="2.2"/>',
    "shield": '<path d="M12 3.5 5 6v5.5c0 4.3 2.9 7.4 7 9 4.1-1.6 7-4.7 7-9V6l-7-2.5Z"/><path d="m9 12 2.2 2.2L15.2 10"/>',
    "star": '<path d="m12 4 2.5 5.1 5.6.8-4 4 .9 5.6-5-2.7-5 2.7.9-5.6-4-4 5.6-.8L12 4Z"/>',
    "sun": '<circle cx="12" cy="12" r="3.8"/>'
    '<path d="M12 3v1.8M12 19.2V21M3 12h1.8M19.2 12H21M5.6 5.6l1.3 1.3M17.1 17.1l1.3 1.3M18.4 5.6l-1.3 1.3M6.9 17.1l-1.3 1.3"/>',
    "swap": '<path d="M4 8.5h14.5M15 5l3.5 3.5L15 12M20 15.5H5.5M9 12l-3.5 3.5L9 19"/>',
    "user": '<circle cx="12" cy="8.5" r="3.8"/><path d="M4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5"/>',
    "wallet": '<path d="M4 7.5v10A2.5 2.5 0 0 0 6.5 20h11.5a2 2 0 0 0 2-2v-8a2 2 0 0 0-2-2H5.5A1.5 1.5 0 0 1 4 6.5v0'
    'A2.5 2.5 0 0 1 6.5 4H17"/><path d="M16 14h.1"/>',
}

COINS: dict[str, str] = {
    "BTC": '<path d="M10 8.5v15M10 8.5h7.2a3.6 3.6 0 0 1 0 7.2H10M17.8 15.7a3.9 3.9 0 0 1 0 7.8H10"/>'
    '<path d="M12.5 6v2.5M16 6v2.5M12.5 23.5V26M16 23.5V26"/>',
    "LTC": '<path d="M15 7.5 12 23h9.5M10.5 18l8-3.5"/>',
    "ETH": '<path d="m16 6 6.5 10.5L16 20.5l-6.5-4L16 6Z"/><path d="m10.5 20.5 5.5 5.5 5.5-5.5"/>',
    "USDT": '<path d="M9.5 9h13M16 9v16M10 14.5c0 1.5 2.7 2.5 6 2.5s6-1 6-2.5"/>',
    "USD": '<path d="M20.5 11.5c-.8-1.8-2.4-2.7-4.5-2.7-2.5 0-4.3 1.3-4.3 3.4 0 4.9 9 2.5 9 7.3 0 2.2-2 3.7-4.7 3.7'
    '-2.3 0-4.2-1-4.9-3M16 6.5v19"/>',
}

LOGO = '<path d="M2.5 9 12 3l9.5 6v1.8h-19V9Z"/><path d="M4.5 13.5h3.2V21H4.5zM10.4 12.2h3.2V21h-3.2zM16.3 15.5h3.2V21h-3.2z"/>'
