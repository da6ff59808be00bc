"""The pool: so many connections and no more, none shared, and nobody waits within its lock."""

import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import peewee
import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database.pool import NoConnectionLeft, Pool
from app.testing.waiting import wait_until


class Maker:
    """Makes connections that are plain objects, and knows which are open."""

    def __init__(self) -> None:
        self.open: list[object] = []
        self.made = 0
        self.dead: set[int] = set()

    def make(self) -> object:
        self.made += 1
        self.open.append(object())
        return self.open[-1]

    def close(self, connection: object) -> None:
        self.open.remove(connection)

    def make_pool(self, most: int = 2, patience: float = 0.05) -> Pool:
        return Pool(
            most,
            patience,
            self.make,
            self.close,
            lambda one: id(one) not in self.dead,
            lambda one: True,
        )


@pytest.fixture
def maker() -> Maker:
    return Maker()


def test_it_works(maker: Maker) -> None:
    pool = maker.make_pool()
    first, second = pool.take(), pool.take()
    with pytest.raises(NoConnectionLeft):
        pool.take()

    pool.give_back(first)

    assert pool.take() is first
    pool.drop(second)
    assert maker.open == [first]
    assert pool.count_taken() == 1


def test_the_one_used_last_is_used_first(maker: Maker) -> None:
    pool = maker.make_pool()
    first, second = pool.take(), pool.take()
    pool.give_back(second)
    pool.give_back(first)

    assert [pool.take(), pool.take()] == [first, second]


def test_the_dead_are_closed_and_another_is_found_or_made(maker: Maker) -> None:
    pool = maker.make_pool()
    first, second = pool.take(), pool.take()
    pool.give_back(first)
    pool.give_back(second)
    maker.dead = {id(second)}

    assert pool.take() is first
    maker.dead |= {id(first)}
    pool.give_back(first)
    pool.take()
    assert (maker.made, len(maker.open)) == (3, 1)


def test_a_connection_that_cannot_be_made_leaves_its_place(maker: Maker) -> None:
    def fail() -> object:
        raise OSError("no server")

    pool = Pool(1, 0.05, fail, maker.close, lambda one: True, bool)

    for _ in range(3):
        with pytest.raises(OSError, match="no server"):
            pool.take()
    assert pool.count_taken() == 0


def test_what_is_given_back_twice_is_one_connection(maker: Maker) -> None:
    pool = maker.make_pool()
    only = pool.take()
    pool.give_back(only)
    pool.give_back(only)
    pool.drop(only)  # it is nobody's by then

    assert pool.take() is only
    assert pool.take() is not only
    assert pool.count_taken() == 2


def test_one_that_fails_at_being_closed_is_gone_all_the_same(maker: Maker) -> None:
    def fail(connection: object) -> None:
        raise OSError("gone")

    pool = Pool(1, 0.05, maker.make, fail, lambda one: False, bool)
    pool.drop(pool.take())
    pool.give_back(pool.take())
    pool.close_all()

    assert pool.take() is maker.open[-1]


def test_one_that_cannot_even_be_asked_whether_to_keep_it_leaves_its_place(maker: Maker) -> None:
    """As SQLite's, once a plugin has closed the driver's own connection."""

    def fail(connection: object) -> bool:
        raise OSError("closed")

    pool = Pool(1, 0.05, maker.make, maker.close, lambda one: True, fail)
    for _ in range(3):
        pool.give_back(pool.take())

    assert (pool.count_taken(), maker.open) == (0, [])


def test_close_all_closes_also_what_is_in_use(maker: Maker) -> None:
    pool = maker.make_pool()
    pool.give_back(pool.take())
    taken = [pool.take(), pool.take()]

    pool.close_all()

    assert (maker.open, pool.count_taken()) == ([], 0)
    pool.give_back(taken[0])  # its thread comes later
    assert pool.count_taken() == 0


def test_who_waits_gets_what_another_gives_back(maker: Maker) -> None:
    pool = maker.make_pool(most=1, patience=20)
    only = pool.take()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.take)
        pool.give_back(only)
        assert waiting.result() is only


@pytest.mark.parametrize("slow", ["make", "is_alive", "close"])
def test_nobody_waits_for_anothers_server(maker: Maker, slow: str) -> None:
    """While one connection is made, asked or closed, others take and give back theirs."""
    begun, done = threading.Event(), threading.Event()

    def wait_in(name: str, answer: Callable[..., object]) -> Callable[..., object]:
        def work(*args: object) -> object:
            if name == slow and threading.current_thread().name.startswith("slow"):
                begun.set()
                done.wait(20)
            return answer(*args)

        return work

    pool = Pool(
        3, 0.05, wait_in("make", maker.make), wait_in("close", maker.close),
        wait_in("is_alive", bool), lambda one: slow != "close",
    )  # type: ignore[arg-type]  # fmt: skip
    if slow == "is_alive":
        pool.give_back(pool.take())

    def work() -> None:
        pool.give_back(pool.take())

    slow_one = threading.Thread(target=work, name="slow")
    slow_one.start()
    begun.wait(20)
    pool.give_back(pool.take())
    done.set()
    slow_one.join()
    wait_until(lambda: pool.count_taken() == 0)


@given(steps=st.lists(st.sampled_from(["take", "keep", "drop", "die", "idle"]), max_size=60))
def test_never_more_than_there_may_be_and_none_lost(steps: list[str]) -> None:
    maker, taken = Maker(), list[object]()
    pool = maker.make_pool(most=3, patience=0)
    for step in steps:
        if step == "take":
            try:
                taken.append(pool.take())
            except NoConnectionLeft:
                assert len(taken) == 3
        elif step == "idle":
            pool.close_idle()
        elif step == "die":
            maker.dead = {id(one) for one in maker.open}
        elif taken:
            (pool.give_back if step == "keep" else pool.drop)(taken.pop(0))
        assert len(set(map(id, taken))) == len(taken) == pool.count_taken() <= 3
        assert len(maker.open) <= 3
    pool.close_all()
    assert maker.open == []


def test_many_threads_share_none(maker: Maker) -> None:
    pool, users = maker.make_pool(most=4, patience=20), dict[int, int]()
    shared = []

    def work(_: int) -> None:
        connection = pool.take()
        users[id(connection)] = users.get(id(connection), 0) + 1
        shared.append(users[id(connection)])
        users[id(connection)] -= 1
        pool.give_back(connection)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(2000)))

    assert set(shared) == {1}
    assert maker.made <= 4


def test_peewee_and_pymysql_have_the_private_names_that_we_use() -> None:
    """Where one is gone, app/database is to be read again beside the new version."""
    for name in ("_connect", "_close"):
        assert inspect.isfunction(getattr(peewee.Database, name)), name
        assert inspect.isfunction(getattr(peewee.MySQLDatabase, name)), name
    state = peewee.SqliteDatabase(None)._state
    for name in ("conn", "closed", "transactions", "commit_callbacks"):
        assert hasattr(state, name), name
    assert hasattr(peewee.SqliteDatabase(None), "_lock")
    assert inspect.isclass(peewee._savepoint)
    source = inspect.getsource(pymysql.connections.Connection)
    for name in ("_read_timeout", "_result", "server_status"):
        assert f"self.{name}" in source, name
