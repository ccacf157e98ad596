"""Whatever is done to a board's bundles, and wherever the power fails in it: it starts a whole, good one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.firmware.boards import load_board
from edge.firmware.bundle import SLOT, TRAMPOLINE, Bundle, Manifest, build_hash, listed
from edge.firmware.flash import flash
from edge.firmware.repl import agent_text
from tests.firmware import micropython
from tests.firmware.desk_board import BOARD, PROGRAMS

STARTING = micropython.FIRMWARE / "starting"
SLOT_STATE = {"good": True, "tries": 0, "error": ""}


def small_bundle(version: str, well: str, folder: Path) -> Bundle:
    """A bundle of three files, whose program tells which they are."""
    (folder / "desk.toml").write_text(BOARD)
    board = load_board(str(folder / "desk.toml"))
    program = (
        "import told\nfrom build_id import VERSION\nfrom part import PART\n\n"
        f"def run(slot):\n    told.ran(slot, VERSION, PART, {well!r})\n    raise SystemExit\n"
    )
    texts = {
        TRAMPOLINE: (STARTING / "trampoline.py").read_text(),
        f"{SLOT}build_id.py": f"VERSION = {version!r}\n",
        f"{SLOT}part.py": f"PART = {version!r}\n" + "# fills more than a block of the flash\n" * 40,
        f"{SLOT}program.py": program,
    }
    contents = {path: text.encode() for path, text in texts.items()}
    about = {
        "name": version, "version": version, "board": board.name, "family": board.family,
        "architecture": board.architecture, "kind": "bridge", "form": "source",
    }  # fmt: skip
    manifest = {"format": 1, **about, "build": build_hash(about, contents), "files": listed(contents)}
    return Bundle(Manifest.model_validate(manifest), contents)


class Recorder:
    """Takes what a desk would send to a board in a certain state, and answers as that board."""

    def __init__(self, bundle: Bundle, chosen: str, slots: Mapping[str, object]) -> None:
        self.sent: list[str] = []
        self._bundle = bundle
        self._state = {
            "chosen": chosen, "fallen": "", "mpy": 0, "machine": "", "version": [1, 28, 0], "main": "",
            "free": 0, "file_system": "VfsLfs2", "littlefs": True, "slots": slots,
        }  # fmt: skip

    def run(self, text: str) -> str:
        if text == "state()":
            return json.dumps(self._state)
        if text.startswith("hashes("):
            files = listed(self._bundle.slot_files)
            return json.dumps({path: [one.size, one.sha256] for path, one in files.items()})
        self.sent.append(text)
        return ""

    def restart(self) -> None:
        raise AssertionError


def sent(bundle: Bundle, chosen: str, slots: Mapping[str, object]) -> Sequence[str]:
    recorder = Recorder(bundle, chosen, slots)
    flash(recorder, bundle)
    return recorder.sent


def test_a_board_starts_a_whole_bundle_wherever_the_power_fails(tmp_path: Path) -> None:
    good = {"a": SLOT_STATE}
    both = {"a": SLOT_STATE, "b": SLOT_STATE}
    unproved = {"a": SLOT_STATE, "b": {"good": False, "tries": 0, "error": ""}}
    bundles = {
        "one": sent(small_bundle("1", "well", tmp_path), "", {}),
        "two": sent(small_bundle("2", "well", tmp_path), "a", good),
        "raises": sent(small_bundle("3", "raises", tmp_path), "a", good),
        "hangs": sent(small_bundle("4", "hangs", tmp_path), "a", good),
        "third": sent(small_bundle("5", "well", tmp_path), "b", both),
        "again": sent(small_bundle("5", "well", tmp_path), "b", unproved),
    }
    trampoline = (STARTING / "trampoline.py").read_text()
    assert trampoline.endswith("\n\nmain()\n")
    plan = tmp_path / "plan.json"
    plan.write_text(
        json.dumps(
            {
                "agent": agent_text(),
                "trampoline": trampoline.removesuffix("main()\n"),
                "outcome": (STARTING / "outcome.py").read_text(),
                "bundles": bundles,
            }
        )
    )
    said = micropython.run(
        PROGRAMS / "power_cut_on_board.py", str(plan), paths=[PROGRAMS], heap="1m"
    ).stdout.decode()
    # MicroPython prints what a flash without power raises under a file that is let go of.
    lines = [line for line in said.splitlines() if line.startswith("campaign: ")]
    assert len(lines) == 14, said
    assert all(line.endswith(" cuts, well") for line in lines), said
    assert sum(int(line.split(": ")[2].split()[0]) for line in lines) > 200
