"""From a recipe as a person wrote it to plain data that no file or name outside can change."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from datagen import digest, language, plugins
from datagen.errors import RecipeError
from datagen.grammar import Asset, Grammar
from datagen.language.parse import read_text

MODELS = "models"  # the kind of an asset that is a folder of GLB or OBJ files
ONLY_MODELS = "*"  # in place of an asset's name: the one of this kind

DETECTOR = "mask_rcnn"  # the one to train where [train.detector] names none
PRETRAINED = "pretrained"  # the option of a detector that is a file
_WITH_PATHS = ("assets", "generator", "renderers", "learn", "train")  # sections

MOST_FILES = 300_000  # of one source
MOST_BYTES = 64 * 2**30


def freeze(data: dict[str, Any], base: Path, where: str) -> dict[str, Any]:
    """`data` with names and relative paths replaced by text and by absolute paths with sha256.

    What is frozen already, as in recipe.json, stays; so one reader serves both forms.
    """
    frozen = dict(data)
    grammar, folder = _grammar(data.get("grammar"), base, where)
    frozen["grammar"] = grammar
    if "generator" in data:
        frozen["generator"] = _part(data["generator"], base, "generator")
    if isinstance(data.get("renderers"), list):
        frozen["renderers"] = [
            _part(part, base, f"renderers.{k}") for k, part in enumerate(data["renderers"])
        ]
    if "learn" in data:
        frozen["learn"] = _learn(data["learn"], base)
    if "train" in data:
        frozen["train"] = training(data["train"], base)
    if isinstance(grammar, dict) and isinstance(data.get("assets", {}), dict):
        frozen["assets"] = _assets(grammar, data.get("assets", {}), base, folder)
    return frozen


def _grammar(value: Any, base: Path, where: str) -> tuple[Any, Path]:
    """The grammar's name and text, and the folder that its assets lie in."""
    if value is None:
        raise RecipeError(f'{where}: the key `grammar` is missing, for example grammar = "aerial"')
    if not isinstance(value, str):
        return value, base
    path = base / value if _is_path(value) else plugins.path_of("grammars", value)
    text = read_text(path)
    language.parse(text, str(path))  # while the path is known: errors name the file
    return {"name": path.stem, "text": text}, path.resolve().parent


def _is_path(grammar: str) -> bool:
    return grammar.endswith(".scene") or "/" in grammar


