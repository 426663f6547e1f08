"""Keys as a process reads them: what is missing, what is malformed, and that no text shows a private half."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError, Refused
from common.security.certificates import load_public, load_signer
from common.security.keys import Keys
from tests.security_world import make_keys, tls_of


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys") / "keys")


def test_no_variable_no_keys_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    assert Keys.of(None) is None and Keys.of("") is None
    with pytest.raises(InputError, match="is no folder"):
        Keys.of(str(tmp_path / "nowhere"))
    empty = Keys(tmp_path)
    assert (empty.tls(), empty.seed, empty.audit) == (None, None, None)


def test_half_a_pair_is_refused_rather_than_taken_for_no_keys(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_bytes((keys / "viewer" / "tls.crt").read_bytes())
    with pytest.raises(InputError, match=r"ca\.crt: No such file"):
        Keys(tmp_path).tls()


def test_what_is_no_key_is_refused_without_showing_it(keys: Path, tmp_path: Path) -> None:
    planted = "planted-0123456789"
    bad = tmp_path / "audit.key"
    for text in (planted, f"-----BEGIN PRIVATE KEY-----\n{planted}\n-----END PRIVATE KEY-----\n"):
        bad.write_text(text)
        for load in (load_signer, load_public):
            with pytest.raises(InputError) as caught:
                load(bad)
            assert planted not in str(caught.value) and caught.value.__cause__ is None
    with pytest.raises(InputError, match="no ed25519 private key"):
        load_signer(keys / "viewer" / "tls.key")  # a key, but of another kind


def test_a_certificate_without_a_role_is_refused(keys: Path, tmp_path: Path) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes((keys / "viewer" / name).read_bytes())
    (tmp_path / "ca.crt").write_bytes((keys / "public" / "ca.crt").read_bytes())
    (tmp_path / "tls.crt").write_bytes((keys / "public" / "ca.crt").read_bytes())  # the CA's own names no role
    with pytest.raises((InputError, Refused), match="role"):
        Keys(tmp_path).tls()


def test_repr_shows_who_and_no_key(keys: Path) -> None:
    tls = tls_of(keys, "manager")
    assert repr(tls) == "Tls(manager, manager)"
    assert "PRIVATE" not in f"{tls} {Keys(keys / 'manager')!r}"
