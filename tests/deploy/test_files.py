"""Each file of deploy/ is found well by the program that reads it, and a bad copy of it is not."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from app.testing.requiring import require
from tests.world.caddy import CADDYFILE
from tests.world.deploying import (
    DEPLOY,
    PROGRAM,
    STUDIO,
    UNITS,
    Unit,
    list_variables,
    read_compose,
    read_dockerfile,
)
from tests.world.nginx import Nginx
from tests.world.servers import ROOT

SCHEMA = json.loads((ROOT / "tests" / "deploy" / "compose-spec.json").read_text())
WORST = 20  # tenths of systemd's exposure, of 100
Done = subprocess.CompletedProcess[str]


def run(*words: object) -> Done:
    return subprocess.run([*map(str, words)], check=False, capture_output=True, text=True)


def change(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new, 1)


def lint_dockerfile(text: str, folder: Path) -> Done:
    path = folder / "Dockerfile"
    path.write_text(text)
    return run(Path(sys.executable).with_name("hadolint"), "--no-color", path)


def test_it_works(tmp_path: Path) -> None:
    done = lint_dockerfile((DEPLOY / "Dockerfile").read_text(), tmp_path)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("FROM python:3.13-slim-bookworm\n", "FROM python\n", "DL3006"),
        ("USER 10001", "USER root", "DL3002"),
        ("--no-install-recommends ", "", "DL3015"),
        ("WORKDIR /srv/guerdon", "WORKDIR srv", "DL3000"),
        ('ENTRYPOINT ["guerdon"]', "ENTRYPOINT guerdon", "DL3025"),
        ("COPY app app", "COPI app app", "unexpected"),
    ],
)
def test_a_bad_dockerfile_is_found(tmp_path: Path, old: str, new: str, found: str) -> None:
    text = change((DEPLOY / "Dockerfile").read_text(), old, new)
    done = lint_dockerfile(text, tmp_path)

    assert done.returncode != 0
    assert found in done.stdout + done.stderr


def list_compose_faults(text: str, variables: str) -> Iterator[str]:
    """What the specification, and our own rules, say of a compose file and of the sample of its .env."""
    try:
        file = read_compose(text)
        jsonschema.Draft7Validator(SCHEMA).validate(file)
    except (yaml.YAMLError, jsonschema.ValidationError) as error:
        yield f"no compose file: {error}"
        return
    named = set(re.findall(r"^(\w+)=", variables, re.M))
    if list_variables(text) != named:
        yield f"variables: {list_variables(text) ^ named}"
    services = file["services"]
    for name, service in services.items():
        yield from (f"{name}: {fault}" for fault in list_service_faults(file, service, services))


def list_service_faults(file: Any, service: Any, services: Any) -> Iterator[str]:
    if not service.get("read_only") or service.get("cap_drop") != ["ALL"]:
        yield "it may write, or has capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield "it may gain privileges"
    if not re.search(r":[\w.-]+$", service["image"]) or service["image"].endswith(":latest"):
        yield "which version is not said"
    yield from (
        f"{port} is open to the world"
        for port in service.get("ports", ())
        if not str(port).startswith("127.0.0.1:")
    )
    for one in service.get("secrets", ()):
        if one not in file["secrets"]:
            yield f"there is no secret {one}"
    for variable, value in service.get("environment", {}).items():
        if re.search("PASSWORD|TOKEN|KEY|URL", variable.replace("RANDOM_ROOT_PASSWORD", "")):
            secret = str(value).removeprefix("/run/secrets/")
            if not variable.endswith("_FILE") or secret not in service["secrets"]:
                yield f"{variable} is no file of a secret"
    for place in service.get("volumes", ()):
        source = place.partition(":")[0]
        if not source.startswith("$") and source not in file["volumes"]:
            yield f"there is no volume {source}"
    for other, wanted in service.get("depends_on", {}).items():
        if other not in services:
            yield f"it waits for {other}, which there is not"
        elif (
            wanted["condition"] == "service_healthy"
            and "test" not in services[other]["healthcheck"]
        ):
            yield f"it waits for {other}, whose health nobody checks"


def test_compose_is_well() -> None:
    text, sample = (DEPLOY / "compose.yaml").read_text(), (DEPLOY / "env.sample").read_text()

    assert list(list_compose_faults(text, sample)) == []
    assert len(list_variables(text)) == 3
    services = read_compose(text)["services"]
    assert set(services) == {"mariadb", "migrate", "service", "dashboard"}
    for name in ("service", "dashboard"):
        wanted = services[name]["depends_on"]
        assert wanted["migrate"]["condition"] == "service_completed_successfully"
        assert wanted["mariadb"]["condition"] == "service_healthy"
    assert services["migrate"]["restart"] == "no"
    assert "healthcheck.sh" in services["mariadb"]["healthcheck"]["test"]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("read_only: true", "read-only: true", "read-only"),
        ("read_only: true", "read_only: false", "may write"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "capabilities"),
        ('"127.0.0.1:8000:8000"', '"8000:8000"', "open to the world"),
        ("condition: service_healthy", "condition: service_well", "no compose file"),
        ("image: mariadb:10.11", "image: mariadb", "which version"),
        ("MARIADB_PASSWORD_FILE: /run/secrets/database_password", "MARIADB_PASSWORD: x", "no file"),
        (
            "secrets: [database_url, api_key,",
            "secrets: [database_url, api_keys,",
            "no secret api_keys",
        ),
        ("${GUERDON_STUDIO}/plugins", "${STUDIO}/plugins", "variables"),
        (
            "      mariadb:\n        condition",
            "      maria:\n        condition",
            "which there is not",
        ),
        ("services:\n", "services:\n  - ", "no compose file"),
    ],
)
def test_a_bad_compose_file_is_found(old: str, new: str, found: str) -> None:
    text, sample = (DEPLOY / "compose.yaml").read_text(), (DEPLOY / "env.sample").read_text()

    assert any(found in fault for fault in list_compose_faults(change(text, old, new), sample))


def verify_unit(text: str, folder: Path, name: str = "guerdon.service") -> Done:
    """As systemd reads it; our program is where it is here."""
    require(shutil.which("systemd-analyze"), "systemd")
    path = folder / name
    path.write_text(text.replace(PROGRAM, str(Path(sys.executable).with_name("guerdon"))))
    return run("systemd-analyze", "verify", path)


def judge_hardening(path: Path) -> Done:
    return run("systemd-analyze", "security", "--offline=true", f"--threshold={WORST}", path)


@pytest.mark.parametrize("name", UNITS)
def test_each_unit_is_well_and_hardened(name: str, tmp_path: Path) -> None:
    done = verify_unit(Unit(name).text, tmp_path, name)

    assert (done.returncode, done.stderr) == (0, "")
    judged = judge_hardening(tmp_path / name)
    assert judged.returncode == 0, judged.stdout[-300:]


def test_the_timer_is_well(tmp_path: Path) -> None:
    verify_unit(Unit("guerdon-backup.service").text, tmp_path, "guerdon-backup.service")
    timer = tmp_path / "guerdon-backup.timer"
    timer.write_text((DEPLOY / timer.name).read_text())
    done = run("systemd-analyze", "verify", timer)
    assert (done.returncode, done.stderr) == (0, "")
    [when] = Unit("guerdon-backup.timer").read("OnCalendar")
    assert run("systemd-analyze", "calendar", when).returncode == 0

    timer.write_text(change(timer.read_text(), when, "each night"))
    assert run("systemd-analyze", "verify", timer).stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WorkingDirectory=", "WorkDirectory="),
        ("Type=notify", "Type=notified"),
        ("ProtectSystem=strict", "ProtectSystem=all"),
        ("ExecStart=/opt/guerdon/bin/guerdon", "ExecStart=/opt/guerdon/bin/gerdon"),
        ("SystemCallFilter=@system-service", "SystemCallFilter=@service"),
        ("%d/api_key", "%Z/api_key"),
    ],
)
def test_a_bad_unit_is_found(old: str, new: str, tmp_path: Path) -> None:
    done = verify_unit(change(Unit("guerdon.service").text, old, new), tmp_path)

    assert done.returncode or done.stderr


@pytest.mark.parametrize(
    "old", ["User=guerdon\n", "CapabilityBoundingSet=\n", "SystemCallFilter=@system-service\n"]
)
def test_a_unit_that_is_less_hardened_is_found(old: str, tmp_path: Path) -> None:
    text = change(Unit("guerdon.service").text, old, "")
    for other in ("PrivateUsers=yes\n", "ProtectSystem=strict\n", "PrivateDevices=yes\n"):
        text = change(text, other, "")
    verify_unit(text, tmp_path)

    assert judge_hardening(tmp_path / "guerdon.service").returncode


def test_nginx_finds_its_file_well_and_a_bad_one_not(tmp_path: Path) -> None:
    nginx, path = Nginx(tmp_path, 9), tmp_path / "guerdon.conf"
    good = path.read_text()
    assert nginx.check().returncode == 0, nginx.check().stderr

    for old, new in {
        "proxy_pass http://guerdon/webhooks/;": "proxy_pass http://guerdon/webhooks/",
        "client_max_body_size 1m": "client_max_body 1m",
        "upstream guerdon {": "upstream gerdon {",
        "deny all;": "deny everybody;",
    }.items():
        path.write_text(change(good, old, new))
        assert nginx.check().returncode != 0, new


def validate_caddyfile(text: str, folder: Path) -> Done:
    require(shutil.which("caddy"), "caddy")
    path = folder / "Caddyfile"
    path.write_text(text)
    return run("caddy", "validate", "--config", path, "--adapter", "caddyfile")


def test_caddy_finds_its_file_well_and_a_bad_one_not(tmp_path: Path) -> None:
    good = CADDYFILE.read_text()
    done = validate_caddyfile(good, tmp_path)
    assert (done.returncode, "Valid configuration" in done.stdout + done.stderr) == (0, True)
    assert run("caddy", "fmt", CADDYFILE).stdout == good

    for old, new in {
        "max_size 1MB": "max_size much",
        "reverse_proxy 127.0.0.1:8000 {": "reverse_proxies 127.0.0.1:8000 {",
        "dial_timeout 5s": "dial_timeout soon",
        "handle {": "handle",
    }.items():
        assert validate_caddyfile(change(good, old, new), tmp_path).returncode != 0, new


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    steps = read_dockerfile((DEPLOY / "Dockerfile").read_text())
    copies = [step.words.split() for step in steps if step.instruction == "COPY"]
    sources = {name for words in copies if "--from=build" not in words for name in words[:-1]}
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()

    assert sent[1] == "*"  # nothing but what is named
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source.partition('/')[0]}" in sent
    assert not [line for line in sent if line.startswith("!") and line[1:] not in
                {name.partition("/")[0] for name in sources}]  # fmt: skip
    assert not (ROOT / STUDIO).exists()
