"""Drop a file here, add its section to the config, restart: it is a plugin.

`app/porch/hookspecs.py` is the manual. SHIPPED names the plugins that come with Guerdon: any other is a
studio's own, is asked before them, and may take over what they give.
"""

SHIPPED = (
    "gamemonitoring",
    "listforge",
    "topgg",
    "votifier",
    "gold",
    "items",
    "roles",
    "vip",
    "promo_codes",
    "claim_queue",
    "g123",
    "sud",
    "webhook",
    "vote_sites",
    "pingbacks",
    "rcon",
    "webrcon",
    "pterodactyl",
)
