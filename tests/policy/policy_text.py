"""Policy files for tests: one that holds, and the same with something else in it."""

from pathlib import Path

HEAD = """format = 1
name = "fleet north"
version = 3
profile = "gbt44464"
contact = "privacy@example.org"
"""

RULE = """
[[rule]]
class = "position"
purposes = ["service"]
basis = "consent"
jurisdictions = ["CN"]
destinations = ["fleet"]
precision = "geohash 5"
retention_days = 7
longest_days = 30
erase_within_s = 3600
clause = "GB/T 44464-2024, 5.2"
"""

DESTINATION = """
[[destination]]
name = "fleet"
purpose = "service"
jurisdiction = "CN"
hosts = ["data.example.cn", "*.fleet.example.cn"]
networks = ["203.0.113.0/24"]
"""

AREA = """
[[area]]
name = "yard"
corners = [[116.30, 39.90], [116.40, 39.90], [116.40, 39.95], [116.30, 39.95]]
datum = "wgs84"
withhold = "media"
margin_m = 50
"""

WHOLE = HEAD + RULE + DESTINATION + AREA


def changed(old: str, new: str, text: str = WHOLE) -> str:
    """The text with one place of it changed."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The line, from 1, that has `part` first."""
    return text[: text.index(part)].count("\n") + 1


def written(folder: Path, text: str | bytes, name: str = "policy.toml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o644)
    return path
