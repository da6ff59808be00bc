"""Is a commit on this database a promise? What a server's settings would lose, a sentence each."""

from collections.abc import Iterator, Mapping

from app.database.opening import Database

FLUSH, DOUBLEWRITE = "innodb_flush_log_at_trx_commit", "innodb_doublewrite"
FLUSHED = ("1", "3")  # 3 is MariaDB's: as 1, with one more sync
REDO_LOG = "Innodb_redo_log_enabled"  # a status of MySQL's; MariaDB's cannot be switched off
WATCHED = (FLUSH, DOUBLEWRITE, "innodb_flush_method", "debug_no_sync", "log_bin", "sync_binlog")
EXCUSE = "or say `durable = false` in [database], if paid votes may be lost with it"


def inspect_durability(database: Database, is_wanted: bool) -> Iterator[str]:
    """Every setting by which a commit could be lost, and what to do; none where that is accepted."""
    if not is_wanted:
        return
    if database.family == "sqlite":
        yield from inspect_file(database)
        return
    names = ", ".join([database.param] * len(WATCHED))
    sql = f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})"
    rows = database.execute_sql(sql, WATCHED).fetchall()
    status = database.execute_sql(f"SHOW GLOBAL STATUS LIKE '{REDO_LOG}'").fetchall()
    settings = {str(name).lower(): str(value) for name, value in [*rows, *status]}
    for fault, remedy in judge_settings(settings):
        yield f"{fault}: {remedy}, {EXCUSE}"


def inspect_file(database: Database) -> Iterator[str]:
    if database.execute_sql("PRAGMA synchronous").fetchone()[0] < 2:
        yield "SQLite's synchronous is not full: a power cut could lose what is paid"


def judge_settings(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What each setting of a server would lose, and its remedy; settings by their names in lower case."""
    flush, doublewrite = settings.get(FLUSH, "1"), settings.get(DOUBLEWRITE, "ON").upper()
    if flush not in FLUSHED:
        when = "the server or its machine" if flush == "0" else "the server's machine"
        yield (
            f"{FLUSH} is {flush}: when {when} fails, the last second of paid votes is lost",
            f"SET GLOBAL {FLUSH} = 1, also in the server's own config",
        )
    if doublewrite in ("OFF", "0", "DETECT_ONLY"):
        yield (
            f"{DOUBLEWRITE} is {doublewrite}: a power cut can leave torn pages, and whole tables with them",
            f"set {DOUBLEWRITE} = ON in the server's config",
        )
    method = settings.get("innodb_flush_method", "")
    if method.lower() in ("nosync", "littlesync"):
        yield (
            f"innodb_flush_method is {method}: a power cut loses what is paid",
            "set innodb_flush_method = fsync in the server's config",
        )
    if settings.get("debug_no_sync", "OFF") == "ON":
        yield (
            "debug_no_sync is ON: a power cut loses what is paid",
            "SET GLOBAL debug_no_sync = OFF, also in the server's own config",
        )
    if settings.get(REDO_LOG.lower(), "ON") == "OFF":
        yield (
            f"{REDO_LOG} is OFF: when the server fails, the whole database is lost",
            "ALTER INSTANCE ENABLE INNODB REDO_LOG",
        )
    # After a crash, what is prepared and stands in no binary log is rolled back; with 3, nothing is
    # only prepared once it is committed.
    synced = settings.get("sync_binlog", "1")
    if settings.get("log_bin", "OFF") == "ON" and flush != "3" and synced != "1":
        yield (
            f"sync_binlog is {synced} and log_bin is ON: after a power cut, commits that the binary "
            "log lost are undone",
            "SET GLOBAL sync_binlog = 1, also in the server's own config",
        )
