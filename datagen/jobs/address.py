"""The address of a broker as it may be shown."""

import re
from urllib.parse import urlsplit


def shown(url: str) -> str:
    """A URL without user, password and options, which no log and no file may hold."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port
    except ValueError:
        return re.sub(r"//.*@", "//", url.partition("?")[0])
    host = f"[{host}]" if ":" in host else host
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{host}{f':{port}' if port else ''}{parts.path}"
