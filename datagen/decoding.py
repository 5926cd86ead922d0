"""From text that a person wrote to a validated struct, with errors that say what to do."""

import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from datagen.allowed import allowed
from datagen.errors import InputError, RecipeError
from datagen.plugins import did_you_mean

Model = TypeVar("Model", bound=BaseModel)


def read_text(path: Path, cap: int) -> str:
    """UTF-8 text of at most `cap` bytes; what is larger was surely not meant."""
    try:
        with path.open("rb") as file:
            data = file.read(cap + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > cap:
        raise InputError(f"{path} is larger than the {cap:,} bytes allowed; is it the right file?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start})") from error


def parse_toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise RecipeError(f"{where} is not TOML: {error}") from error
    except RecursionError as error:
        raise RecipeError(f"{where}: values are nested too deeply") from error


def parse_json(text: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{where} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{where} must hold a JSON object")
    return data


def override(
    data: dict[str, Any], sets: Iterable[str], settled: Callable[[list[str], Any], Any]
) -> None:
    """Applies `--set a.b=value`; values are TOML, and what is not TOML is a string.

    `settled` gets the key's parts and the value, and gives the value to store.
    """
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"--set {text}: write it as key=value, for example --set seed=3")
        parts = key.strip().split(".")
        _put(data, parts, settled(parts, _value(value.strip())), text)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _put(data: dict[str, Any], path: list[str], value: Any, text: str) -> None:
    place: Any = data
    key: Any
    for k, key in enumerate(path):
        if isinstance(place, list):
            if not key.isdecimal() or int(key) >= len(place):
                raise RecipeError(f"--set {text}: `{'.'.join(path[:k])}` has no element {key}")
            key = int(key)
        elif not isinstance(place, dict):
            raise RecipeError(f"--set {text}: `{'.'.join(path[:k])}` is a value, not a section")
        if k == len(path) - 1:
            place[key] = value
        else:
            place = place[key] if isinstance(place, list) else place.setdefault(key, {})


def decode(model: type[Model], data: Any, where: str) -> Model:
    """`data` as `model`, strictly; the first fault becomes a RecipeError that names `where`."""
    try:
        # By way of JSON: there a list may stand for a tuple, yet 3.0 is no int and "3" no number.
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(model, error)}") from error
    except RecursionError as error:  # dotted keys of TOML nest without end
        raise RecipeError(f"{where}: values are nested too deeply") from error


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    # An unknown key is named first: a misspelt required key shows up as missing as well.
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    if fault["type"] == "json_invalid":  # `json` wrote it, so all that can be wrong is its depth
        return "values are nested too deeply"
    place = tuple(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = _fields(model, place[:-1])
        return f"unknown key `{'.'.join(place)}`{did_you_mean(place[-1], known)}"
    if within := bool(place) and place[-1].isdecimal():
        place = place[:-1]  # what is wrong with an element is told of its list
    name, is_missing = ".".join(place), fault["type"] == "missing"
    if fault["type"] == "value_error":  # keys that do not go together; the model says which
        return f"`{name}`: {fault['msg'].removeprefix('Value error, ')}"
    if is_missing and not within:
        return f"the key `{name}` is missing"
    field = _fields(model, place[:-1]).get(place[-1]) if place else None
    words = allowed(field) if field is not None else ""
    said = f"must be {words}" if words else fault["msg"].replace("Input should", "should")
    got = json.dumps(fault["input"], default=str)[:60]
    return f"`{name}` {said}, got {got}{' in it' if within and not is_missing else ''}"


def _fields(model: type[BaseModel], place: tuple[str, ...]) -> dict[str, FieldInfo]:
    """Fields of the model that lies at `place`; none when that is not a model."""
    here: Any = model
    for key in place:
        if key.isdecimal():
            continue
        field = here.model_fields.get(key)
        inner = [field.annotation, *get_args(field.annotation)] if field is not None else []
        here = next((a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)), None)
        if here is None:
            return {}
    return dict(here.model_fields)
