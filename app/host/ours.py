"""The package plugins/ that comes with Guerdon, whatever else is called so where Guerdon is started.

A studio's folder has a plugins/ too, which Python would find first where that folder is on its path.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

NAME = "plugins"
FOLDER = Path(__file__).resolve().parents[2] / NAME


def load_ours() -> ModuleType:
    """Ours, under its name also for whoever imports it later."""
    loaded = sys.modules.get(NAME)
    if loaded is not None and loaded.__file__ and Path(loaded.__file__).resolve().parent == FOLDER:
        return loaded
    spec = importlib.util.spec_from_file_location(
        NAME, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module


OURS = load_ours()
SHIPPED: tuple[str, ...] = OURS.SHIPPED
