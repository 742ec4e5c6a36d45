"""`python scripts/check_focus.py FILE`: a FOCUS export against the FinOps Foundation's validator, installed apart.

The validator (focus-validator on PyPI) needs Python 3.12 or newer; it gets an environment of its own below build/.
"""

import re
import subprocess
import sys
import venv
from pathlib import Path

ENVIRONMENT = Path(__file__).resolve().parent.parent / "build" / "focus"
PACKAGES = ("focus-validator>=2.2,<3", "pyarrow<18")  # a newer pyarrow does not work with the numpy it asks for
VERSION = "1.2"
# What the provider supports, in the specification's words: decides which rules apply.
CRITERIA = (
    "ACCOUNT_NAMING_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED", "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED", "TAGGING_SUPPORTED", "UNIT_PRICING_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED",
)  # fmt: skip
ALTERNATIVES = {"InvoiceId-C-005-C"}  # of two rules one must hold, and InvoiceId-C-004-C does
FAILED = re.compile(r"^\S+ (\S+): FAIL\b.*", re.MULTILINE)


def main() -> int:
    """The exit status: 0 where every rule that applies is kept."""
    if len(sys.argv) != 2 or sys.version_info < (3, 12):
        print(__doc__)
        return 2
    if not (ENVIRONMENT / "bin" / "focus-validator").exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)
    (packages,) = (ENVIRONMENT / "lib").glob("python*/site-packages")
    told = subprocess.run(
        [
            ENVIRONMENT / "bin" / "focus-validator", "--block-download", "--validate-version", VERSION,
            "--focus-dataset", "CostAndUsage", "--applicability-criteria", ",".join(CRITERIA),
            "--data-file", Path(sys.argv[1]).resolve(),
        ],
        cwd=packages,  # it looks for its own tables there
        capture_output=True,
        text=True,
    )  # fmt: skip
    total = re.search(r"^Total: .*", told.stdout, re.MULTILINE)
    if total is None:
        print(told.stdout[-2000:], told.stderr[-2000:], sep="\n")
        return 2
    failed = [line for line in FAILED.finditer(told.stdout) if line[1] not in ALTERNATIVES]
    print(total[0], *(line[0][:300] for line in failed), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
