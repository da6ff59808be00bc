"""Signing in by an OpenID provider: who comes back with its word is looked up by his subject alone."""

from typing import Any

import structlog
from flask import Blueprint, Flask, abort, current_app, redirect, request, session
from flask_babel import gettext as _

from app.config.dashboard import Oidc
from app.dashboard.addresses import is_own_path
from app.dashboard.frame import get_guerdon
from app.dashboard.people import Way, sign_in
from app.dashboard.signing_in import BY_ADDRESS, find_next, limiter
from app.dashboard.slots import PROVIDER, AllTaken
from app.porch.errors import ConfigError

log = structlog.get_logger()
oidc = Blueprint("oidc", __name__)
KNOWN_AT = "/.well-known/openid-configuration"
NAME = "provider"
TIMEOUT = 10  # seconds that the provider may take to answer
STATES = "_state_"  # how Authlib begins what it keeps there
LONGEST_NEXT = 2000  # characters; a cookie has 4093
LONGEST_REASON = 255  # characters
NEXT = "next"  # in the session, while somebody is away


def add_provider(app: Flask, settings: Oidc) -> None:
    """Let people come in by this provider. Raises ConfigError where what it needs is not installed."""
    try:
        from authlib.integrations.flask_client import OAuth  # noqa: PLC0415  (the extra may be missing)
    except ImportError:
        raise ConfigError(
            ["[dashboard] oidc: needs Authlib: pip install 'guerdon[oidc]'"]
        ) from None
    providers = OAuth(app)
    app.extensions["provider"] = providers.register(
        NAME, client_id=settings.client_id, client_secret=settings.client_secret.reveal(),
        server_metadata_url=settings.issuer.rstrip("/") + KNOWN_AT,
        client_kwargs={"scope": "openid", "code_challenge_method": "S256", "default_timeout": TIMEOUT},
    )  # fmt: skip
    app.register_blueprint(oidc)


@oidc.get("/sign-in/oidc/begin")
@limiter.limit(BY_ADDRESS)
def begin() -> Any:
    """Send somebody to the provider. By a link: a form may lead to no other host."""
    for left in [key for key in session if key.startswith(STATES)]:
        del session[left]  # of a way that was begun before; many of them are too long for a cookie
    wanted = find_next()
    session[NEXT] = wanted if len(wanted) <= LONGEST_NEXT else "/"
    address = f"{get_guerdon().config.dashboard.address}/sign-in/oidc"
    with_provider = current_app.extensions["provider"]
    try:
        with PROVIDER.take():
            return with_provider.authorize_redirect(address)
    except AllTaken:
        raise
    except Exception as error:  # whatever the network, or the provider, does
        return refuse(error)


@oidc.get("/sign-in/oidc")
@limiter.limit(BY_ADDRESS)
def finish() -> Any:
    """Somebody comes back: by the provider's signed word, for us, about whom [dashboard] names."""
    settings = get_guerdon().config.dashboard.oidc
    assert settings is not None
    said = {
        "iss": {"essential": True, "values": [settings.issuer]},
        "aud": {"essential": True, "values": [settings.client_id]},
    }
    try:
        with PROVIDER.take():
            token = current_app.extensions["provider"].authorize_access_token(claims_options=said)
        subject = token["userinfo"]["sub"]
    except AllTaken:
        raise
    except Exception as error:
        return refuse(error)
    person = next((one for one in settings.people if one.subject == subject), None)
    if person is None:
        log.warning("not signed in", subject=str(subject)[:255])
        abort(403, description=_("The provider knows you, and the dashboard does not."))
    wanted = str(session.get(NEXT, "/"))
    sign_in(person, Way.OIDC, get_guerdon())
    log.info("signed in", person=person.name)
    return redirect(wanted if is_own_path(wanted) else "/", 303)


def refuse(error: Exception) -> Any:
    """One answer for whatever went wrong; the log says what."""
    reason = f"{type(error).__name__}: {error}"[
        :LONGEST_REASON
    ]  # whoever came back may have written it
    log.warning("provider failed", reason=reason, path=request.path)
    return abort(403, description=_("The provider did not say who you are. Try again."))
