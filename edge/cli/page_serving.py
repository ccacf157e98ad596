"""Runs the page's server with a configuration, until a signal ends it."""

from __future__ import annotations

import logging
from pathlib import Path

from edge.cli.ending import stop_on_signal
from edge.cli.running import log_to_stderr
from edge.clock import SystemClock, kernel_boot_id
from edge.config.configuration import load_config
from edge.control.client import ControlClient
from edge.control.socket_path import socket_path
from edge.errors import ConfigError

_ANSWER_S = 5.0


def serve(config_path: Path, *, verbose: bool, logger: logging.Logger) -> None:
    """Serve the page of a configuration.

    Raises:
        ConfigError: the configuration cannot be used, or the extra is not installed.
    """
    try:
        from edge.page.app import PageApp  # noqa: PLC0415 - an extra that only this command needs
        from edge.page.making import make_page  # noqa: PLC0415 - the same
        from edge.page.server import PageServer  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise ConfigError(f"the page needs {error.name}", todo="pip install 'nevgate[page]'") from error
    log_to_stderr(verbose=verbose)
    config = load_config(config_path)
    path = socket_path(config.control, None if config.journal is None else config.journal.folder)
    if path is None:
        raise ConfigError(
            "no control socket is configured",
            where="control",
            todo="Set control.socket, or configure a journal",
        )
    clock = SystemClock()
    control = ControlClient(path, timeout_s=_ANSWER_S, clock=clock)
    page = make_page(config, control, clock, kernel_boot_id())
    section = page.section
    server = PageServer(PageApp(page), section.host, section.port)
    address = f"[{section.host}]" if ":" in section.host else section.host
    logger.info("the driver's page is at http://%s:%d/; end with Ctrl-C", address, server.bound_port)
    if not section.loopback:
        logger.warning(
            "it is reached from the network of %s, without TLS: who is there sees what is collected, "
            "and may listen to PINs",
            section.host,
        )
    with stop_on_signal() as stop:
        server.serve(stop)
