"""GLB files written by hand, sound ones and others."""

import json
import struct


def write_glb(path, head, binary=b""):
    """A GLB file with any head; `binary` is its own buffer."""
    text = json.dumps({"asset": {"version": "2.0"}, **head}).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<2I", len(text), 0x4E4F534A) + text
    if binary:
        chunks += struct.pack("<2I", len(binary), 0x004E4942) + binary
    path.write_bytes(b"glTF" + struct.pack("<2I", 2, 12 + len(chunks)) + chunks)
