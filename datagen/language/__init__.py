"""The scene language: text to Grammar and back, with errors that point into the text."""

from datagen.language.check import Finding as Finding
from datagen.language.check import check as check
from datagen.language.diff import diff as diff
from datagen.language.intervals import Interval as Interval
from datagen.language.intervals import Intervals as Intervals
from datagen.language.parse import load as load
from datagen.language.parse import named as named
from datagen.language.parse import parse as parse
from datagen.language.size import expected_counts as expected_counts
from datagen.language.size import expected_things as expected_things
from datagen.language.size import growth as growth
from datagen.language.write import write as write
from datagen.language.write import written as written
