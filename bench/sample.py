"""The PHP sample: cut out of the platform's document, its settings alone changed."""

import re
from urllib.parse import unquote, urlsplit

from app.testing.deliveries import TOKEN

SAMPLE = re.compile(rb"(?ms)^php\r?\n(<\?php\r?\n.*^http_response_code\(204\);[ \t]*(?:\r?\n|\Z))")
SETTINGS = {  # how each setting's line begins, and what stands for it
    "secret": rb"(?m)^\$secret = '[^'\n]*'",
    "apiUrl": rb"(?m)^\$apiUrl = '[^'\n]*'",
    "rewardAmount": rb"(?m)^\$rewardAmount = '[^'\n]*'",
    "pdo": rb"(?m)^\$pdo = new PDO\('[^'\n]*', '[^'\n]*', '[^'\n]*'",
}


def cut_sample(document: bytes) -> bytes:
    """The document's PHP block, as it stands there. Raises ValueError if there is none."""
    found = SAMPLE.search(document)
    if found is None:
        raise ValueError("no PHP sample: a line `php`, then <?php … http_response_code(204);")
    return found[1]


def set_settings(sample: bytes, settings: dict[str, str]) -> bytes:
    """The sample with other settings; ValueError names one that it does not have exactly once."""
    for name, text in settings.items():
        new = text.encode()
        sample, count = re.subn(SETTINGS[name], lambda _, new=new: new, sample)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"the PHP sample sets ${name} {count} times, not once as expected")
    return sample


def quote(text: str) -> str:
    """A PHP string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def make_settings(api_url: str, database_url: str, amount: str) -> dict[str, str]:
    """What stands for the settings; the database's url is mysql://user:password@host:port/name."""
    parts = urlsplit(database_url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    dsn = f"mysql:host={parts.hostname};port={parts.port};dbname={parts.path[1:]};charset=utf8mb4"
    return {
        "secret": f"$secret = {quote(TOKEN)}",
        "apiUrl": f"$apiUrl = {quote(api_url)}",
        "rewardAmount": f"$rewardAmount = {quote(amount)}",
        "pdo": f"$pdo = new PDO({quote(dsn)}, {quote(user)}, {quote(password)}",
    }
