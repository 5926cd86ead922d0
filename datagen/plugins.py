"""Plug-ins: the folder is the registry. `use = "raster"` means the class in renderers/raster.py."""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

import datagen
from datagen.errors import MissingError, RecipeError

# Kind -> the name that a plug-in module gives its class.
CLASSES = {
    "renderers": "Renderer",
    "detectors": "Detector",
    "generators": "Generator",
    "features": "Features",
}
# Kinds that a recipe names by another key than `use`.
KEYS = {"tasks": "learn.attributes.task"}
SUFFIXES = {"grammars": ".scene", "configs": ".toml"}


def home(kind: str) -> Path:
    """The folder of a kind: beside the package in a checkout, inside it in an installed wheel."""
    package = _package()
    if (package / kind).is_dir():
        return package / kind
    beside = package.parent / kind
    if (package.parent / "pyproject.toml").is_file() and beside.is_dir():
        return beside
    raise MissingError(
        f"datagen's folder `{kind}` is neither at {package / kind} nor at {beside}; "
        f"install datagen again"
    )


def names(kind: str) -> list[str]:
    """What can be named in a recipe, in alphabetical order."""
    suffix = SUFFIXES.get(kind, ".py")
    return sorted(p.stem for p in home(kind).glob(f"*{suffix}") if not p.name.startswith("_"))


def path_of(kind: str, name: str) -> Path:
    """File of a named grammar or config."""
    known = names(kind)
    if name not in known:
        raise RecipeError(f"no `{name}` among the {kind}{did_you_mean(name, known)}")
    return home(kind) / f"{name}{SUFFIXES[kind]}"


def load(kind: str, use: str) -> type:
    """The class behind a name of a plug-in folder, or behind "package.module:Class"."""
    given = f'{KEYS.get(kind, "use")} = "{use}"'
    if ":" in use:
        module, _, name = use.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), name)):
            raise RecipeError(f'{given} is not of the form "package.module:Class"')
        return _class(_import(module, given), name, given)
    known = names(kind)
    if use not in known:
        raise RecipeError(f"no `{use}` among the {kind}{did_you_mean(use, known)}")
    return _class(_import(f"{_prefix(kind)}.{use}", given), CLASSES[kind], given)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest name, or else all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; known: {', '.join(known)}" if known else "; there are none"


def _package() -> Path:
    return Path(datagen.__file__).resolve().parent


def _prefix(kind: str) -> str:
    """The name to import the folder by; refuses when that name belongs to somebody else."""
    folder = home(kind)
    if folder.parent == _package():
        return f"datagen.{kind}"
    spec = importlib.util.find_spec(kind)
    if spec is None:
        # Not installed: datagen itself was found by PYTHONPATH or in the current folder.
        sys.path.append(str(folder.parent))
        importlib.invalidate_caches()
        spec = importlib.util.find_spec(kind)
    found = list(spec.submodule_search_locations or [spec.origin]) if spec else []
    if not found or Path(str(found[0])).resolve() != folder:
        stranger = found[0] if found else "nowhere"
        raise MissingError(
            f"the package `{kind}` found at {stranger} is not datagen's, which is at {folder}; "
            f"uninstall the other one, or install datagen from its wheel"
        )
    return kind


def _import(module: str, given: str) -> object:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(missing + "."):
            raise RecipeError(
                f"{given}: there is no module `{missing}`; correct the name, "
                "or put the folder that holds it on PYTHONPATH"
            ) from error
        raise MissingError(
            f"{given} needs the Python package `{missing}`, which is not installed"
        ) from error
    except ImportError as error:  # a shared library of the system, such as libGL
        raise MissingError(f"{given} cannot be loaded here: {error}") from error
    except Exception as error:  # somebody else's module may fail in any way
        reason = " ".join(str(error).split())
        raise RecipeError(
            f"{given}: importing `{module}` fails with {type(error).__name__}: {reason}; correct it"
        ) from error


def _class(module: object, name: str, given: str) -> type:
    found = getattr(module, name, None)
    if not isinstance(found, type):
        known = [n for n, v in vars(module).items() if isinstance(v, type) and n[:1] != "_"]
        raise RecipeError(f"{given}: no class `{name}` there{did_you_mean(name, known)}")
    return found
