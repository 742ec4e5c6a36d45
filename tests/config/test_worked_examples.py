"""The examples of the manual hold what its sentences say of them."""

from gateway.config.worked_examples import EXAMPLES, SHAPES, policy_costs, policy_examples, shape_table
from gateway.core.policies import POLICIES


def test_policy_examples_show_every_policy_for_every_example() -> None:
    lines = policy_examples().splitlines()
    for policy in POLICIES:
        assert sum(line.startswith(f"| `{policy}` |") for line in lines) == len(EXAMPLES)
    # 100 x 0.152 + 256 x 0.287 against 100 x 0.045 + 256 x 0.384, per million
    assert "| `cheapest` | fp8, fast, @hf | expected cost $0.0000887 for 100 prompt and 256 output tokens |" in lines
    assert "| `cheapest` | fast, fp8 | expected cost $0.0005033 for 9000 prompt and 256 output tokens |" in lines
    assert "Left out: @hf its window of 8192 tokens is too small." in lines


def test_policy_costs_are_never_below_the_best_choice_and_learning_helps() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in policy_costs().splitlines()[2:]]
    above = {name: float(percent.removesuffix(" %")) for name, _, percent in rows[:-1]}
    assert len(above) == len(POLICIES) + 1
    assert min(above.values()) >= 0
    assert above["`cheapest`, answer lengths learned"] == 0
    assert 0 < above["`cheapest`"] < 5
    assert above["`cheapest`"] == min(percent for name, percent in above.items() if "learned" not in name)


def test_shape_table_lists_every_shape() -> None:
    assert len(shape_table().splitlines()) == len(SHAPES) + 2
