import hashlib
import hmac
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.identity import image_id, load_key


def test_an_id_is_128_bits_of_hmac_sha256() -> None:
    # RFC 4231 test case 2
    assert image_id(b"Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_ids_depend_on_key_and_uid() -> None:
    assert len({image_id(k, u) for k in (b"a" * 32, b"b" * 32) for u in ("1.2", "1.3")}) == 4


def test_a_new_key_is_private_random_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "id.key"
    key = load_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == key
    assert load_key(tmp_path / "other.key") != key
    assert sorted(p.name for p in tmp_path.iterdir()) == ["id.key", "other.key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(load_key, [tmp_path / "id.key"] * 32))
    assert len(keys) == 1


def test_the_first_of_two_writers_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = load_key(tmp_path / "id.key")
    monkeypatch.setattr(Path, "exists", lambda _: False)  # as seen just before the other wrote it
    assert load_key(tmp_path / "id.key") == key
    assert [p.name for p in tmp_path.iterdir()] == ["id.key"]


def test_a_key_can_be_brought(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("00ff" * 8 + "\n")
    key = load_key(tmp_path / "k")
    assert key == b"\x00\xff" * 8
    assert image_id(key, "1.2") == hmac.new(key, b"1.2", hashlib.sha256).hexdigest()[:32]


@pytest.mark.parametrize("content", ["", "hello", "00ff", "é"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "k").write_text(content)
    with pytest.raises(ConfigError, match="at least 32 hexadecimal digits"):
        load_key(tmp_path / "k")


def test_a_key_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read or made"):
        load_key(tmp_path / "absent" / "k")
    with pytest.raises(ConfigError, match="cannot be read or made"):
        load_key(tmp_path)
