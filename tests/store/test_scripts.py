"""The Lua steps are found, complete and named by their digest."""

from hashlib import sha1

from gateway.store.scripts import load_scripts


def test_load_scripts_gives_every_step_with_the_shared_part() -> None:
    scripts = load_scripts()
    assert set(scripts) >= {"hold", "settle", "renew", "expire", "due", "ensure_organization"}
    for script in scripts.values():
        assert script.digest.decode() == sha1(script.source).hexdigest()
        assert b"local function whole" in script.source
