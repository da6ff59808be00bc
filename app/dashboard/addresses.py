"""Which addresses lead to a page of ours: a link to sign in must lead nowhere else."""

from urllib.parse import urlsplit


def is_own_path(path: str) -> bool:
    """Whether an address is a path of ours, as browsers read it: they take a backslash for a slash."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return False
    try:
        parts = urlsplit(path)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc
