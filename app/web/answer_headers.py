"""What every answer of the web service says to browsers: what it is, and that nobody may frame it."""

from urllib.parse import urlsplit

from flask import Request, Response

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
}


def set_headers(response: Response) -> Response:
    """Add them, but for those that a view or a plugin has set itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def shorten_location(request: Request, response: Response) -> Response:
    """Make a redirect to ourselves a path: what is before it, a proxy knows and we do not."""
    location = response.headers.get("Location", "")
    if location.startswith(request.host_url):
        parts = urlsplit(location)
        path = "/" + parts.path.lstrip("/")  # never another host
        response.headers["Location"] = f"{path}?{parts.query}" if parts.query else path
    return response
