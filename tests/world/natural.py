"""A studio's plugin written the natural way: it reads a row, changes it, saves it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import urllib3

from app.testing.deliveries import make_delivery
from app.testing.gunicorn import Gunicorn

XP = """
from marshmallow import Schema
from peewee import CharField, IntegerField, Model
from app import hookimpl

class Xp(Model):
    player_id = CharField(64, unique=True)
    xp = IntegerField(default=0)

@hookimpl
def plugin_models():
    return [Xp]

@hookimpl
def reward_schemas():
    return {"xp": Schema}

@hookimpl
def grant_reward(reward, player):
    if reward.kind != "xp":
        return None
    row, _ = Xp.get_or_create(player_id=player.key)
    row.xp += 30
    row.save()
    return {"xp": row.xp}
"""
RULES = '[[rules]]\non = "server.vote"\ngive = [{ reward = "xp" }]\n'


def post_at_once(hosts: Sequence[Gunicorn], ids: Sequence[str], at_once: int = 40) -> list[int]:
    """Each vote to one host in turn, `at_once` at the same time; the status of each.

    A kept connection on which nothing was said for a while may be closed just as it is used again; then
    a delivery is posted once more, as a platform does.
    """
    again = urllib3.Retry(20, allowed_methods=None, backoff_factor=0.05)
    doors = [
        urllib3.connection_from_url(host.url, maxsize=at_once, retries=again, timeout=60)
        for host in hosts
    ]

    def post(number: int) -> int:
        door, body = doors[number % len(doors)], make_delivery(ids[number])
        return int(door.request("POST", "/webhooks/gamemonitoring", body=body).status)

    with ThreadPoolExecutor(at_once) as pool:
        statuses = list(pool.map(post, range(len(ids))))
    for door in doors:
        door.close()
    return statuses
