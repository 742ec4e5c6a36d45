"""`gateway doctor`: what a gateway with this configuration would meet here, and what to do about it."""

import os
from collections.abc import Iterator
from typing import Annotated

import typer

from gateway.cli.configuration_file import AsJson, Config, choose_file, load_file
from gateway.cli.failure import ExitCode
from gateway.cli.output import print_json, print_verdict
from gateway.cli.progress import waiting
from gateway.diagnosis.examination import examine
from gateway.diagnosis.finding import Finding


def _one_by_one(found: Iterator[Finding]) -> Iterator[Finding]:
    """Each as soon as there is one, with a sign while the next takes its time."""
    while True:
        with waiting("looking further"):
            finding = next(found, None)
        if finding is None:
            return
        yield finding


def examine_here(
    config: Config = None,
    demo: Annotated[bool, typer.Option("--demo", help="As for `gateway serve --demo`.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try the Cloudflare credentials.")] = False,
    as_json: AsJson = False,
) -> None:
    """Examine configuration, machine, store, clock and credentials. Exit 1 where something must be fixed."""
    settings = load_file(choose_file(config, os.environ), os.environ, demo=demo).settings
    findings = []
    for finding in _one_by_one(examine(settings, offline=offline)):
        findings.append(finding)
        if not as_json:  # one by one: the account may take seconds
            print_verdict(finding.verdict, finding.check, finding.message, finding.fix)
    if as_json:
        print_json(findings)
    if any(finding.verdict == "problem" for finding in findings):
        raise typer.Exit(ExitCode.REFUSED)
