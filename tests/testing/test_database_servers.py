"""The servers that tests start, and the way to them."""

import os
import socket
import threading
from pathlib import Path

import pymysql
import pytest

from app.testing.database_servers import DatabaseServer, connect_by_socket


def list_open() -> list[str]:
    """What this process holds open."""
    numbers = os.listdir("/proc/self/fd")
    return sorted(os.readlink(f"/proc/self/fd/{one}") for one in numbers if is_open(one))


def is_open(number: str) -> bool:
    """Not the one that looking at the folder took."""
    return os.path.lexists(f"/proc/self/fd/{number}")


@pytest.mark.on_servers
def test_it_works(database_url: str, database_server: DatabaseServer) -> None:
    assert database_server.run("SELECT 1 + 1") == ((2,),)
    assert database_server.is_up()


def test_where_nobody_listens_no_socket_is_left_open(tmp_path: Path) -> None:
    before = list_open()

    with pytest.raises(pymysql.Error, match="no server at") as raised:
        connect_by_socket(tmp_path)

    assert list_open() == before, raised.value  # while all that the error knows is there


def test_where_one_hangs_up_no_socket_is_left_open(tmp_path: Path) -> None:
    before = list_open()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/socket")
        server.listen()

        def hang_up() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()

        with pytest.raises(pymysql.Error) as raised:
            connect_by_socket(tmp_path)

        thread.join()
    assert list_open() == before, raised.value
