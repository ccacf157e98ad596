"""`python -m tests.bench.bulk_cluster FOLDER`: a Dask cluster of two worker processes on loopback.

It says its address and its workers' process ids as one line of JSON, and ends when its input does.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

WORKERS = 2


def main() -> None:
    """Serve until nobody asks any more."""
    distributed: Any = importlib.import_module("distributed")
    with distributed.LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        local_directory=sys.argv[1],
        silence_logs="CRITICAL",
    ) as cluster:
        pids = [worker.process.process.pid for worker in cluster.workers.values()]
        print(json.dumps({"address": cluster.scheduler_address, "workers": pids}), flush=True)  # noqa: T201 - a program speaks
        sys.stdin.read()


if __name__ == "__main__":
    main()
