"""Columns that differ between the databases, or that Peewee has not."""

from typing import Any

from peewee import SQL, AutoField, BigAutoField, BlobField, FixedCharField, NodeList, TextField


class KeyField(FixedCharField):
    """32 bytes, BINARY(32) on MySQL."""

    field_type = "BINARY"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=32, **kwargs)

    def adapt(self, value: Any) -> Any:
        return value


class LastingIds(AutoField):
    """Ids that are never given again: SQLite would give the last row's once that row is removed."""

    def ddl(self, ctx: Any) -> Any:
        nodes = super().ddl(ctx)
        is_sqlite = getattr(self.model._meta.database, "family", "") == "sqlite"
        return NodeList((nodes, SQL("AUTOINCREMENT"))) if is_sqlite else nodes


class LastingAutoField(LastingIds):
    pass


class LastingBigAutoField(LastingIds, BigAutoField):
    pass


class LongTextField(TextField):
    field_type = "MEDIUMTEXT"


class LongBlobField(BlobField):
    field_type = "MEDIUMBLOB"
