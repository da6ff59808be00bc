"""/openapi.json, what a studio's engineer and his tools read, and /docs, which shows it offline."""

from typing import Any

from apispec import BasePlugin
from flask import Flask

from app.host.loading import Plugins
from app.web.answers import PlayerAnswer, Problem
from app.web.health import health
from app.web.v1 import LONGEST_BODY, ProblemApi, RestOfPath, get_guerdon, v1

VERSION = "3.0.3"
PROBLEM = "application/problem+json"
RETRY_AFTER = {
    "Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 0}}
}
ABOUT = """\
Guerdon turns votes and game events into rewards, each exactly once, and tells the platforms about it.

* **Keys.** `/v1` wants `Authorization: Bearer KEY`, one of `[api] keys` of the config, with the scope
  `read` for every GET, `boards` for leaderboards and goals alone, `events` to post an event, `claims` to
  lease and acknowledge; a key without scopes of its own has all. Webhooks are signed instead; `/healthz`,
  `/readyz`, `/openapi.json` and `/docs` are open, but `/readyz` says why not only to a key that may read.
* **Again.** Whatever you post, post it again until you have an answer: nothing is paid or reported
  twice.
* **Errors** are `application/problem+json` (RFC 9457): `status`, `title` and `detail`, and with 422
  `errors`, field by field. Beside what each operation names: 404 for a path that is none, 308 for one
  with a slash doubled, 405 with `Allow` for a method that a path does not have. 503 says that the
  database does not answer; try again after `Retry-After`.
* **Values.** Times are ISO 8601 in UTC, or whole numbers where a platform's own field is one. Money is
  a string, as "100.00". Bodies are JSON in UTF-8, whatever their Content-Type says.
"""
TAGS = {
    "Events": "What happened in a game: paid by the rules, and told to the platforms.",
    "Claims": "Rewards that wait until a game server fetches them.",
    "Players": "What a player has.",
    "Boards": "Who has voted most, and how far a party is: for a studio's own page.",
    "Webhooks": "Where platforms deliver votes and rounds, signed.",
    "Health": "For load balancers and monitors.",
}
PROBLEMS = {
    400: "The body is not JSON in UTF-8, or is nested too deeply",
    401: "The key is missing or wrong",
    403: "The key is another's: it lacks the scope that this wants",
    404: "There is no such thing",
    409: "It is not that clear; `detail` says why",
    413: f"The body is longer than {LONGEST_BODY} bytes",
    422: "The body is JSON, but not as described; `errors` says where",
    503: "The database does not answer: try again",
}
WEBHOOKS = """\
The bytes are verified, looked up, fetched where the platform says so, and paid in one commit; then comes
the reply. A delivery that cannot be paid yet waits and is tried again, and may be sent again meanwhile.
The Content-Type does not matter. The sources:"""
REFUSALS = {
    400: "Not a delivery that this source could have sent: nothing of it is stored",
    401: "The signature is missing or wrong: nothing of it is stored",
    404: "No plugin reads this source",
    413: "The body is longer than its source ever sends",
    503: "Not paid yet: the platform cannot be asked, the player is not there, or the database is down",
}
KEYED = (401, 403, 503)  # whatever wants a key asks the database too
WITH_BODY = (400, 413, 422)


class CommonAnswers(BasePlugin):
    """The name of every operation, what all under /v1 may answer, and the key that they want."""

    def operation_helper(self, path: Any = None, operations: Any = None, **kwargs: Any) -> None:
        for operation in (operations or {}).values():
            is_keyed = path.startswith("/v1/")
            statuses: tuple[int, ...] = KEYED if is_keyed else ()
            if is_keyed and "requestBody" in operation:
                statuses += WITH_BODY
            if is_keyed and "{" in path:
                statuses += (404,)
            answers = operation["responses"]
            # flask-smorest means a problem of its own, of another media type, where it has but a name.
            named = [status for status, answer in answers.items() if isinstance(answer, str)]
            problems = {status: f"Problem{status}" for status in (*statuses, *named)}
            operation["responses"] = dict(sorted((answers | problems).items()))
            operation["security"] = [{"key": []}] if is_keyed else []
            operation["operationId"] = kwargs["rule"].endpoint.rpartition(".")[2]


