"""Names for images that say nothing about the patient: keyed hashes of the SOP Instance UID.

A plain hash of a UID can be found again by hashing a list of UIDs, so the hash is keyed. The key
stays with the working files; whoever holds it can link an image_id back to its file.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from dali_pipelines.atomic import PRIVATE_MODE
from dali_pipelines.errors import ConfigError

KEY_BYTES: Final = 32  # the output size of SHA-256, RFC 2104 section 3
_MIN_KEY_BYTES: Final = 16
_ID_HEX_DIGITS: Final = 32  # 128 bits: a collision among 10**9 images has a chance of 10**-21


def load_key(path: Path) -> bytes:
    """The key in `path` (hexadecimal text); made at random with mode 0600 if there is no file.

    Processes that start together agree on one key. Raises ConfigError if the file holds no key or
    cannot be read or made.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigError(
            f"the id key {str(path)!r} cannot be read or made: {error.strerror}"
        ) from error
    except ValueError:
        key = b""
    if len(key) < _MIN_KEY_BYTES:
        raise ConfigError(
            f"the id key {str(path)!r} must hold at least {2 * _MIN_KEY_BYTES} hexadecimal digits; "
            "name the key of the first scan, or remove the file to have a new one made"
        )
    return key


def image_id(key: bytes, sop_instance_uid: str) -> str:
    """The image's name in everything that leaves the working files: 32 hexadecimal digits."""
    digest = hmac.new(key, sop_instance_uid.encode("utf-8"), hashlib.sha256)
    return digest.hexdigest()[:_ID_HEX_DIGITS]


def _make_key(path: Path) -> None:
    """Write a new key whole under another name, then link it: the first of several wins."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        os.link(aside, path)
    except FileExistsError:
        return
    finally:
        os.unlink(aside)
