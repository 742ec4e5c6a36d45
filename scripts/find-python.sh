#!/bin/sh
# Prints a command that runs Python 3.11 or newer with venv and ensurepip: $PYTHON, else the newest python3.14 … 3.11
# that really runs, else python3 and python, else one made by uv in .venv. Else it says what to install and fails.
# Installed names are not trusted: version switchers leave shims behind that only print an error.

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
complete() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

# The environment that is there and whole needs no search.
if [ -z "$PYTHON" ] && [ -e .venv/.ready-run ] && [ ! -e .venv/.unfinished ] && complete .venv/bin/python; then
    echo .venv/bin/python
    exit 0
fi

if [ -n "$PYTHON" ]; then
    if ! suits "$PYTHON"; then
        echo "PYTHON=$PYTHON does not run, or is older than Python 3.11." >&2
        exit 2
    fi
    candidates=$PYTHON
else
    candidates="python3.14 python3.13 python3.12 python3.11 python3 python"
fi

bare=
for candidate in $candidates; do
    suits "$candidate" || continue
    if complete "$candidate"; then
        echo "$candidate"
        exit 0
    fi
    [ -n "$bare" ] || bare=$candidate
done

if [ -z "$PYTHON" ] && command -v uv >/dev/null 2>&1; then
    if [ ! -x .venv/bin/python ] || ! suits .venv/bin/python; then
        uv venv --quiet --clear --seed --python ">=3.11" .venv >&2 || exit 2
    fi
    echo .venv/bin/python
    exit 0
fi

if [ -n "$bare" ]; then
    version=$("$bare" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    echo "$bare has no working venv module (venv and ensurepip are needed)." >&2
    echo "On Debian and Ubuntu: apt install $version-venv. Or install uv: https://docs.astral.sh/uv/" >&2
else
    echo "Python 3.11 or newer is needed, and none was found." >&2
    echo "Install one (https://www.python.org/downloads/, apt install python3 python3-venv, brew install python)," >&2
    echo "or uv (https://docs.astral.sh/uv/), or name yours: make run PYTHON=/path/to/python3" >&2
fi
exit 2