def add_api(app: Flask) -> None:
    """Register /v1 and the health URLs, their errors, their description and the page that shows it."""
    app.config.update(
        API_TITLE="Guerdon", API_VERSION="v1", OPENAPI_VERSION=VERSION, OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json", OPENAPI_SWAGGER_UI_PATH="docs",
        OPENAPI_SWAGGER_UI_URL="/static/swagger-ui/", MAX_CONTENT_LENGTH=LONGEST_BODY,
    )  # fmt: skip
    app.url_map.converters["rest"] = RestOfPath
    key = {"type": "http", "scheme": "bearer", "description": "One of [api] keys of the config."}
    api = ProblemApi(app, spec_kwargs={
        "info": {"description": ABOUT},
        "components": {"securitySchemes": {"key": key}},
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "extra_plugins": [CommonAnswers()],
    })  # fmt: skip
    for status, text in PROBLEMS.items():
        api.spec.components.response(f"Problem{status}", describe_problem(status, text))
    api.register_blueprint(v1)
    api.register_blueprint(health)
    with app.app_context():
        describe_player_parts(api, get_guerdon().plugins)
    rule = next(app.url_map.iter_rules("webhooks.receive"))
    with app.app_context():
        operation = describe_webhooks(list_sources(get_guerdon().plugins))
    api.spec.path(rule=rule, operations={"post": operation})


def describe_player_parts(api: ProblemApi, plugins: Plugins) -> None:
    """Add to the answer about a player what each plugin says that it adds."""
    known = api.spec.components.schemas[PlayerAnswer.__name__]["properties"]
    for schema in plugins.player_schemas:
        described = api.ma_plugin.converter.fields2jsonschema(schema().fields)
        known.update(described["properties"])


def describe_problem(status: int, text: str) -> dict[str, Any]:
    """A response that every operation may share."""
    described: dict[str, Any] = {"description": text, "content": {PROBLEM: {"schema": Problem}}}
    if status == 401:
        scheme = {"schema": {"type": "string", "enum": ["Bearer"]}}
        described["headers"] = {"WWW-Authenticate": scheme}
    return described | ({"headers": RETRY_AFTER} if status == 503 else {})


def list_sources(plugins: Plugins) -> list[tuple[str, str]]:
    """Each plugin that reads deliveries, and the first line of what it says of itself."""
    names = sorted(set(plugins.list_answerers("read_delivery")))
    words = [(plugins.manager.get_plugin(name).__doc__ or "").strip() for name in names]
    return [(name, text.partition("\n")[0]) for name, text in zip(names, words, strict=True)]


def describe_webhooks(sources: list[tuple[str, str]]) -> dict[str, Any]:
    """The operation of POST /webhooks/<source>, for these (name, words)."""
    lines = "\n".join(f"* `{name}`: {text}" for name, text in sources) or "None is switched on."
    return {
        "tags": ["Webhooks"],
        "summary": "A platform delivers a vote or a round.",
        "description": f"{WEBHOOKS}\n\n{lines}",
        "parameters": [describe_source([name for name, _ in sources])],
        "requestBody": {
            "required": True,
            "description": "A JSON object in UTF-8, signed as its platform does it.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "responses": {
            200: {
                "description": "Where the platform wants a reply in a form of its own: that, also"
                " for what is refused or has to come again",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            204: {"description": "Paid, paid before, kept, or nothing to pay: it is done"},
            **{status: describe_refusal(status, text) for status, text in REFUSALS.items()},
        },
    }


def describe_source(names: list[str]) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1} | ({"enum": names} if names else {})
    named = {"in": "path", "name": "source", "required": True}
    return {**named, "schema": schema, "description": "the plugin that reads it"}


def describe_refusal(status: int, text: str) -> dict[str, Any]:
    """A reply of webhooks: in a few words, or a problem where it never came to a plugin."""
    content = {"text/plain": {"schema": {"type": "string"}}, PROBLEM: {"schema": Problem}}
    described: dict[str, Any] = {"description": text, "content": content}
    return described | ({"headers": RETRY_AFTER} if status == 503 else {})
