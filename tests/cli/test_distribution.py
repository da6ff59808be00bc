"""The wheel, in an environment that has nothing else of ours: everything it needs is in it."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from app.scaffold.studio import find_command
from tests.world.servers import ROOT

INSTALL = ["install", "--quiet", "--disable-pip-version-check"]
SHIPPED = (
    "app/static/swagger-ui/swagger-ui-bundle.js", "app/playground/templates/page.html",
    "app/dashboard/templates/layout.html", "app/dashboard/static/vendored/pico.min.css",
    "app/dashboard/translations/zh/LC_MESSAGES/messages.mo",
    "app/playground/translations/zh/LC_MESSAGES/messages.mo",
    "app/spoken/translations/zh/LC_MESSAGES/messages.mo",
    "app/database/migrations/0001_ledger.py", "app/scaffold/templates/studio/guerdon.toml.txt",
    "app/serving/settings.py", "plugins/gold.py", "guerdon.py",
)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the source."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("app", "plugins"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("guerdon.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *command, str(source)], check=True)
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what the lock says it needs; its folder of programs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", *INSTALL]
    lock = ROOT / "requirements" / "run.txt"
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    return folder / "bin"


def run(program: Path, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [program, *words], cwd=folder, check=False, capture_output=True, text=True, timeout=120,
        env=known | more,
    )  # fmt: skip


def test_it_works(wheel: Path, environment: Path, tmp_path: Path) -> None:
    """A studio's folder is made, migrated, checked and served from an installed distribution."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert set(SHIPPED) <= names
    assert not [name for name in names if name.startswith(("tests/", "config/", "bench/"))]
    guerdon = environment / "guerdon"

    said = [
        run(guerdon, tmp_path, "init", "shop"),
        run(guerdon, tmp_path, "-C", "shop", "migrate"),
        run(guerdon, tmp_path, "-C", "shop", "check", "--strict"),
        run(guerdon, tmp_path / "shop", "serve", "--check-config"),
        run(guerdon, tmp_path, "--version"),
    ]

    assert [done.returncode for done in said] == [0] * 5, [done.stderr for done in said]
    assert f"ExecStart={guerdon} serve" in (tmp_path / "shop" / "guerdon.service").read_text()


def test_another_app_that_hides_ours_is_named(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()

    hidden = run(environment / "guerdon", tmp_path, "--version", PYTHONPATH=str(tmp_path))
    beside = run(environment / "guerdon", tmp_path, "--version")

    assert hidden.returncode == 1
    assert hidden.stderr.startswith(f"another app ({tmp_path}/app) is found before Guerdon's own")
    assert beside.returncode == 0


def test_a_studio_with_packages_of_our_names_is_served(environment: Path, tmp_path: Path) -> None:
    """gunicorn looks first where it is started, and a studio's plugins/ may be a package."""
    run(environment / "guerdon", tmp_path, "init", "shop")
    shop = tmp_path / "shop"
    for name in ("app", "plugins"):
        (shop / name).mkdir(exist_ok=True)
        (shop / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    (shop / "wsgi.py").write_text("raise RuntimeError('not ours')")

    done = run(environment / "guerdon", shop, "serve", "--check-config")

    assert done.returncode == 0, done.stderr


def test_the_porch_has_its_own_name() -> None:
    code = (
        "import guerdon, app; from guerdon import hookimpl, Event;"
        "print(hookimpl is app.hookimpl, Event is app.Event, guerdon.__all__ == app.__all__)"
    )

    done = run(Path(sys.executable), ROOT, "-c", code)

    assert done.stdout == "True True True\n", done.stderr


def test_the_version_is_said_once_and_the_changelog_begins_with_it() -> None:
    said = run(Path(find_command()), ROOT, "--version").stdout
    released = re.findall(
        r"(?m)^## (\S+) \(\d{4}-\d\d-\d\d\)$", (ROOT / "CHANGELOG.md").read_text()
    )

    assert said == f"guerdon, version {released[0]}\n"
    assert f"version = {released[0]}" in (ROOT / "setup.cfg").read_text().splitlines()
