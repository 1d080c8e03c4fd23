"""Steps of one run begin and end at any moment beside each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.data.conftest import Begin

from anabranch.model.dataset import DatasetSpec


def test_a_step_that_ends_takes_no_folder_from_one_that_begins(begin: Begin) -> None:
    def come_and_go(attempt: int) -> None:
        for _ in range(200):
            begin([], [DatasetSpec("d")], attempt=attempt).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(1, 5)))
