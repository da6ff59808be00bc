"""Which pages of others may ask for leaderboards and goals from a browser: those of [api] web_origins."""

from collections.abc import Collection

from flask import Request, Response

from app.config.api_keys import is_for_boards

LASTING = 86_400  # seconds that a browser may remember the answer


def is_preflight(request: Request, origins: Collection[str]) -> bool:
    """Whether a browser asks, before it sends a key, if a page of these origins may."""
    return (
        request.method == "OPTIONS"
        and is_for_boards(request.path)
        and request.headers.get("Origin", "") in origins
    )


def allow_origin(request: Request, response: Response, origins: Collection[str]) -> Response:
    """Say that the page which asks may read the answer, if it is one of these origins."""
    if not origins or not is_for_boards(request.path):
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Authorization"
        response.headers["Access-Control-Max-Age"] = str(LASTING)
    return response
