"""Times of things done in turn, and the rows of the table that come of them."""

import contextlib
import dataclasses
import json
import os
import pwd
import statistics
import subprocess
import sys
import time

MIB, GIB = 1 << 20, 1 << 30
REQUEST = MIB
BEST = 'WEIGHTFS_BENCH_BEST'


class Skipped(Exception):
    """Something that this machine cannot show, and why."""


# -------------------------------------------------------------------------------- what is timed

def that_counts(times):
    return (min if os.environ.get(BEST) else statistics.median)(times)


def let_the_best_count():
    """Here, and in the programs that are started: what disturbs makes nothing faster."""
    os.environ[BEST] = 'yes'


def interleave(rounds, *jobs):
    """The time that counts of each of some jobs, which are done in turn after an unmeasured round.

    A job is called without arguments and returns the seconds that count of it.
    """
    times = [[] for _ in jobs]
    for _ in range(rounds + 1):
        for job, taken in zip(jobs, times, strict=True):
            taken.append(job())
    for taken in times:
        note(' '.join(f'{seconds:.4f}' for seconds in taken))
    return [that_counts(taken[1:]) for taken in times]


def timed(action, prepare=None):
    """A job; what prepares it does not count."""
    def job():
        if prepare:
            prepare()
        start = time.perf_counter()
        action()
        return time.perf_counter() - start
    return job


def note(text):
    if 'WEIGHTFS_BENCH_TIMES' in os.environ:
        print(f'    {text}', file=sys.stderr, flush=True)


def read_through(path, block=REQUEST):
    buffers = [bytearray(block)]
    fd = os.open(path, os.O_RDONLY)
    while os.readv(fd, buffers):
        pass
    os.close(fd)


def read_at(path, offsets, block=4096):
    """Reads blocks in the order given, none of them ahead."""
    buffers = [bytearray(block)]
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    for offset in offsets:
        os.preadv(fd, buffers, offset)
    os.close(fd)


def evict(path):
    """Drops a file's pages from the cache, and nobody else's."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def run(*command, **options):
    """Runs a program that has nothing to say unless it fails."""
    command = [os.fspath(word) for word in command]
    options = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.PIPE, **options}
    done = subprocess.run(command, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f'{" ".join(command)}: exit {done.returncode}: {done.stderr.strip()}')
    return done


def spawn(*command):
    """Runs a program with as little ado as possible."""
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    command = [os.fspath(word) for word in command]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=null)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f'{" ".join(command)}: exit {os.waitstatus_to_exitcode(status)}')


def numpy_python():
    for python in (sys.executable, os.environ.get('WEIGHTFS_TF_PYTHON')):
        with contextlib.suppress(RuntimeError, OSError):
            if python:
                run(python, '-c', 'import numpy')
                return python
    raise Skipped('needs NumPy, here or with $WEIGHTFS_TF_PYTHON')


def as_user(name, function):
    """The result of function() in a process of that user."""
    user = pwd.getpwnam(name)
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(user)
        answer_and_exit(writable, function)
    os.close(writable)
    with open(readable, encoding='utf-8') as pipe:
        answer = json.loads(pipe.read() or '{"error": "it died"}')
    os.waitpid(pid, 0)
    if 'error' in answer:
        raise RuntimeError(f'as {name}: {answer["error"]}')
    return answer['result']


def user_options(name):
    """What subprocess.run() needs to run something as become() does."""
    if not name:
        return {}
    user = pwd.getpwnam(name)
    return {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}


def become(user):
    os.setgroups([])
    os.setresgid(*[user.pw_gid] * 3)
    os.setresuid(*[user.pw_uid] * 3)


def answer_and_exit(fd, function):
    try:
        answer = {'result': function()}
    except Exception as error:  # whatever it was, the parent tells it
        answer = {'error': f'{type(error).__name__}: {error}'}
    os.write(fd, json.dumps(answer).encode())
    os._exit(0)


def busy_with_others(seconds=1):
    """How busy the machine is while we do nothing: 0 to 1."""
    before = processor_times()
    time.sleep(seconds)
    taken = [b - a for a, b in zip(before, processor_times(), strict=True)]
    return 1 - sum(taken[3:5]) / max(1, sum(taken))


def processor_times():
    with open('/proc/stat', encoding='ascii') as file:
        return [int(word) for word in file.readline().split()[1:9]]


# ------------------------------------------------------------------------------------- the rows

def show_time(seconds):
    if seconds is None:
        return '-'
    return f'{seconds * 1000:.1f} ms' if seconds < 1 else f'{seconds:.2f} s'


def show_bytes(n):
    if n is None:
        return '-'
    return f'{n / MIB:.1f} MiB' if n >= MIB else f'{n / 1024:.1f} KiB'


@dataclasses.dataclass
class Row:
    """A line of the table: what was done, natively and by us, and what that makes."""

    name: str
    native: str
    ours: str
    value: float
    goal: float
    at_most: bool = False
    unit: str = ''
    counts: tuple = ()

    def reached(self):
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def cells(self):
        sign = '<=' if self.at_most else '>='
        return (self.name, self.native, self.ours, f'{self.value:.3g}{self.unit}',
                f'{sign} {self.goal:.3g}{self.unit}', verdict(self.reached()), self.counted())

    def counted(self):
        if not self.counts:
            return ''
        reached = verdict(all(count.reached() for count in self.counts))
        return f'{reached:4} {", ".join(map(str, self.counts))}'


def verdict(reached):
    return 'yes' if reached else 'NO'


def speed(name, native, ours, goal, counts=()):
    """Native time by ours: more is better."""
    return Row(name, show_time(native), show_time(ours), native / ours, goal,
               counts=counts)


def slowness(name, native, ours, goal, counts=()):
    """Our time by the native one: less is better."""
    return Row(name, show_time(native), show_time(ours), ours / native, goal, at_most=True,
               counts=counts)


def duration(name, native, ours, goal, counts=()):
    """Our time by itself; a native time, or None, is there to be compared with."""
    return Row(name, show_time(native), show_time(ours), ours * 1000, goal * 1000, at_most=True,
               unit=' ms', counts=counts)


def volume(name, native, ours, goal):
    """Bytes."""
    return Row(name, show_bytes(native), show_bytes(ours),
               ours / MIB, goal / MIB, at_most=True, unit=' MiB')
