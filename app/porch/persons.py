"""Where JSON that somebody else wrote names a person: by what its keys are called, never by its words.

A value may be an everyday word; that a player is called so makes it no name. So in what is not his a
name is a name only under a key that says so, or beside one that says whose the object is.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

PERSONS = frozenset((
    "uid", "userid", "user", "playerid", "player", "nickname", "nick", "username", "playername", "openid",
    "accountid", "account", "login", "voter", "winner", "leader", "owner", "recipient",
))  # fmt: skip
OF_PERSONS = frozenset(("id", "name"))  # within an object that stands under one of those
# Whom a delivery is for is told by one of these, the first that is there; an owner or a login is another's.
FOR_WHOM = (
    ("nickname", "nick", "playername", "username", "player"),
    ("uid", "userid", "playerid", "openid", "user"),
)

Find = Callable[[str], str | None]


def is_person_key(key: str, of_person: bool = False) -> bool:
    """Whether what stands under this key is what a person is called, or a list of such."""
    plain = make_plain(key)
    names = PERSONS | OF_PERSONS if of_person else PERSONS
    return plain in names or plain.removesuffix("s") in names


def replace_persons(value: Any, find: Find, of_person: bool = False) -> Any:
    """The JSON value with each person's name replaced by what `find` gives for it; None: it stays.

    `of_person`: it stands under a key that names a person.
    """
    if isinstance(value, list):
        return [replace_persons(one, find, of_person) for one in value]
    if not isinstance(value, Mapping):
        return value
    is_his = any(
        is_person_key(key, of_person) and find_scalar(one, find) is not None
        for key, one in value.items()
    )
    return {
        key: replace_member(one, find, is_person_key(key, of_person), is_his)
        for key, one in value.items()
    }


def replace_member(value: Any, find: Find, is_named: bool, is_his: bool) -> Any:
    if isinstance(value, list) and is_named:
        return [replace_member(one, find, is_named, is_his) for one in value]
    if isinstance(value, list | Mapping):
        return replace_persons(value, find, is_named)
    found = find_scalar(value, find) if is_named or (is_his and isinstance(value, str)) else None
    return value if found is None else found


def find_addressee(data: Any) -> str | None:
    """Whom a delivery's data say that it is for, a nickname before an id; None where they name nobody.

    What stands at the top counts before what stands in objects below it.
    """
    if not isinstance(data, Mapping):
        return None
    plain = {make_plain(key): value for key, value in data.items()}
    named = (find_scalar(plain.get(one), str) for keys in FOR_WHOM for one in keys)
    below = (
        find_addressee(value)
        for key, value in plain.items()
        if key not in PERSONS or any(key in keys for keys in FOR_WHOM)
    )
    return next(filter(None, (*named, *below)), None)


def make_plain(key: str) -> str:
    return re.sub("[^a-z]", "", key.casefold())


def find_scalar(value: Any, find: Find) -> str | None:
    """What `find` gives for a text or a whole number, which an id may be."""
    if isinstance(value, str):
        return find(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return find(str(value)) if is_number else None
