"""An example or two for each command, shown below its help. A test parses every one of them."""

from collections.abc import Sequence
from typing import Final

import typer

EXAMPLES: Final = {
    "serve": ("gateway serve --demo", "gateway serve --config config.yaml --port 8081"),
    "simulate": ("gateway simulate --port 8790 --record calls.jsonl",),
    "usage": (
        "gateway usage --by project --since 30d",
        "gateway usage --since yesterday",
        "gateway usage --by key --format csv > usage.csv",
    ),
    "export": (
        "gateway export --since 7d --format csv --output rows.csv",
        "gateway export --format focus --output bill.csv --resume",
    ),
    "reconcile": ("gateway reconcile", "gateway reconcile --day 2026-11-01 --json"),
    "apply": ("gateway apply teams.yaml --dry-run", "gateway apply teams.yaml --secrets new-keys.txt"),
    "audit": (
        "gateway audit --since 90m",
        "gateway audit --where event=api_key.deleted --where project=search",
    ),
    "verify": ("gateway verify --since 7d", "gateway verify --repair --yes"),
    "models": ("gateway models", "gateway models --map cheapest.svg --route auto"),
    "explain": ("gateway explain request.json",),
    "check": ("gateway check config.yaml", "gateway check config.yaml --json"),
    "restart": ("gateway restart", "gateway --data-dir /var/lib/workers-ai-gateway restart --wait 300"),
    "doctor": ("gateway doctor", "gateway doctor --config config.yaml --offline --json"),
    "probe": ("gateway probe --output probe.md", "gateway probe --model llama-3.1-8b-instruct-fp8 --json"),
    "backup": ("gateway backup 2026-11-25.backup",),
    "restore": ("gateway restore 2026-11-25.backup", "gateway restore 2026-11-25.backup --replace --yes"),
    "version": ("gateway version",),
    "projects create": ("gateway projects create search",),
    "projects list": ("gateway projects list --archived",),
    "projects show": ("gateway projects show search",),
    "projects update": ("gateway projects update search on_disconnect=drain",),
    "projects archive": ("gateway projects archive search --yes",),
    "keys create": (
        "gateway keys create --project search --name indexer > key.txt",
        "gateway keys create --project search --name bot --expires-days 90 allowed_routes=auto",
    ),
    "keys list": ("gateway keys list --project search",),
    "keys show": (
        "gateway keys show key_123",
        "gateway keys show indexer --project search",
    ),
    "keys update": ("gateway keys update key_123 default_route=auto",),
    "keys rotate": (
        "gateway keys rotate key_123 --grace 2h",
        "gateway keys rotate indexer --project search",
    ),
    "keys disable": ("gateway keys disable key_123 --yes",),
    "keys enable": ("gateway keys enable key_123",),
    "keys revoke": ("gateway keys revoke key_123 --yes", "gateway keys revoke --owner alice --yes"),
    "limits set": (
        "gateway limits set --project search --usd 25",
        "gateway limits set --project search --limit requests/minute=60 --limit concurrency=8",
    ),
    "limits show": ("gateway limits show --project search",),
    "limits list": ("gateway limits list",),
    "limits mine": ("gateway limits mine",),
    "limits remove": ("gateway limits remove --project search --yes",),
    "service-accounts create": ("gateway service-accounts create alice --project search",),
    "service-accounts list": ("gateway service-accounts list --project search",),
    "service-accounts rename": ("gateway service-accounts rename alice bob --project search",),
    "service-accounts delete": ("gateway service-accounts delete bob --project search --yes",),
    "alerts create": ("gateway alerts create --project search --usd 20",),
    "alerts list": ("gateway alerts list",),
    "alerts delete": ("gateway alerts delete alert_123 --yes",),
    "alerts history": ("gateway alerts history --limit 20",),
    "alerts test": ("gateway alerts test",),
    "admin-keys create": ("gateway admin-keys create --name reports --role viewer",),
    "admin-keys list": ("gateway admin-keys list",),
    "admin-keys revoke": ("gateway admin-keys revoke key_123 --yes",),
    "ledger list": ("gateway ledger list --project search --since 1d --limit 20",),
    "ledger show": ("gateway ledger show req_0123456789abcdef0123456789abcdef",),
    "config show": ("gateway config show --config config.yaml", "gateway config show --json"),
    "spool status": ("gateway spool status data",),
    "spool replay": ("gateway spool replay /mnt/old/spool/6111558c --into data",),
}


def shown(command: str) -> str | None:
    """What stands below a command's help."""
    examples: Sequence[str] = EXAMPLES.get(command, ())
    return "\n\n".join(("Examples:" if len(examples) > 1 else "Example:", *examples)) if examples else None


def add_examples(app: typer.Typer, words: str = "") -> None:
    """Give each command of a tree its examples."""
    for command in app.registered_commands:
        command.epilog = shown(f"{words}{command.name}")
    for group in app.registered_groups:
        if group.typer_instance is not None:
            add_examples(group.typer_instance, f"{words}{group.name} ")
