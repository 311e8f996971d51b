"""Runs a handful of programs as one: ordered start, prefixed output, restart with backoff, ordered warm stop.

One thread and no Django, so that it can fork safely and has nothing to fail in.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

LOOK_SECONDS = 0.2
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
HEALTHY_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_COLOURS = (36, 33, 32, 35, 34, 31)


class StartFailed(Exception):  # noqa: N818 — named for what happened
    """A program never became ready; the text names it and the others have been stopped."""


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Program:
    """One thing to run. Lower ``stop_rank`` stops earlier; equal ranks stop together."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool] = _always
    ready_seconds: float = 90.0
    stop_rank: int = 0
    stop_seconds: float = 30.0
    pass_fds: tuple[int, ...] = ()


@dataclass
class _Child:
    program: Program
    colour: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    restart_at: float | None = None
    partial: bytes = b""

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


def _die_with_parent() -> None:
    """In the new child, on Linux: be asked to stop should the supervisor be killed without a chance to ask."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Supervisor:
    """Start programs with ``start``, look after them with ``watch`` until a signal comes, then ``stop``."""

    tend: Callable[[], None] = lambda: None
    """Called at every look: what else needs keeping up."""
    _children: list[_Child] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _signals: int = 0

    def catch_signals(self) -> None:
        """Turn Ctrl-C, SIGTERM and a closed terminal into an ordered stop; a second one into a quick stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
                signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    @property
    def asked_to_stop(self) -> bool:
        """True once a signal has come."""
        return self._signals > 0

    def say(self, words: str) -> None:
        """Print a line of our own. A terminal that went away must not keep us from stopping in order."""
        with contextlib.suppress(OSError, ValueError):
            print(words, flush=True)

    def start(self, programs: Iterable[Program]) -> None:
        """Start these together and return when all are ready.

        Raises StartFailed when one does not become ready in its time; the caller then stops the rest.
        """
        fresh = []
        for program in programs:
            child = _Child(program, _COLOURS[len(self._children) % len(_COLOURS)])
            self._children.append(child)
            fresh.append(child)
            self._spawn(child)
        waiting = list(fresh)
        while waiting and not self.asked_to_stop:
            self._turn()
            waiting = [child for child in waiting if not child.program.ready()]
            for child in waiting:
                if time.monotonic() - child.started > child.program.ready_seconds or child.restart_at is not None:
                    raise StartFailed(f"{child.program.name} did not start; its last lines above say why.")

    def watch(self) -> None:
        """Keep everything up until a signal comes."""
        while not self.asked_to_stop:
            self._turn()

    def stop(self) -> None:
        """Stop everything, rank by rank: ask, wait, insist. A second signal cuts the waiting short."""
        for rank in sorted({child.program.stop_rank for child in self._children}):
            self._stop_together([child for child in self._children if child.program.stop_rank == rank])
        self._read(0)
        self._children.clear()

    def _stop_together(self, children: list[_Child]) -> None:
        asked_at, signals = time.monotonic(), max(self._signals, 1)
        for child in children:
            child.restart_at = None
            if child.alive() and child.process:
                child.process.terminate()
        while any(child.alive() for child in children):
            self._read(LOOK_SECONDS)
            for child in children:
                late = time.monotonic() - asked_at > child.program.stop_seconds
                if child.alive() and (late or self._signals > signals):
                    self.say(f"{child.program.name} is still busy; ending it now. Unfinished work is found again.")
                    self._kill_group(child)
        for child in children:
            self._kill_group(child)  # helpers that outlived their parent

    def _spawn(self, child: _Child) -> None:
        child.started = time.monotonic()
        child.restart_at = None
        child.process = subprocess.Popen(  # noqa: S603 — our own commands
            child.program.command,
            env=dict(child.program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=child.program.pass_fds,
            start_new_session=True,  # Ctrl-C reaches us alone, and we decide the order
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        if child.process.stdout:
            os.set_blocking(child.process.stdout.fileno(), False)
            self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def _turn(self) -> None:
        """Do one round: pass output on, notice the dead, restart those whose pause is over."""
        self._read(LOOK_SECONDS)
        self.tend()
        now = time.monotonic()
        for child in self._children:
            if child.restart_at is None and not child.alive() and child.process:
                self._plan_restart(child, now)
            elif child.restart_at is not None and now >= child.restart_at:
                self._spawn(child)

    def _plan_restart(self, child: _Child, now: float) -> None:
        self._kill_group(child)  # a killed parent leaves its pool behind
        child.pause = FIRST_PAUSE if now - child.started > HEALTHY_SECONDS else min(child.pause * 2, LONGEST_PAUSE)
        child.restart_at = now + child.pause
        status = child.process.returncode if child.process else None
        self.say(f"{child.program.name} ended with status {status}; starting it again in {child.pause:.0f} s")

    def _kill_group(self, child: _Child) -> None:
        if child.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            child: _Child = key.data
            with contextlib.suppress(BlockingIOError):
                data = os.read(key.fd, 65536)
                if not data:
                    self._selector.unregister(key.fileobj)
                    self._close(key.fileobj)
                self._pass_on(child, data)

    @staticmethod
    def _close(pipe: object) -> None:
        if hasattr(pipe, "close"):
            pipe.close()

    def _pass_on(self, child: _Child, data: bytes) -> None:
        *lines, child.partial = (child.partial + data).split(b"\n")
        if not data and child.partial:
            lines, child.partial = [child.partial], b""
        label = f"{child.program.name:<9}"
        if sys.stdout.isatty():
            label = f"\x1b[{child.colour}m{label}\x1b[0m"
        for line in lines:
            self.say(f"{label}| {line.decode(errors='replace').rstrip()}")
