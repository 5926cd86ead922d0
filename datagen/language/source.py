"""A grammar's text with its path: the one place that makes an error point into the text."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from lark import Token

from datagen.errors import GrammarError
from datagen.grammar import Attribute, Rule, Symbol

Place = Token | Rule | Symbol | Attribute


@dataclass(frozen=True)
class Source:
    """What the user wrote, and where."""

    text: str
    path: str

    def error(self, place: Place, message: str, remedy: str = "") -> GrammarError:
        """The error at a token, a rule, a symbol or an attribute."""
        return self.error_at(place.line or 1, place.column or 1, message, remedy)

    def error_at(self, line: int, column: int, message: str, remedy: str = "") -> GrammarError:
        return GrammarError(
            message, path=self.path, line=line, column=column, source=self.text, remedy=remedy
        )

    def error_at_offset(self, offset: int, message: str, remedy: str = "") -> GrammarError:
        """The error at a character of the text, counted from 0."""
        line = self.text.count("\n", 0, offset) + 1
        column = offset - self.text.rfind("\n", 0, offset)
        return self.error_at(line, column, message, remedy)


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The remedy for a misspelt word: its nearest known word, or `otherwise`."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else otherwise
