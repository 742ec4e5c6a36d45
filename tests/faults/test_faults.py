"""The fault matrix, shortened: every fault a few times on two gateways under one load, and one judgement at the end.

`make faults` plays each of them alone and in full, on one gateway and on three.
"""

from support.needs import need

from faults.judge import judge
from faults.matrix import FAULTS
from faults.rig import FAKETIME, rig


def test_ledger_after_every_fault_has_each_answered_request_once_and_the_rest_within_its_hold() -> None:
    need(bool(FAKETIME), "libfaketime (apt install faketime): the store's clock is moved")
    last = "the store's clock jumps"  # it leaves leases that end in an hour: of nobody who is killed afterwards
    order = [name for name in FAULTS if name != last] + [last]
    with rig(2, moves_clock=True) as broken:
        with broken.load:
            broken.load.more_answers(10)
            for name in order:
                act, _, times = FAULTS[name]
                act(broken, times)
        verdicts = judge(broken, broken.load.asked, may_estimate=True)
    for verdict in verdicts.values():
        assert verdict.wrong == []
        assert verdict.answered > 100
        assert verdict.in_flight > 0
        assert verdict.as_estimated <= verdict.answered // 10
