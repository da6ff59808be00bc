"""A service with every plugin of ours switched on, and rules that pay for every kind of event."""

from app.testing.services import ALL_PLUGINS
from tests.world.sud import KEYS

REPORTERS = """
[plugins.g123]
host = "{platform}"
app_id = "app"
app_secret = "g123-secret"
[plugins.sud]
report_url = "{platform}/report_game_info"
KEYS
[plugins.webhook]
url = "{platform}/report_game_info"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
""".replace("KEYS", KEYS)
RULES = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [
  { reward = "gold", amount = "100.00" },
  { reward = "item", item = "sword", quantity = 1 },
  { reward = "role", role = "voter", days = 7 },
  { reward = "vip", days = 1 },
  { reward = "claim", payload = { command = "give {nickname} diamond 1" } },
]
[[rules]]
name = "level 10 and above"
on = "level_up"
where = { level = { at_least = 10 } }
give = [{ reward = "gold", amount = "5.00" }]
[[rules]]
name = "who was there"
on = "game_start"
give = [{ reward = "role", role = "player" }]
[[rules]]
name = "the winner of a round"
on = "game_settle"
where = { rank = 1 }
give = [{ reward = "gold", amount = "50.00" }]
"""


def point_at(platform: str) -> str:
    """The sections of every plugin, with its reports sent to this address."""
    return ALL_PLUGINS + REPORTERS.replace("{platform}", platform)
