"""Texts compared to the last space, on every database."""

from typing import Any

from peewee import fn

from app.database.opening import Database


def is_same_text(database: Database, column: Any, text: str) -> Any:
    """Equal to the last space: where MySQL compares text it lengthens the shorter one by spaces."""
    length = len(text.encode()) if database.family == "mysql" else len(text)
    return (column == text) & (fn.LENGTH(column) == length)
