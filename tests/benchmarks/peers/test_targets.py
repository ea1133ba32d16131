"""The table of the CPU, by hand."""

import copy

from benchmarks.peers.targets import TARGETS, judge_all


def row(share: float, times_spr: float):
    return {
        "share_of_bare_decoder": {"median": share},
        "peers": {"spr": {"times_as_fast": {"median": times_spr}}},
    }


FOUND = {
    "settings": {"device": "cpu"},
    "rows": {
        "j2k": row(0.85, 1.24),
        "j2k decode.reduce=auto": {"peers": {"spr": {"times_as_fast": {"median": 6.0}}}},
        "htj2k": row(0.5, 9.5),
        "jpeg_sv1": row(0.44, 3.0),
    },
    "memory": {
        "loader": {"j2k": {"above_import_mib": 655}, "htj2k": {"above_import_mib": 1000}},
    },
}


def test_the_table_by_hand():
    table = judge_all(FOUND)
    assert [(line["name"], line["value"], line["met"], line["moonshot_met"]) for line in table] == [
        ("loader / bare decoder, j2k", 0.85, True, False),
        ("loader / bare decoder, jpeg_sv1", 0.44, False, False),
        ("jpeg_sv1 / SPR winner", 3.0, True, False),
        ("j2k / SPR winner", 1.24, False, False),
        ("j2k decode.reduce=auto / SPR winner", 6.0, True, True),
        ("htj2k / SPR winner on j2k", 9.5, True, True),
        ("loader's memory above its imports, GB", 1.049, True, False),  # 1000 MiB
    ]
    assert [(line["bar"], line["moonshot"]) for line in table] == [
        *((0.85, 0.93), (0.45, 0.65), (3.0, 4.5), (1.25, 1.4), (3.5, 6.0), (5.0, 9.0)),
        (1.5, 0.9),
    ]


def test_a_peer_that_failed_and_unknown_memory_leave_no_figure():
    found = copy.deepcopy(FOUND)
    found["rows"]["jpeg_sv1"]["peers"]["spr"] = {"outcome": "not installed: cv2"}
    found["memory"]["loader"]["j2k"]["above_import_mib"] = None
    table = {line["name"]: line["met"] for line in judge_all(found)}
    assert [name for name, met in table.items() if met is None] == [
        "jpeg_sv1 / SPR winner",
        "loader's memory above its imports, GB",
    ]
    assert len(table) == len(TARGETS)


def test_the_bars_are_those_of_a_cpu():
    assert judge_all(FOUND | {"settings": {"device": "gpu"}}) == []
