"""What may run next: the pure state of a run. It decides; the runner acts."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from anabranch.model.graph import order, reachable
from anabranch.model.run import StepState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from anabranch.model.pipeline import Pipeline, StepId


class Schedule:
    """The steps of a run and how they stand. Ties are broken by the order of execution, so runs start alike."""

    def __init__(self, pipeline: Pipeline, chosen: Collection[StepId], done: Collection[StepId] = ()) -> None:
        """Start with `chosen` waiting; `done` are those whose results are reused."""
        chosen_set, done_set = set(chosen), set(done)
        self._order = [step for step in order(pipeline) if step in chosen_set]
        self._position = {step: i for i, step in enumerate(self._order)}
        self._down: Mapping[StepId, tuple[StepId, ...]] = pipeline.downstream
        self.state = dict.fromkeys(self._order, StepState.WAITING)
        self._missing = {
            step: sum(1 for source in pipeline.upstream[step] if source in chosen_set and source not in done_set)
            for step in self._order
        }
        self.state.update((step, StepState.REUSED) for step in self._order if step in done_set)
        self._ready = [
            self._position[step]
            for step in self._order
            if self._missing[step] == 0 and self.state[step] is StepState.WAITING
        ]
        heapq.heapify(self._ready)
        self._open = sum(1 for state in self.state.values() if not state.ended)

    @property
    def steps(self) -> tuple[StepId, ...]:
        """All steps of the run, in order."""
        return tuple(self._order)

    @property
    def ended(self) -> bool:
        """Whether no step has anything left to do."""
        return self._open == 0

    @property
    def ok(self) -> bool:
        """Whether every step's result stands."""
        return all(state.ok for state in self.state.values())

    def next(self) -> StepId | None:
        """Take the next step that may start, and count it as running."""
        if not self._ready:
            return None
        step = self._order[heapq.heappop(self._ready)]
        self.state[step] = StepState.RUNNING
        return step

    def again(self, step: StepId) -> None:
        """Count the step as waiting for another attempt."""
        self.state[step] = StepState.RETRYING

    def back(self, step: StepId) -> None:
        """Let a step whose wait is over start again."""
        heapq.heappush(self._ready, self._position[step])

    def succeeded(self, step: StepId) -> None:
        """Count the step as done; what waited only for it may start."""
        self._end(step, StepState.SUCCEEDED)
        for target in self._down[step]:
            if target in self._missing:
                self._missing[target] -= 1
                if self._missing[target] == 0 and self.state[target] is StepState.WAITING:
                    heapq.heappush(self._ready, self._position[target])

    def failed(self, step: StepId) -> tuple[StepId, ...]:
        """Count the step as failed; return the steps that depend on it, now skipped, and nothing else."""
        self._end(step, StepState.FAILED)
        behind = reachable(self._down, [step]) - {step}
        skipped = sorted(
            (each for each in behind if self.state.get(each) is StepState.WAITING), key=self._position.__getitem__
        )
        for each in skipped:
            self._end(each, StepState.SKIPPED)
        return tuple(skipped)

    def cancel(self) -> tuple[StepId, ...]:
        """Cancel every step that has not ended; return them."""
        cancelled = tuple(step for step, state in self.state.items() if not state.ended)
        for step in cancelled:
            self._end(step, StepState.CANCELLED)
        self._ready.clear()
        return cancelled

    def _end(self, step: StepId, state: StepState) -> None:
        self.state[step] = state
        self._open -= 1
