"""The languages that pages are written in: English, and Simplified Chinese for whom the browser asks it."""

from pathlib import Path
from typing import Any

from flask import Flask, Request, Response, request
from flask_babel import Babel, get_locale

from app import spoken
from app.spoken.saying import say

ENGLISH, CHINESE = "en", "zh_Hans_CN"  # as babel writes them
SWITCHES = {"en": ENGLISH, "zh": CHINESE}
NAMES = {"en": "English", "zh": "中文"}  # each in its own language, for whom reads no other
COOKIE = "guerdon_language"
LASTS = 365 * 86_400  # seconds
SIMPLIFIED = ("zh-cn", "zh-sg", "zh-hans")


def add_languages(app: Flask) -> None:
    """Have an app's pages be in the language of whoever asks; its catalogues lie in its translations/.

    Its templates have the filter `said` for sentences that lower chapters made.
    """
    shared = Path(spoken.__path__[0], "translations")
    directories = f"translations;{shared}"
    Babel(app, default_translation_directories=directories, locale_selector=choose_locale)
    app.jinja_env.filters["said"] = say
    app.context_processor(describe_language)
    app.after_request(tell_of_language)


def choose_locale() -> str:
    """The language that was chosen by the switch, or else the browser's first one that there is."""
    return find_locale(request)


def find_locale(asked: Request) -> str:
    """The locale of a request. Traditional Chinese is no Simplified one: who wants that gets English."""
    chosen = SWITCHES.get(asked.cookies.get(COOKIE, ""))
    if chosen is not None:
        return chosen
    for tag, quality in asked.accept_languages:
        if quality and is_simplified(tag):
            return CHINESE
        if quality and tag.lower().split("-")[0] == ENGLISH:
            return ENGLISH
    return ENGLISH


def is_simplified(tag: str) -> bool:
    """Whether a tag of Accept-Language asks for Simplified Chinese."""
    plain = tag.lower().replace("_", "-")
    return plain == "zh" or any(plain == one or plain.startswith(one + "-") for one in SIMPLIFIED)


def describe_language() -> dict[str, Any]:
    """What templates know: the page's language as HTML names it, and the one that a switch leads to."""
    locale = str(get_locale())
    other = "en" if locale == CHINESE else "zh"
    return {
        "language": locale.replace("_", "-"),
        "other_language": {"code": other, "name": NAMES[other], "tag": tag_language(other)},
    }


def tag_language(code: str) -> str:
    """A language of the switch as HTML names it."""
    return SWITCHES[code].replace("_", "-")


def remember_language(response: Response, code: str, is_secure: bool) -> Response:
    """Keep the choice in a cookie that says nothing else; a language that there is not changes nothing."""
    if code in SWITCHES:
        response.set_cookie(
            COOKIE, code, max_age=LASTS, secure=is_secure, httponly=True, samesite="Lax"
        )
    return response


def tell_of_language(response: Response) -> Response:
    """Caches must not give one person's language to another."""
    if request.endpoint != "static":
        response.vary.update(("Accept-Language", "Cookie"))
    return response
