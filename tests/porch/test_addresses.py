"""Who is at an address: networks, names that are looked up once, and resolvers that fail."""

import threading
from collections import Counter

import pytest

from app import NotReady, is_from
from app.porch.addresses import AGAIN, KEPT, Names, plain_address


class Resolver:
    """Answers what it is told, and counts how often it was asked."""

    def __init__(self) -> None:
        self.known: dict[str, set[str]] = {}
        self.asked: Counter[str] = Counter()
        self.time = 0.0

    def look_up(self, name: str) -> frozenset[str]:
        self.asked[name] += 1
        if name not in self.known:
            raise OSError("no such name")
        return frozenset(self.known[name])


def test_it_works() -> None:
    assert is_from("192.0.2.7", ["198.51.100.0/24", "192.0.2.7"])
    assert is_from("192.0.2.7", ["192.0.2.0/24"])
    assert is_from("2001:db8::1", ["2001:db8::/32"])
    assert not is_from("192.0.2.7", ["2001:db8::/32", "192.0.2.8"])
    assert not is_from("", ["127.0.0.1"])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"), ("192.0.2.7:80", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[2001:DB8::1]:80", "2001:db8::1"), ("2001:db8:0::1", "2001:db8::1"), ("nobody", ""), ("", ""),
        ("192.0.2.07", ""),
    ],
)  # fmt: skip
def test_an_address_has_one_spelling(text: str, address: str) -> None:
    assert plain_address(text) == address


def test_a_name_is_looked_up_once_in_a_while() -> None:
    resolver = Resolver()
    resolver.known["site"] = {"192.0.2.7"}
    names = Names(resolver.look_up, lambda: resolver.time)

    assert all(is_from("192.0.2.7", ["site"], names) for _ in range(5))
    assert resolver.asked["site"] == 1
    resolver.time += KEPT + 1
    assert is_from("192.0.2.7", ["site"], names)
    while resolver.asked["site"] < 2:  # it is asked for in a thread, and nobody waits for it
        threading.Event().wait(0.01)


def test_addresses_from_before_are_believed_where_the_resolver_fails() -> None:
    resolver = Resolver()
    resolver.known["site"] = {"192.0.2.7"}
    names = Names(resolver.look_up, lambda: resolver.time)
    assert is_from("192.0.2.7", ["site"], names)

    del resolver.known["site"]
    for _ in range(3):
        resolver.time += KEPT + 1
        assert is_from("192.0.2.7", ["site"], names)


def test_a_name_that_nobody_knows_is_asked_for_again_and_decides_nothing() -> None:
    resolver = Resolver()
    names = Names(resolver.look_up, lambda: resolver.time)
    for _ in range(3):
        with pytest.raises(NotReady, match="the address of site cannot be looked up"):
            is_from("192.0.2.7", ["site"], names)
    assert resolver.asked["site"] == 1
    assert is_from("192.0.2.7", ["site", "192.0.2.7"], names)

    resolver.known["site"] = {"192.0.2.7"}
    resolver.time += AGAIN + 1
    assert is_from("192.0.2.7", ["site"], names)
