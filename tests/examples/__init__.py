"""The programs in `examples/`: they run, do what they say, and have the types that they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

#: The folder with the examples.
FOLDER = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> ModuleType:
    """Return an example as a module. name: that of its file."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
