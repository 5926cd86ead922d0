"""From a text, a file or a shipped name to a Grammar."""

from pathlib import Path

from datagen.errors import GrammarError, InputError
from datagen.grammar import Grammar
from datagen.language.build import build
from datagen.language.refuse import refuse
from datagen.language.source import Source, did_you_mean
from datagen.language.syntax import MAX_BYTES, read


def parse(text: str, path: str = "<text>") -> Grammar:
    """The grammar that a text describes; GrammarError at the first thing that is wrong."""
    source = Source(text, path)
    statements = read(source)
    grammar = build(source, statements)
    refuse(source, grammar, statements)
    return grammar


def load(path: str | Path) -> Grammar:
    """The grammar in a file; UTF-8, at most 256 kB."""
    return parse(read_text(path), str(path))


def read_text(path: str | Path) -> str:
    """A grammar file's text with plain line ends; its size is checked before it is read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: cannot read the grammar: {reason}; check the path") from None
    if len(data) > MAX_BYTES:
        raise GrammarError(
            f"the grammar is larger than {MAX_BYTES // 1024} kB", path=str(path), remedy="split it"
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise GrammarError(
            "this is not UTF-8 text", path=str(path), line=line, column=column, remedy="save it so"
        ) from None


def named(name: str) -> Grammar:
    """A grammar of the grammars folder, by its file name without `.scene`."""
    from datagen import plugins  # plugins stands above the language; only this door looks up

    known = plugins.names("grammars")
    if name not in known:
        remedy = did_you_mean(name, known, "known are " + ", ".join(sorted(known)))
        raise InputError(f"no grammar is named `{name}`; {remedy}")
    return load(plugins.home("grammars") / f"{name}.scene")
