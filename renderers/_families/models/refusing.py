"""How the process that reads says that a file cannot be used."""


class Refusal(Exception):
    """Says what is wrong with the file, and the remedy; not which file it is."""