def from_here(key: list[str], value: Any) -> Any:
    """A value from the command line, its paths made absolute: they count from where we stand."""
    if isinstance(value, dict) and key[0] in _WITH_PATHS:
        return {name: from_here([*key, name], inner) for name, inner in value.items()}
    if isinstance(value, list) and key[0] == "renderers":
        return [from_here([*key, str(k)], inner) for k, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    path = _absolute(value, Path.cwd())
    match key:
        case ["grammar"]:
            return path if _is_path(value) else value
        case ["assets", _]:
            built_in = value.isidentifier() and not os.path.exists(path)
            return {"source": value, "sha256": None} if built_in else path
        case (
            ["generator", "weights", *_]
            | ["renderers", _, "weights", *_]
            | ["learn", "features", "weights", *_]
            | ["learn", "attributes", "features", "weights", *_]
            | ["learn", "appearance", "weights", *_]
            | ["train", "start", *_]
            | ["train", "detector", "weights", *_]
            | ["train", "detector", "pretrained", *_]
            | ["train", "detector", "options", "pretrained", *_]
        ) if key[-1] != "sha256":
            return path
        case ["assets", _, "source"]:
            return path
    return value


def _assets(
    grammar: dict[str, Any], given: dict[str, Any], base: Path, folder: Path
) -> dict[str, Any]:
    """A source for each asset of the grammar: as given, else the grammar's own."""
    if not isinstance(grammar.get("text"), str):
        return given
    known = parsed(grammar["text"], str(grammar.get("name"))).assets
    given = _named(given, known)
    for name in given:
        if name not in known:
            hint = plugins.did_you_mean(name, known)
            raise RecipeError(f"assets.{name}: the grammar has no such asset{hint}")
    return {name: _asset(asset, given.get(name), base, folder) for name, asset in known.items()}


def _named(given: dict[str, Any], known: Mapping[str, Asset]) -> dict[str, Any]:
    """With the name of the one asset of models, where it was meant."""
    if ONLY_MODELS not in given:
        return given
    names = [asset.name for asset in known.values() if asset.kind == MODELS]
    if not names:
        raise RecipeError(
            "--assets: the grammar has no asset of kind models; declare one in it, "
            'such as `asset vehicles: models "procedural"`, or name another with --set assets.NAME'
        )
    if len(names) > 1:
        raise RecipeError(
            f"--assets: the grammar has several assets of models ({', '.join(names)}); "
            "write --assets NAME=DIR"
        )
    named = {name: value for name, value in given.items() if name != ONLY_MODELS}
    return named | {names[0]: given[ONLY_MODELS]}


def _asset(asset: Asset, given: Any, base: Path, folder: Path) -> Any:
    where = f"assets.{asset.name}"
    if given is None:
        return source(asset.source, folder, where)
    return source(given, base, where)


def _part(value: Any, base: Path, where: str) -> Any:
    """A plug-in's section: every key but `use` and `weights` is an option of its own."""
    if not isinstance(value, dict):
        return value
    part = dict(value)
    frozen: dict[str, Any] = {key: part.pop(key) for key in ("use", "weights") if key in part}
    # Frozen ones lie in `options`; what a person sets stands beside it, and counts.
    held = part.pop("options") if isinstance(part.get("options"), dict) else {}
    frozen["options"] = {**held, **part}
    if frozen.get("weights") is not None:
        frozen["weights"] = source(frozen["weights"], base, f"{where}.weights", built_in=False)
    return frozen


def training(value: Any, base: Path) -> Any:
    """The section of training: what it starts from, and the files of its detector."""
    if not isinstance(value, dict):
        return value
    train = dict(value)
    if train.get("start") is not None:
        train["start"] = source(train["start"], base, "train.start", built_in=False)
    if isinstance(train.get("detector"), dict):
        part = _part({"use": DETECTOR, **train["detector"]}, base, "train.detector")
        if part["options"].get(PRETRAINED) is not None:
            where = f"train.detector.{PRETRAINED}"
            found = source(part["options"][PRETRAINED], base, where, built_in=False)
            part["options"] = {**part["options"], PRETRAINED: found}
        train["detector"] = part
    return train


def _learn(value: Any, base: Path) -> Any:
    """The section of learning: only weights of networks that see lie outside the recipe."""
    if not isinstance(value, dict):
        return value
    learn = _features(value, base, "learn")
    if "attributes" in learn:
        learn["attributes"] = _features(learn["attributes"], base, "learn.attributes")
    if (weights := _get(learn.get("appearance"), "weights")) is not None:
        found = source(weights, base, "learn.appearance.weights", built_in=False)
        learn["appearance"] = {**learn["appearance"], "weights": found}
    return learn


def _features(section: Any, base: Path, where: str) -> Any:
    """A section whose features may have weights."""
    features = _get(section, "features")
    if _get(features, "weights") is None:
        return dict(section) if isinstance(section, dict) else section
    found = source(features["weights"], base, f"{where}.features.weights", built_in=False)
    return {**section, "features": {**features, "weights": found}}


def source(value: Any, base: Path, where: str, built_in: bool = True) -> Any:
    """A path as a person or a recipe.json writes it, made absolute and with its sha256."""
    if isinstance(value, dict) and isinstance(value.get("source"), str):
        fixed = value.get("sha256") is not None
        return {**value, "source": _absolute(value["source"], base)} if fixed else value
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise RecipeError(f"{where} must be the path of a file or folder, got {str(value)[:60]}")
    path = _absolute(value, base)
    if os.path.exists(path):
        return {"source": path, "sha256": digest_of(Path(path), where)}
    if built_in and value.isidentifier():
        return {"source": value, "sha256": None}
    raise RecipeError(f"{where}: there is no file or folder {path}")


def _absolute(path: str, base: Path) -> str:
    return os.path.abspath(base / os.path.expanduser(path))


def digest_of(path: Path, where: str) -> str:
    try:
        _check_size(path, where)
        return digest.of_path(path)
    except FileNotFoundError as error:
        raise RecipeError(
            f"{where}: {path} is gone; give its new place with --set {where}=PATH"
        ) from error
    except OSError as error:
        raise RecipeError(f"{where}: cannot read {path}: {error.strerror}") from error


def _check_size(folder: Path, where: str) -> None:
    """Refuses what is surely no folder of assets, such as a whole disk, before it is read."""
    count = size = 0
    for place, _, names in os.walk(folder):
        count += len(names)
        size += sum(_size(os.path.join(place, name)) for name in names)
        if count > MOST_FILES or size > MOST_BYTES:
            over = f"{MOST_FILES} files" if count > MOST_FILES else f"{MOST_BYTES // 2**30} GB"
            raise RecipeError(
                f"{where}: {folder} holds more than {over}; name the folder of the assets alone"
            )


def _size(file: str) -> int:
    try:
        return os.lstat(file).st_size
    except OSError:  # gone since it was listed: whoever reads it will tell
        return 0


def recorded(data: dict[str, Any]) -> dict[str, str]:
    """Key -> sha256 of each source that is frozen already."""
    found: dict[str, str] = {}
    parts = data.get("renderers")
    learn = data.get("learn")
    moving = _get(_get(learn, "attributes"), "features")
    pairs = [
        ("generator.weights", _get(data.get("generator"), "weights")),
        ("learn.features.weights", _get(_get(learn, "features"), "weights")),
        ("learn.attributes.features.weights", _get(moving, "weights")),
        ("learn.appearance.weights", _get(_get(learn, "appearance"), "weights")),
    ]
    pairs += [
        (f"renderers.{k}.weights", _get(part, "weights"))
        for k, part in enumerate(parts if isinstance(parts, list) else [])
    ]
    assets = data.get("assets")
    if isinstance(assets, dict):
        pairs += [(f"assets.{name}", source) for name, source in assets.items()]
    for key, source in pairs:
        sha256 = _get(source, "sha256")
        if isinstance(sha256, str):
            found[key] = sha256
    return found


def _get(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, dict) else None


@lru_cache(maxsize=8)
def parsed(text: str, name: str) -> Grammar:
    return language.parse(text, name)
