"""Signed policy files for gateways that run as programs."""

from __future__ import annotations

from pathlib import Path

from edge.policy.policy_signature import sign_policy
from edge.wire.key_files import public_path, write_signing_key
from edge.wire.keys import SigningKey

ISSUER = SigningKey.seeded(b"issuer")

OPERATION_AND_POSITION = """
format = 1
name = "operation and position"
version = 1
profile = "gbt44464"
contact = "the test bench"
[[deny]]
class = "health"
[[deny]]
class = "identity"
[[deny]]
class = "cabin"
[[deny]]
class = "exterior"
"""


def signed_policy(folder: Path, text: str, *, name: str = "policy.toml") -> str:
    """Write a policy with its signature and its issuer's key; give the table [policy] that names it."""
    file = folder / name
    content = text.encode()
    file.write_bytes(content)
    file.with_name(name + ".sig").write_bytes(sign_policy(content, ISSUER))
    if not public_path(folder / "issuer.pem").exists():
        write_signing_key(folder / "issuer.pem", ISSUER)
    return f'[policy]\nfile = "{file}"\nkey = "{public_path(folder / "issuer.pem")}"\n'
